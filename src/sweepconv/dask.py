"""For Dask: its cluster as an executor.  Needs `pip install 'dask[distributed]'`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

try:
    from dask.distributed import Client
except ImportError as error:
    raise ImportError("sweepconv.dask needs Dask: pip install 'dask[distributed]'") from error


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
    >>> with executor(processes=False, dashboard_address=":0") as there:
    ...     there.submit(pow, 2, 5).result()
    32
    """
    with Client(address, **keywords) as client, client.get_executor() as there:
        yield there
