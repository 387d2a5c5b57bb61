"""NumPy alone: its matrix product for dense layers, and for convolutions that unroll to not too
much, views of all patches and a tensor product."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sweepconv.bench.cases import Array, Case

from .base import Call, Entries, PeerBase

MOST_PATCHES = 2**24  # elements


class Peer(PeerBase):
    def __init__(self, n_threads: int) -> None:
        """Threads are the matrix library's; the environment has set them."""

    def entries(self, case: Case) -> Entries:
        layer = case.layer
        if layer.family == "dense":
            return {"matmul": lambda: _matmul(case)}
        patches = layer.n * math.prod(layer.out) * layer.terms
        if (layer.family, layer.groups, case.direction) == ("conv", 1, "f") and (
                patches <= MOST_PATCHES):
            return {"patches": lambda: _patches(case)}
        return {}


def _matmul(case: Case) -> Call:
    a, b = case.given()
    left, right = {"f": (a, b.T), "i": (a, b), "w": (b.T, a)}[case.direction]
    out = left @ right  # kept from call to call, as in our entries
    return Call(lambda: np.matmul(left, right, out=out))


def _patches(case: Case) -> Call:
    x, w = case.given()
    layer, axes = case.layer, tuple(range(2, x.ndim))
    field = tuple(d * (k - 1) + 1 for k, d in zip(layer.kernel, layer.dilation, strict=True))
    steps: Any = (..., *(slice(None, None, s) for s in layer.stride),
             *(slice(None, None, d) for d in layer.dilation))
    pad = ((0, 0), (0, 0), *((p, p) for p in layer.pad))
    taps = tuple(range(2, w.ndim))

    def run() -> Array:
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, pad), field, axes)
        y = np.tensordot(windows[steps], w, ((1, *(t + len(axes) for t in taps)), (1, *taps)))
        return np.moveaxis(y, -1, 1)

    return Call(run)
