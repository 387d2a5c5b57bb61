"""Calls that came before: what follows from their shapes and keywords is found at one look.

The time of a call in Python is long beside a small sweep.  Only direct sweeps of plain arrays, in
one go, are known; all that depends on data, on `out` or on the threads is looked at in each call.
"""

from __future__ import annotations

import math
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from . import _sweep
from ._arrays import Array, result
from .geometry import Geometry
from .packing import PackedFilters
from .runtime import resolve_threads

MOST_KNOWN = 1024
SMALL_PLAN = 1 << 15  # bytes
SERIAL_WORK = 100_000  # multiply-adds; the compiled sweep opens no parallel region there


class Known(NamedTuple):
    """What follows from the shapes and keywords of a call."""

    keywords: tuple[Any, ...]
    shape: tuple[int, ...]  # of the result
    groups: int
    plan: _sweep.Plan
    reduces: bool      # a weight gradient,
    by_sample: bool    # of each sample: samples are groups of one image
    transposed: bool   # an input gradient
    serial: bool


_known: dict[Any, Known] = {}


def _table(b: Any) -> dict[Any, Known]:
    """Packed filters keep what is known of calls with them."""
    return b.known if type(b) is PackedFilters else _known


def _without_out(keywords: Any) -> dict[str, Any]:
    return keywords if keywords.get("out") is None else {**keywords, "out": None}


def _recall(verb: str, a: Any, b: Any, bias: Any, shape: Any,
            keywords: dict[str, Any]) -> tuple[Any, Known | None]:
    """Key of what is known, None where a call cannot be known, and what is known of it.

    Names count, since some verbs are given those keywords alone that a caller wrote; and values
    must be the same objects, since 1.0 == 1 but is no stride.
    """
    array = b.given if type(b) is PackedFilters else b
    if not (type(a) is type(array) is np.ndarray and (bias is None or type(bias) is np.ndarray)):
        return None, None
    key = (verb, a.shape, array.shape, a.dtype, array.dtype,
           bias if bias is None else (bias.shape, bias.dtype),
           shape if shape is None else (shape, *map(type, shape)), *keywords, *keywords.values())
    try:
        known = _table(b).get(key)
    except (TypeError, ValueError):  # a keyword that cannot be a key
        return None, None
    if known is not None and all(map(is_, keywords.values(), known.keywords)):
        return key, known
    return key, None


def _one_image(a: Array) -> Array:
    """(N, C, ...) as (1, N*C, ...)."""
    return a.reshape(1, a.shape[0] * a.shape[1], *a.shape[2:])


def again(verb: str, a: Any, b: Any, bias: Any, shape: Any, keywords: Any
          ) -> tuple[Any, Array | None]:
    """The key for `remember`, and the result, or None where the call is not known.

    a, b : the operands as the verb takes them; b may be packed filters.
    shape : of the result, where the verb is given it, else None.
    """
    out = keywords.get("out")
    if shape is not None and type(shape) is not tuple:
        return None, None
    key, known = _recall(verb, a, b, bias, shape, _without_out(keywords))
    if known is None or (known.by_sample and out is not None):
        return key, None
    threads = 1 if known.serial else resolve_threads(verb, keywords.get("n_threads"))
    accumulate = keywords.get("accumulate", False)
    panels = None
    if type(b) is PackedFilters:
        panels = b.panels(known.plan, known.groups, known.transposed, threads,
                          a.strides[1] == a.itemsize, 0)
        b = b.w
    if out is not None or accumulate:
        given = (a, b) if bias is None else (a, b, bias)
        to, (a, b, *rest) = result(verb, known.shape, a, out, given, accumulate)
        bias = rest[0] if rest else None
    elif known.reduces or a.flags.c_contiguous:
        to = np.empty(known.shape, a.dtype)
    else:
        to = np.empty_like(a, shape=known.shape)
    if known.by_sample:
        _sweep.reduce(known.plan, _one_image(a), _one_image(b), _one_image(to)[0], known.groups,
                      False, threads)
    elif known.reduces:
        _sweep.reduce(known.plan, a, b, to, known.groups, accumulate, threads)
    # With weights that are not all finite the answer is False, and nothing is written.
    elif not _sweep.gather(known.plan, a, b, bias, to, known.groups, known.transposed, accumulate,
                           threads, panels, known.transposed and known.plan.reads_zeros):
        return key, None
    return key, to


def remember(key: Any, b: Any, keywords: Any, g: Geometry, shape: tuple[int, ...],
             plan: _sweep.Plan, *, reduces: bool = False, by_sample: bool = False,
             transposed: bool = False) -> None:
    """Keep what `again` needs of a call that was one sweep of `plan`."""
    table = _table(b)
    if plan.nbytes > SMALL_PLAN:
        return
    if len(table) >= MOST_KNOWN:
        table.clear()
    serial = math.prod((*g.y_shape, *g.w_shape[1:])) < SERIAL_WORK
    table[key] = Known(tuple(_without_out(keywords).values()), shape, g.groups, plan, reduces,
                       by_sample, transposed, serial)
