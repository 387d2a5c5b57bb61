"""Calls that came before: what follows from their shapes and keywords is found at one look.

The time of a call in Python is long beside a small sweep.  Only sweeps of plain arrays, in one go,
are known; all that depends on data, on `out` or on the threads is looked at in each call.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from . import _recall, _sweep
from ._arrays import Array, result
from ._recall import Known
from .geometry import Geometry
from .packing import PackedFilters
from .runtime import resolve_threads

SMALL_PLAN = 1 << 15  # bytes
SMALL_WORK = 200_000  # multiply-adds; the compiled sweep opens no parallel region there

Kind: TypeAlias = Literal["forward", "adjoint", "scatter", "reduce", "samples"]

_recall.set_up(np.ndarray, np.empty, np.empty_like, resolve_threads)


class Operands(NamedTuple):
    """What a verb was given."""

    verb: str
    a: Any
    b: Any  # may be packed filters
    bias: Any
    shape: Any  # of the result, where the verb is given it, else None
    keywords: Any


def repeat(known: Known, verb: str, a: Array, b: Any, bias: Array | None, keywords: Any
           ) -> Array | None:
    """A call by sample, or one that is given an `out` that must be looked at."""
    out = keywords.get("out")
    if known.by_sample and out is not None:
        return None
    threads = resolve_threads(verb, keywords.get("n_threads"))
    panels = None
    if type(b) is PackedFilters and not known.scatters:
        panels = b.panels(known.plan, known.groups, known.transposed, threads,
                          a.strides[1] == a.itemsize, known.winograd)
    b = getattr(b, "w", b)
    given = (a, b) if bias is None else (a, b, bias)
    # A new dw is in C order: that is how weights are kept, whatever the order of the data.
    like = np.empty(0, a.dtype) if known.reduces else a
    to, (a, b, *rest) = result(verb, known.shape, like, out, given, known.accumulate)
    if known.by_sample:
        _sweep.reduce(known.plan, _one_image(a), _one_image(b), _one_image(to)[0], known.groups,
                      False, threads)
    elif known.reduces:
        _sweep.reduce(known.plan, a, b, to, known.groups, known.accumulate, threads)
    # Where a sweep refuses, as for weights that are not all finite, it has written nothing.
    elif known.scatters:
        if not _sweep.scatter(known.plan, to, a, b, known.groups, known.accumulate, threads):
            return None
    elif not _sweep.gather(known.plan, a, b, rest[0] if rest else None, to, known.groups,
                           known.transposed, known.accumulate, threads, panels,
                           known.only_finite, known.winograd):
        return None
    return to


def _one_image(a: Array) -> Array:
    """(N, C, ...) as (1, N*C, ...)."""
    return a.reshape(1, a.shape[0] * a.shape[1], *a.shape[2:])


def remember(given: Operands, g: Geometry, shape: tuple[int, ...], plan: _sweep.Plan,
             kind: Kind, winograd: int = 0) -> None:
    """Keep what `recall` needs of a call that was one sweep of `plan`, by F(m, 3) where all weights
    are finite."""
    if plan.nbytes <= SMALL_PLAN:
        small = math.prod((*g.y_shape, *g.w_shape[len(g.bank) + 1:])) < SMALL_WORK
        _recall.remember(*given, shape, g.groups, plan, kind, winograd,
                         bool(given.keywords.get("accumulate", False)), small)
