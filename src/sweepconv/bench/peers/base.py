"""What a peer gives: for a case, named entries, each a call to be timed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from sweepconv.bench.cases import Array, Case

FAST = "fast "  # entries of ours with this prefix are no part of the ratio


class NotOffered(Exception):
    """An entry that has no place among the others for this case."""


class Call(NamedTuple):
    """`run` is timed; `to_numpy` turns what it returns into the result, axes (N, C, *spatial)."""

    run: Callable[[], Any]
    to_numpy: Callable[[Any], Array] = np.asarray


Entries: TypeAlias = Mapping[str, Callable[[], Call]]  # by name; what it calls may raise


class PeerBase(ABC):
    """One library in one process."""

    @abstractmethod
    def __init__(self, n_threads: int) -> None: ...

    @abstractmethod
    def entries(self, case: Case) -> Entries:
        """What this peer can do of `case`; nothing if it cannot do it at all."""


def channels_last(a: Array) -> Array:
    """The same axes (N, C, *spatial), in channels-last memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)
