"""Shifts, flips and quarter turns of arrays (N, C, *spatial), and of what a function makes of them.

An element moves arrays of any size: a shift moves a result by as many strides less, a flip or a
turn does the same to image and result.  A result without spatial axes is not moved at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from typing import Literal, TypeAlias

import numpy as np

from sweepconv._arrays import Array
from sweepconv.geometry import Ints, per_axis

Border: TypeAlias = Literal["circular", "zeros"]
Stride: TypeAlias = "tuple[Fraction, ...]"


@dataclass(frozen=True)
class Shift:
    """By `amounts`, one per spatial axis: np.roll, or zeros come in."""

    amounts: tuple[int, ...]
    border: Border = "circular"

    def __call__(self, x: Array) -> Array:
        axes = tuple(range(2, x.ndim))
        moved: Array = np.roll(x, self.amounts, axes)
        if self.border == "zeros":
            for axis, d in zip(axes, self.amounts, strict=True):
                entered = slice(0, d) if d >= 0 else slice(d, None)
                moved[(slice(None),) * axis + (entered,)] = 0
        return moved

    def of_result(self, y: Array, stride: Stride) -> Array:
        """On a result, by the nearest whole number of elements below."""
        if y.ndim == 2:
            return y
        return Shift(tuple(int(d // s) for d, s in zip(self.amounts, stride, strict=True)),
                     self.border)(y)

    def __str__(self) -> str:
        return f"shift {self.amounts}"


@dataclass(frozen=True)
class Flip:
    """Of spatial axes, counted from 0."""

    axes: tuple[int, ...]

    def __call__(self, x: Array) -> Array:
        return np.flip(x, tuple(a + 2 for a in self.axes))

    def of_result(self, y: Array, stride: Stride) -> Array:
        return y if y.ndim == 2 else self(y)

    def __str__(self) -> str:
        return f"flip of {'axis' if len(self.axes) == 1 else 'axes'} " + ", ".join(
            map(str, self.axes))


@dataclass(frozen=True)
class Turn:
    """By quarters in the plane of the last two axes, as np.rot90."""

    quarters: int

    def __call__(self, x: Array) -> Array:
        return np.rot90(x, self.quarters, (-2, -1))

    def of_result(self, y: Array, stride: Stride) -> Array:
        return y if y.ndim == 2 else self(y)

    def __str__(self) -> str:
        return f"turn by {90 * self.quarters} degrees"


Element: TypeAlias = "Shift | Flip | Turn"


def elements(group: str, size: Sequence[int], *, shifts: Iterable[Ints] | None, step: Ints,
             border: Border) -> Iterator[Element]:
    """All elements of the group but the identity, for images of spatial `size`."""
    rank = len(size)
    if group == "shifts":
        if shifts is None:
            steps = per_axis("measure", "step", step, rank, 1)
            shifts = product(*(range(0, n, s) for n, s in zip(size, steps, strict=True)))
        for amounts in shifts:
            found = per_axis("measure", "shifts", amounts, rank, -2**62)
            if any(found):
                yield Shift(found, border)
    elif group == "flips":
        for many in range(1, rank + 1):
            yield from map(Flip, combinations(range(rank), many))
    elif group == "turns":
        if rank < 2 or size[-1] != size[-2]:
            raise ValueError("measure: group='turns' needs x with last two axes of one size, "
                             f"got spatial axes {tuple(size)}")
        yield from map(Turn, (1, 2, 3))
    else:
        raise ValueError(f"measure: group must be 'shifts', 'flips' or 'turns', got {group!r}")
