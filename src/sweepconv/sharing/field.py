"""The receptive field: which input elements one output sees, and by how many paths.

Each axis by itself.  A window of k taps, `dilation` apart, on a map whose neighbours lie `jump`
input elements apart adds (k-1) * dilation * jump to the size of the field, multiplies the jump by
its stride, and moves the centre of the first output.  The number of paths from an input element
to the output is the convolution of the windows' tap patterns, since a path takes one tap of each
window; over several axes it is the product.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from sweepconv.counts import Counts, Window

Fields: TypeAlias = "tuple[Field, ...] | None"  # one per spatial axis; None: it has no one size


@dataclass(frozen=True)
class Field:
    """The receptive field on one axis, of an output that no border cuts off.

    Attributes
    ----------
    taps : of each window on the way, (how many, how many input elements apart).
    jump : input elements from one output to the next.
    start : input coordinate of the first output's centre; element 0 has its centre at 0.

    Examples
    --------
    >>> field = Field().through(Window(3)).through(Window(3, stride=2, low=1))
    >>> field.size, field.jump, field.start, field.profile()
    (5, 2, Fraction(1, 1), (1, 2, 3, 2, 1))
    """

    taps: tuple[tuple[int, int], ...] = ()
    jump: int = 1
    start: Fraction = Fraction(0)

    def through(self, window: Window) -> Field:
        """The field of the outputs of one more window."""
        k, stride, dilation, low = window
        taps = (*self.taps, (k, dilation * self.jump)) if k > 1 else self.taps
        start = self.start + (Fraction((k - 1) * dilation, 2) - low) * self.jump
        return Field(taps, self.jump * stride, start)

    @property
    def size(self) -> int:
        """Input elements from the first to the last that the output sees."""
        return 1 + sum((k - 1) * apart for k, apart in self.taps)

    @property
    def variance(self) -> Fraction:
        """Of `profile` as a distribution: n windows of k neighbouring taps give n(k*k - 1)/12."""
        return sum((Fraction(apart * apart * (k * k - 1), 12) for k, apart in self.taps),
                   Fraction(0))

    def profile(self) -> tuple[int, ...]:
        """Paths from each of the `size` input elements of the field to the output."""
        paths = [1]
        for k, apart in self.taps:
            paths = _sum_of_shifted(paths, k, apart)
        return tuple(paths)


def _sum_of_shifted(a: list[int], k: int, apart: int) -> list[int]:
    """The sum of k copies of `a`, each `apart` further on: as a running sum, for any k."""
    total = a + [0] * ((k - 1) * apart)
    for i, n in enumerate(a):
        if i + k * apart < len(total):
            total[i + k * apart] -= n
    for i in range(apart, len(total)):
        total[i] += total[i - apart]
    return total


def follow(layers: Iterable[Counts]) -> Iterator[Fields]:
    """The field after each of some layers in a row, in elements of the first one's input."""
    fields: Fields = None
    sizes: tuple[int, ...] = ()  # of the map so far; a flattened map is remembered as a map
    for i, layer in enumerate(layers):
        if i == 0:
            sizes = layer.x_shape[1:]
            fields = (Field(),) * len(sizes)
        windows, sizes = _windows(layer, sizes)
        if fields is None or windows is None or len(windows) != len(fields):
            fields = None
        else:
            fields = tuple(f.through(w) for f, w in zip(fields, windows, strict=True))
        yield fields


def _windows(layer: Counts, sizes: tuple[int, ...]
             ) -> tuple[tuple[Window, ...] | None, tuple[int, ...]]:
    """What an output of the layer reads on each axis of a map of `sizes`; the sizes after it."""
    match layer.reads:
        case "unknown":
            return None, sizes
        case "element":
            return (Window(),) * len(sizes), sizes
        case "all":
            return tuple(Window(max(n, 1)) for n in sizes), (1,) * len(sizes)
        case windows:
            return windows, layer.y_shape[1:]
