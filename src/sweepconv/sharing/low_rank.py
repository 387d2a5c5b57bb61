"""Sharing by mixture: each position's filter is a sum of a few, weighted by position.

With one filter and the same weight everywhere it is conv, with as many filters as positions local
(Elsayed et al., "Revisiting Spatial Invariance with Low-Rank Local Connectivity", ICML 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sweepconv.geometry import as_shape, geometry, output_shape

from .base import Array, Map, Shape
from .pattern import Sweep


class Mixed(Map):
    """P of the local layer after the mixture; `mix` (*out, R)."""

    def __init__(self, local: Sweep, mix: Array, w_shape: Shape) -> None:
        self.local, self.mix, self.w_shape = local, mix, w_shape
        self.dense_shape = local.dense_shape

    @classmethod
    def of(cls, x_shape: Sequence[int], w_shape: Sequence[int], mix: npt.ArrayLike,
           keywords: dict[str, Any]) -> Mixed:
        verb = "Pattern.low_rank"
        x, w = as_shape(verb, "x_shape", x_shape), as_shape(verb, "w_shape", w_shape)
        if len(w) != len(x) + 2:
            raise ValueError(f"{verb}: w_shape must be (R, O, C/groups, *kernel) for x_shape {x}, "
                             f"got {w}")
        out = output_shape((1, *x), w[1:], **keywords)[2:]
        weights = np.asarray(mix, np.float64)
        if weights.shape != (*out, w[0]):
            raise ValueError(f"{verb}: mix must be (*out, R) = {(*out, w[0])} for x_shape {x} and "
                             f"w_shape {w}, got mix.shape = {weights.shape}")
        return cls(Sweep(geometry(verb, "local", (1, *x), (*out, *w[1:]), **keywords)), weights, w)

    def _expand(self, w: Array) -> Array:
        return self.local._expand(mixed(self.mix.astype(w.dtype), w))

    def _reduce(self, dense: Array) -> Array:
        return unmixed(self.mix.astype(dense.dtype), self.local._reduce(dense))

    def _solve(self, w: Array) -> Array:
        rank, kernel = self.w_shape[0], self.local.g.kernel
        taps = int(np.prod(kernel))
        each = np.ones((1, 1, 1))  # (positions, taps, taps): what the taps of a window share
        for axis in self.local.axes:
            each = np.einsum("pab,qcd->pqacbd", each, axis.gram)
            each = each.reshape(each.shape[0] * each.shape[1], each.shape[2] * each.shape[3], -1)
        mix = self.mix.reshape(-1, rank)
        gram = np.einsum("pr,ps,pab->rasb", mix, mix, each).reshape(rank * taps, -1)
        turned = np.moveaxis(w, (1, 2), (-2, -1)).reshape(rank * taps, -1)
        solved = np.linalg.pinv(gram, hermitian=True) @ turned
        solved = solved.reshape(rank, *kernel, *self.w_shape[1:3])
        return np.moveaxis(solved, (-2, -1), (1, 2))

    @property
    def multiplicity(self) -> Array:
        return unmixed((self.mix != 0).astype(np.int64), self.local.multiplicity)


def mixed(mix: Array, w: Array) -> Array:
    """(*out, O, C/groups, *kernel): the filters of all positions."""
    return np.tensordot(mix, w, 1)


def unmixed(mix: Array, local: Array) -> Array:
    """(R, O, C/groups, *kernel): the adjoint of `mixed`, what each filter receives."""
    at = mix.ndim - 1
    return np.tensordot(mix, local, (range(at), range(at)))
