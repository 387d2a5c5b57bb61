"""One spatial axis of a sweep, as the sharing map sees it: which element each tap reads.

A sweep is the product of its axes: output (i, j), tap (a, b) reads element (source(i, a),
source(j, b)).  So counts and Gram matrices of the whole map are products of those of the axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sweepconv.geometry import Geometry, virtual_index

from .base import Array


@dataclass(frozen=True)
class Axis:
    """`source` (out, kernel): the element of the image under each tap, -1 for a zero; filter
    i mod period serves output i."""

    source: Array
    period: int

    @cached_property
    def gram(self) -> Array:
        """(period, kernel, kernel): at how many outputs of a filter both taps read one element."""
        s = self.source
        same = (s[:, :, None] == s[:, None, :]) & (s[:, :, None] >= 0)
        return sum_by_filter(same.astype(np.int64), (self.period,))

    @property
    def uses(self) -> Array:
        """(period, kernel): outputs of a filter at which each tap reads an element of the image."""
        return np.diagonal(self.gram, axis1=1, axis2=2)

    @property
    def one_each(self) -> bool:
        """Whether no element is read by two taps of one window."""
        return int(self.gram.sum()) == int(self.uses.sum())

    @cached_property
    def inverse(self) -> Array:
        """(period, kernel, kernel): pseudo-inverse of `gram`."""
        return np.linalg.pinv(self.gram.astype(np.float64), hermitian=True)


def axes_of(g: Geometry) -> tuple[Axis, ...]:
    return tuple(
        Axis(virtual_index(np.arange(out)[:, None] * stride + np.arange(kernel) * dilation - low,
                           size, g.mode), period)
        for size, kernel, out, stride, dilation, (low, _), period in zip(
            g.in_size, g.kernel, g.out_size, g.stride, g.dilation, g.pads, g.period, strict=True))


def sum_by_filter(values: Array, period: tuple[int, ...]) -> Array:
    """(*out, ...) to (*period, ...): positions that share a filter, p mod period, added up."""
    for axis, t in enumerate(period):
        n = values.shape[axis]
        missing = -n % t
        if missing:
            pad = [(0, missing if i == axis else 0) for i in range(values.ndim)]
            values = np.pad(values, pad)
        values = values.reshape(*values.shape[:axis], -1, t, *values.shape[axis + 1:])
        values = values.sum(axis)
    return values


def at_each_position(bank: Array, out: tuple[int, ...]) -> Array:
    """(*period, ...) to (*out, ...): the filter of each position."""
    return bank[np.ix_(*(np.arange(n) % t for n, t in zip(out, bank.shape, strict=False)))]
