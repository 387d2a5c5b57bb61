"""Dask as a place to run in: needs `pip install 'dask[distributed]'`, imported when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any


@contextmanager
def executor(address: str | None = None, **keywords: Any) -> Iterator[Executor]:
    """An executor on a Dask cluster, for `efficiency.learning_curve` and the like.

    The workers must have sweepconv.  What runs there gives the same bits as here.

    Parameters
    ----------
    address : of a scheduler, as "tcp://10.0.0.1:8786"; None starts a cluster on this machine,
        which ends with the block.
    **keywords : of `dask.distributed.Client`: n_workers, processes, ...

    Examples
    --------
    >>> with executor("tcp://10.0.0.1:8786") as there:  # doctest: +SKIP
    ...     curve = learning_curve(["dense", "conv"], data, [100, 1000], 5, executor=there)
    """
    try:
        from dask.distributed import Client
    except ImportError:
        raise ImportError("sweepconv.dask needs Dask with its scheduler: "
                          "pip install 'dask[distributed]'") from None
    with Client(address, **keywords) as client, client.get_executor() as there:
        yield there
