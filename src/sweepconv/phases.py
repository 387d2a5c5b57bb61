"""How one axis of a sweep is cut into phases: sets of outputs that share their taps.

Every verb but the weight gradient's fold is one and the same sum,

    out[n, o, first + step*q] = sum over taps m, channels c of
        w[filter[m], o, c, tap[m]] * source[n, c, index[q*stride + offset[m]]]

on each axis, with index -1 reading zero.  The phases of an axis are disjoint, so each output has
one owner and one order of summation:

- forward: outputs p = r (mod period) use filter r; conv has period 1 and so one phase, local has
  one phase a position;
- input gradient: inputs i of one class modulo stride*period take part in the same taps, at
  y positions in steps of `period`.  So stride inserts no zeros, and tile sharing costs nothing.
  Inputs that no output reads are in no phase.

A box is one phase on each axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import gcd, prod
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .geometry import Geometry, virtual_index

Index: TypeAlias = "npt.NDArray[np.intp]"
MAX_RANK = 3
MOST_READ = 3   # of zeros and all else, for each product that counts
LEAST_RUN = 8


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of one axis; arrays have one entry a tap, `index` one a virtual coordinate."""

    first: int
    step: int
    count: int
    stride: int
    offset: Index
    tap: Index
    filter: Index
    index: Index


class Axis(NamedTuple):
    """What the phases of one axis are made from; `size` is the input's, `out` the output's."""

    size: int
    kernel: int
    out: int
    stride: int
    dilation: int
    low: int
    mode: str
    period: int


def _phase(first: int, step: int, count: int, stride: int, position: Index, tap: Index,
           filters: Index, size: int, mode: str) -> Phase:
    """`position`: source coordinate of each tap for the first output, ascending.

    Only coordinates that some tap reads get a place in `index`: common factors of stride and
    distances are divided out, and gaps between the windows of two outputs are left out.
    """
    origin = int(position[0])
    offset = position - origin
    pitch = gcd(stride if count > 1 else 0, *map(int, offset)) or 1
    offset, packed = offset // pitch, stride // pitch
    span = int(offset[-1]) + 1
    if count == 1:
        packed = step = 1
    at = np.arange((count - 1) * min(packed, span) + span, dtype=np.intp)
    if packed > span:
        at = at // span * packed + at % span
        packed = span
    return Phase(first, step, count, packed, offset, tap, filters,
                 np.ascontiguousarray(
                     virtual_index(at * pitch + origin, size, mode), dtype=np.intp))


def forward_phases(a: Axis) -> tuple[Phase, ...]:
    """Phases of y over x: one for each residue of the period."""
    taps = np.arange(a.kernel, dtype=np.intp)
    return tuple(
        _phase(r, a.period, -(-(a.out - r) // a.period), a.stride * a.period,
               r * a.stride - a.low + taps * a.dilation, taps, np.full_like(taps, r),
               a.size, a.mode)
        for r in range(min(a.period, a.out))
    )


def input_grad_phases(a: Axis, exact: bool = False) -> tuple[Phase, ...]:
    """Phases of dx over dy, of those elements of dx that any output reads.

    Mode "circular" here means that dy itself is periodic.  In zero padding, border elements of dx
    have fewer taps than others.  They stay in one phase with them and read zeros for the rest,
    unless `exact`: then phases are cut where taps begin and end, so that nothing is multiplied
    that the sum does not hold.
    """
    step = a.stride * a.period
    first_tap = {(t * a.dilation - a.low) % a.stride for t in range(a.kernel)}
    phases = []
    for r in sorted(r + a.stride * m for r in first_tap for m in range(a.period)
                    if r + a.stride * m < a.size):
        count = -(-(a.size - r) // step)
        taps = np.arange(a.kernel - 1, -1, -1, dtype=np.intp)
        position, rest = np.divmod(r + a.low - taps * a.dilation, a.stride)
        position, taps = position[rest == 0], taps[rest == 0]
        # Output q of the phase reads dy at position + period*q: inside of dy for first <= q < last.
        first = np.zeros_like(position)
        last = np.full_like(position, count)
        if a.mode == "zeros":
            first = np.maximum(-(position // a.period), 0)
            last = np.minimum((a.out - 1 - position) // a.period + 1, count)
        cuts = {0, count}
        if exact:
            cuts |= {int(c) for c in (*first, *last) if 0 < c < count}
        for low, high in pairwise(sorted(cuts)):
            live = (first < high) & (last > low)
            at = position[live] + low * a.period
            if live.any():
                phases.append(_phase(r + step * low, step, high - low, a.period, at, taps[live],
                                     at % a.period, a.out, a.mode))
    return tuple(phases)


def axes(g: Geometry) -> tuple[Axis, ...]:
    """Axes of y over x, for the forward sweep and the weight gradient."""
    return tuple(Axis(n, k, o, s, d, low, g.mode, p) for n, k, o, s, d, (low, _), p in zip(
        g.in_size, g.kernel, g.out_size, g.stride, g.dilation, g.pads, g.period, strict=True))


class Fold(NamedTuple):
    """Padding of one axis whose gradient is added back into the image after the sweep."""

    low: int
    high: int


def input_grad_axes(g: Geometry) -> tuple[tuple[Axis, ...], tuple[Fold, ...]]:
    """Axes of dx over dy, and the padding of each that is still to be folded back.

    Zero padding drops what falls outside of the image.  Circular padding on the lattice
    (out * stride = size) makes dy periodic too, so that each dx stays one sum in one order.  In
    every other case the sweep runs over the padded image, and its border is folded back after.
    """
    result, folds = [], []
    for a, (low, high) in zip(axes(g), g.pads, strict=True):
        lattice = a.mode == "circular" and a.out * a.stride == a.size and a.out % a.period == 0
        fold = Fold(0, 0)
        if a.mode != "zeros" and not lattice:
            fold = Fold(max(low, 0), max(high, 0))
        result.append(a._replace(size=a.size + fold.low + fold.high, low=a.low - fold.low,
                                 mode="circular" if lattice else "zeros"))
        folds.append(fold)
    return tuple(result), tuple(folds)


# Missing axes count as axes of one element with one tap: one engine for 1-D, 2-D and 3-D.
_UNIT = Axis(1, 1, 1, 1, 1, 0, "zeros", 1)


def _three(axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    return (*(_UNIT,) * (MAX_RANK - len(axes)), *axes)


def forward_sweep(axes: tuple[Axis, ...]) -> tuple[tuple[Phase, ...], ...]:
    """The phases of the three axes (d, h, w) of y over x."""
    return tuple(forward_phases(a) for a in _three(axes))


def input_grad_sweep(axes: tuple[Axis, ...], exact: bool) -> tuple[tuple[Phase, ...], ...]:
    """The phases of the three axes (d, h, w) of dx over dy.

    Exact also are axes along which few outputs were made by long kernels, and dx would read zeros
    for the most part: those whose cuts leave long runs along the others.
    """
    axes = _three(axes)
    phases = [input_grad_phases(a, exact) for a in axes]
    read = [sum(p.count * len(p.tap) for p in each) / (a.out * a.kernel)
            for a, each in zip(axes, phases, strict=True)]
    whole = {0, 1, 2}
    for i in sorted(whole, key=read.__getitem__, reverse=True):
        if read[i] >= MOST_READ and prod(axes[j].size for j in whole - {i}) >= LEAST_RUN:
            phases[i] = input_grad_phases(axes[i], True)
            whole.remove(i)
    return tuple(phases)


def cover(phases: tuple[tuple[Phase, ...], ...], size: tuple[int, ...]) -> bool:
    """Whether the phases of all axes cover arrays of the spatial `size`."""
    return all(sum(p.count for p in axis) == n
               for axis, n in zip(phases[MAX_RANK - len(size):], size, strict=True))
