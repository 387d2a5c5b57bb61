"""What `measure` returns, and its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

from sweepconv.sharing.table import Shown, Table

from .act import Element


@dataclass(frozen=True, repr=False)
class Measured(Shown):
    """How far one function is from commuting with a group, over samples and group elements.

    Attributes
    ----------
    name : of the function, or place and class of a layer.
    group : "shifts", "flips" or "turns".
    mean_error, largest_error : of ||g f(x) - f(g x)|| / ||g f(x)||; 0/0 counts as 0.
    largest_difference : absolute, of one value.
    bit_equal : share of values of f(g x) with the bits that g f(x) has; NaN if there are none.
    compared : how many values that were.
    consistency : for results (N, K) P(argmax f(g x) = argmax f(h x)) for g and h drawn
        independently from the group, the identity among them; None for maps.
    worst : (element of the group, sample) of the largest error, None if all are 0.
    elements, samples : how many.
    result : shape of f(x).
    """

    name: str
    group: str
    mean_error: float
    largest_error: float
    largest_difference: float
    bit_equal: float
    compared: int
    consistency: float | None
    worst: tuple[Element, int] | None
    elements: int
    samples: int
    result: tuple[int, ...]

    @property
    def exact(self) -> bool:
        """Whether all bits are equal, of at least one value."""
        return self.bit_equal == 1

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries."""
        worst = None if self.worst is None else [str(self.worst[0]), self.worst[1]]
        return vars(self) | {"worst": worst, "result": list(self.result)}

    def _table(self) -> Table:
        return _table((self,))


@dataclass(frozen=True, repr=False)
class MeasuredLayers(Shown, Sequence[Measured]):
    """One `Measured` for each layer of a net."""

    rows: tuple[Measured, ...]

    @overload
    def __getitem__(self, index: int) -> Measured: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Measured, ...]: ...
    def __getitem__(self, index: int | slice) -> Measured | tuple[Measured, ...]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def first_break(self, above: float = 0.0) -> Measured | None:
        """The first layer whose largest error is above `above`."""
        return next((r for r in self.rows if r.largest_error > above), None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries."""
        return {"layers": [r.to_dict() for r in self.rows]}

    def _table(self) -> Table:
        return _table(self.rows)


def _table(rows: Sequence[Measured]) -> Table:
    first = rows[0]
    cells = [(r.name, str(r.result[1:]), _short(r.mean_error), _short(r.largest_error),
              f"{r.bit_equal:.1%}" if r.compared else "-",
              "-" if r.consistency is None else f"{r.consistency:.1%}",
              "-" if r.worst is None else f"{r.worst[0]}, sample {r.worst[1]}") for r in rows]
    return Table(f"{first.elements} {first.group}, {first.samples} samples",
                 ("layer", "result", "mean error", "largest", "bit-equal", "consistency", "worst"),
                 cells, left=2)


def _short(error: float) -> str:
    return "0" if error == 0 else f"{error:.2g}"
