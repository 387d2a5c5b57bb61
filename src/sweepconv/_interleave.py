"""The input gradient of a strided sweep of few channels: places of a stride as channels.

With stride s along an axis, tap r + s*j of output p reads x at s*(p + j) + r - low.  So s elements
of dx that follow each other have the same outputs and other taps: as s*C channels of a sweep with
stride 1 they fill the lanes that C channels would leave empty.

    dx[n, c, s*q + r - low] = sum over o, j of dy[n, o, q - j] * w[o, c, r + s*j]

An axis with one output has the stride of its kernel as well as any other.  Where s does not divide
the kernel, the last taps are zeros.  They make NaN of Inf and NaN in dy; such places are taken from
the plain sweep.  Whether dx is made so follows from the geometry alone, since its sums are cut into
other blocks: so bits depend on nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ._arrays import Array
from .geometry import Geometry

LANES = 8  # of a vector; what is decided here must not depend on the instruction set
LEAST_GAIN = 1.8  # in lanes, so that dx may be written twice
MOST_TAPS = 3  # of a place: with more, pixels in the lanes are as fast


def _fills(channels: int) -> float:
    """The part of all lanes that channels fill."""
    return channels / (-(-channels // LANES) * LANES)


class Form(NamedTuple):
    """How it is done: `axis` changes places with the last one, of which `geometry` speaks then."""

    axis: int
    geometry: Geometry

    def turn(self, a: Array) -> Array:
        return np.swapaxes(a, self.axis, -1)


@lru_cache(maxsize=1024)
def form(g: Geometry) -> Form | None:
    """None where it does not apply, or does not fill so many more lanes."""
    # Along other axes than the last it takes a transposition: strides would not pay for it.
    axes = [-1, *(a for a in range(-g.rank, -1) if g.out_size[a] == 1)]
    turned = (Form(axis, _turned(g, axis)) for axis in axes)
    return next((f for f in turned if _pays(f.geometry)), None)


def _turned(g: Geometry, axis: int) -> Geometry:
    def swap(values: tuple[Any, ...]) -> tuple[Any, ...]:
        turned = list(values)
        turned[axis], turned[-1] = turned[-1], turned[axis]
        return tuple(turned)

    stride = swap(g.stride)
    if g.out_size[axis] == 1:
        stride = (*stride[:-1], max(stride[-1], g.kernel[axis]))
    return replace(g, in_size=swap(g.in_size), kernel=swap(g.kernel), out_size=swap(g.out_size),
                   stride=stride, dilation=swap(g.dilation), pads=swap(g.pads))


def _pays(g: Geometry) -> bool:
    s, k, channels = g.stride[-1], g.kernel[-1], g.in_channels
    taps = -(-k // s)
    if (g.family != "conv" or g.groups != 1 or g.mode != "zeros" or g.dilation[-1] != 1
            or not 1 < s <= k or taps > MOST_TAPS or g.pads[-1][0] < 0):
        return False
    return _fills(s * channels) * k / (taps * s) >= LEAST_GAIN * _fills(channels)


def spreads(g: Geometry, dy: Array) -> bool:
    """Whether zero taps meet NaN or Inf."""
    return g.kernel[-1] % g.stride[-1] != 0 and not np.isfinite(dy).all()


def interleaved(g: Geometry) -> Geometry:
    """The sweep of stride 1, whose x holds `low` elements more and ends with a whole stride."""
    s, k = g.stride[-1], -(-g.kernel[-1] // g.stride[-1])
    size = -(-(g.pads[-1][0] + g.in_size[-1]) // s)
    return replace(g, in_channels=s * g.in_channels, in_size=(*g.in_size[:-1], size),
                   kernel=(*g.kernel[:-1], k), stride=(*g.stride[:-1], 1),
                   pads=(*g.pads[:-1], (0, g.out_size[-1] + k - 1 - size)))


def filters(g: Geometry, other: Geometry, w: Array) -> Array:
    """w of that other sweep: (O, s*C, *kernel), channels of one place side by side."""
    s, k = g.stride[-1], other.kernel[-1]
    taps = np.zeros((*w.shape[:-1], k * s), w.dtype)
    taps[..., :w.shape[-1]] = w
    places = np.moveaxis(taps.reshape(*w.shape[:-1], k, s), -1, 1)
    return places.reshape(other.w_shape)


def empty(other: Geometry, dtype: np.dtype) -> Array:
    """dx of that sweep, with its channels last in memory."""
    n, channels, *size = other.x_shape
    return np.moveaxis(np.empty((n, *size, channels), dtype), -1, 1)


def image(g: Geometry, dx: Array) -> Array:
    """The dx of `g` inside of that of the other sweep."""
    apart = np.moveaxis(dx, 1, -1)
    along = apart.reshape(*apart.shape[:-2], -1, g.in_channels)
    low = g.pads[-1][0]
    return np.moveaxis(along[..., low:low + g.in_size[-1], :], -1, 1)
