"""This library: both memory orders, `algorithm="fast"` apart, and each of these also with all kept
from call to call that can be: packed filters and the result's memory (`out=`), as sessions do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import sweepconv
from sweepconv.bench.cases import Case
from sweepconv.bench.truth import verb_name

from .base import FAST, Call, Entries, NotOffered, PeerBase, channels_last


class Peer(PeerBase):
    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads

    def entries(self, case: Case) -> Entries:
        family, direction = case.layer.family, case.direction
        orders = ["first"] if family == "dense" else ["first", "last"]
        found: dict[str, Callable[[], Call]] = {}
        for order in orders:
            for kept in (False, True):
                name = order + (" out=" if direction == "w" else " packed") * kept
                found[name] = partial(self._call, case, order, kept)
                if family == "conv" and direction != "w":
                    found[FAST + name] = partial(self._fast, case, order, kept)
        return found

    def _call(self, case: Case, order: str, kept: bool = False,
              algorithm: str | None = None) -> Call:
        operands = dict(zip(case.operands, case.given(), strict=True))
        if order == "last":
            operands |= {name: channels_last(a) for name, a in operands.items() if name != "w"}
        a, b = operands.values()
        keywords: dict[str, Any] = {} if case.layer.family == "dense" else case.keywords()
        if algorithm:
            keywords["algorithm"] = algorithm
        function = getattr(sweepconv, verb_name(case))
        shape = () if case.direction == "f" else (case.shapes[case.result],)
        filters: Any = b
        if kept:
            if case.direction != "w":
                filters = sweepconv.pack(b, verb=verb_name(case), **keywords)
            out = function(a, filters, *shape, **keywords)
            # The order of x is not seen where it has one channel.
            keywords["out"] = channels_last(out) if order == "last" and out.ndim > 2 else out
        keywords["n_threads"] = self.n_threads
        return Call(lambda: function(a, filters, *shape, **keywords))

    def _fast(self, case: Case, order: str, kept: bool) -> Call:
        """Only where its bits are not those of the direct sweep: else it is that."""
        fast = self._call(case, order, kept, algorithm="fast")
        if np.array_equal(fast.run(), self._call(case, order).run()):
            raise NotOffered
        return fast
