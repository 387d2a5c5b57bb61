"""Convolutions that filter planes one by one, as libraries of image and signal processing do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sweepconv.bench.cases import Array, Case

from .base import Call

MOST_PLANES = 64


def is_planes(case: Case) -> bool:
    """Forward, one input channel for each filter, steps of one, and not too many planes."""
    layer = case.layer
    return (layer.family == "conv" and case.direction == "f" and layer.groups == layer.c_in
            and {*layer.stride, *layer.dilation} == {1} and layer.n * layer.c_out <= MOST_PLANES)


def is_centred(case: Case) -> bool:
    """Whether the result is as big as the input and the filter has a middle."""
    layer = case.layer
    return all(2 * p + 1 == k for p, k in zip(layer.pad, layer.kernel, strict=True))


def each_plane(case: Case, flip: bool, one: Callable[[Array, Array], Array]) -> Call:
    """`one(plane, filter)` for all of them; with `flip` the filter is turned round for it."""
    x, w = case.given()
    if flip:
        w = np.ascontiguousarray(np.flip(w, tuple(range(2, w.ndim))))
    per = case.layer.c_out // case.layer.groups

    def run() -> Array:
        y = np.empty(case.layer.y_shape, case.dtype)
        for n in range(len(x)):
            for o in range(len(w)):
                y[n, o] = one(x[n, o // per], w[o, 0])
        return y

    return Call(run)
