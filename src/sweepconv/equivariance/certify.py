"""`certify`: which shifts, flips and turns a network commutes with, by integer arithmetic alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import Any

from sweepconv.geometry import Ints, as_shape, per_axis
from sweepconv.layers import Layer
from sweepconv.sharing.table import Shown, Table

from .axis import Step, essential
from .flips import flips
from .shifts import Lattice, Support, circular, interior, linear, support
from .steps import LAWS, Law, Stage, stages, why

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Break:
    """A layer that breaks a law on one axis, and why."""

    layer: int
    name: str
    axis: int
    law: Law
    reason: str

    def __str__(self) -> str:
        return f"{self.name} breaks {self.law} on axis {self.axis}: {self.reason}"

    @property
    def without_axis(self) -> tuple[str, str, str]:
        return self.name, self.law, self.reason


@dataclass(frozen=True)
class AxisLaws:
    """The laws of a net on one axis of `size` elements.

    Attributes
    ----------
    size, out : elements of the axis, of the input and of the result; out is 1 where it is gone.
    circular : shifts by np.roll that commute at every element.
    linear : shifts that commute at elements whose receptive field misses the border, before and
        after, whatever the border is.
    support : where an image that is zero elsewhere may be shifted exactly, or None.
    flips : whether flips commute if all weights are turned too, up to rounding.
    """

    size: int
    out: int
    circular: Lattice
    linear: Lattice
    support: Support | None
    flips: bool
    steps: tuple[Step, ...]

    def commutes(self, shift: int) -> bool:
        """Whether np.roll by `shift` commutes at every element."""
        return shift % gcd(self.circular.period, self.size) == 0

    def moved(self, shift: int) -> int | None:
        """How far the result moves; None if it is not moved as a whole.

        On the circular lattice, where shifts count modulo the axis, else on the other one.
        """
        for at in (self.circular, self.linear):
            n, rest = divmod(shift, at.period)
            if rest == 0:
                return n * at.moves
        if not self.commutes(shift):
            return None
        common = gcd(self.circular.period, self.size)
        n = shift // common * pow(self.circular.period // common, -1, self.size // common)
        return n * self.circular.moves


def axis_laws(size: int, steps: tuple[Step, ...]) -> AxisLaws:
    return AxisLaws(size, steps[-1].out if steps else size, circular(steps), linear(steps),
                    support(steps, size), flips(steps, size), steps)


@dataclass(frozen=True, repr=False)
class Certificate(Shown):
    """What commutes, for whatever weights, and which layers keep the rest from it.

    Attributes
    ----------
    x_shape, y_shape : of one image and its result, without the batch.
    axes : the laws on each spatial axis of the input.
    turns : whether quarter turns of the last two axes commute if all weights are turned too, up to
        rounding; never for an image that is not square.
    breaks : every layer that breaks a law, in order.
    rows : (name, result, laws) after each layer.
    """

    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    axes: tuple[AxisLaws, ...]
    turns: bool
    breaks: tuple[Break, ...]
    rows: tuple[tuple[str, tuple[int, ...], tuple[AxisLaws, ...]], ...]

    @property
    def flips(self) -> tuple[bool, ...]:
        """For each axis, whether flips commute if all weights are turned too."""
        return tuple(a.flips for a in self.axes)

    @property
    def stride(self) -> tuple[Fraction, ...]:
        """Input elements from one output to the next, for each axis."""
        return tuple(Fraction(a.linear.period, a.linear.moves or 1) for a in self.axes)

    @property
    def known(self) -> bool:
        """Whether all layers are ones that this library knows."""
        return all(step.kind != "unknown" for a in self.axes for step in a.steps)

    @property
    def bitwise(self) -> bool:
        """Whether shifts that commute give equal bits, and not only equal numbers."""
        return all(a.circular.bitwise and a.linear.bitwise for a in self.axes)

    def first_break(self, law: Law = "circular shifts") -> Break | None:
        """The first layer that breaks `law`, if one does."""
        return next((b for b in self.breaks if b.law == law), None)

    def commutes(self, shift: Ints) -> bool:
        """Whether np.roll of the input by `shift` rolls the result, at every element."""
        return all(a.commutes(d) for a, d in zip(self.axes, self._shifts(shift), strict=True))

    def moved(self, shift: Ints) -> tuple[int, ...] | None:
        """How far `shift` of the input moves the result on each axis; None if off the lattice."""
        found = [a.moved(d) for a, d in zip(self.axes, self._shifts(shift), strict=True)]
        moves = tuple(d for d in found if d is not None)
        return moves if len(moves) == len(found) else None

    def margin(self, shift: Ints, border: str = "circular") -> Pairs:
        """Outputs (low, high) at the ends of each axis that are not promised under `shift`.

        Parameters
        ----------
        shift : int or one per spatial axis.
        border : "circular" for np.roll, where an axis on whose lattice the shift lies has no
            margin, or "zeros" where zeros enter.
        """
        pairs = []
        for a, d in zip(self.axes, self._shifts(shift), strict=True):
            first, stop = (0, a.out) if border == "circular" and a.commutes(d) else interior(
                a.steps, a.size, d)
            pairs.append((first, a.out - stop))
        return tuple(pairs)

    def _shifts(self, shift: Ints) -> tuple[int, ...]:
        return per_axis("certify", "shift", shift, len(self.axes), -2**62)

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries."""
        def laws(a: AxisLaws) -> dict[str, Any]:
            return {"size": a.size, "out": a.out, "circular": vars(a.circular),
                    "linear": vars(a.linear), "flips": a.flips,
                    "support": list(a.support) if a.support else None}

        return {"x_shape": list(self.x_shape), "y_shape": list(self.y_shape),
                "turns": self.turns, "bitwise": self.bitwise,
                "axes": [laws(a) for a in self.axes], "breaks": [vars(b) for b in self.breaks],
                "layers": [{"name": name, "result": list(result), "axes": [laws(a) for a in axes]}
                           for name, result, axes in self.rows]}

    def _table(self) -> Table:
        rows = [(name, str(result), _each(axes, _circular), _each(axes, _linear),
                 _each(axes, _margin), _each(axes, _support),
                 _each(axes, lambda a: "even" if a.flips else "uneven"))
                for name, result, axes in self.rows]
        told = _told(self.breaks)
        bits = "equal bits" if self.bitwise else "equal up to rounding"
        turns = "yes, with turned weights" if self.turns else "no"
        return Table(f"x {self.x_shape}, y {self.y_shape}; shifts: {bits}; quarter turns: {turns}",
                     ("layer", "result", "circular", "any border", "margin", "support", "flips"),
                     rows, notes=told, left=2)


def _told(breaks: Sequence[Break]) -> list[str]:
    """One sentence for all axes on which a layer breaks a law for one reason."""
    axes: dict[tuple[str, str, str], list[int]] = {}
    for b in breaks:
        axes.setdefault(b.without_axis, []).append(b.axis)
    return [f"{name} breaks {law} on {'axis' if len(on) == 1 else 'axes'} "
            f"{', '.join(map(str, on))}: {reason}" for (name, law, reason), on in axes.items()]


def _each(axes: Sequence[AxisLaws], cell: Any) -> str:
    """One cell for all axes if they agree, else one for each."""
    cells = [cell(a) for a in axes]
    return (cells[0] if len(set(cells)) == 1 else ", ".join(cells)) if cells else "-"


def _circular(a: AxisLaws) -> str:
    return "only 0" if a.circular.loose % a.size == 0 and a.size > 1 else _lattice(a.circular)


def _lattice(at: Lattice) -> str:
    loose = f", {at.loose} -> any" if at.loose < at.period else ""
    return f"{at.period} -> {at.moves}{loose}"


def _linear(a: AxisLaws) -> str:
    return "none" if _margin(a) == "-" else _lattice(a.linear)


def _margin(a: AxisLaws) -> str:
    """Of one period to either side."""
    ends = [interior(a.steps, a.size, d) for d in (a.linear.period, -a.linear.period)]
    if any(first >= stop for first, stop in ends):
        return "-"
    return f"{max(f for f, _ in ends)}+{a.out - min(s for _, s in ends)}"


def _support(a: AxisLaws) -> str:
    if a.support is None or a.support.period > a.support.last - a.support.first:
        return "-"
    return f"{a.support.first}..{a.support.last}"


def certify(layers: Layer | Iterable[Layer], x_shape: Sequence[int]) -> Certificate:
    """Which shifts, flips and quarter turns of the input commute with a network, and where.

    From shapes and keywords alone, in integers: no image is needed, no weight is looked at.

    Parameters
    ----------
    layers : a layer, a `Sequential`, or several in a row.
    x_shape : (C, *spatial) of one image, without the batch.

    Returns
    -------
    Certificate
        `str(...)` is a table.  On each axis: "2 -> 1" is the lattice of shifts by multiples of 2,
        which move the result by as many times 1; "circular" at every element under np.roll,
        "any border" but for a margin of so many outputs at the low and the high end (for one
        period either way); "support" names the elements where an image that is zero elsewhere may
        be shifted exactly, borders and all.  "1 -> any": each shift gives a shift of the result,
        by how much depends on the image.  "even": flips commute if all weights are turned too.

    Notes
    -----
    What is promised holds for all weights, bit for bit where it says so, but for the sign of a
    zero that is the maximum of zeros of both signs.  What is not promised fails for almost all
    weights, unless other layers make up for it: each is judged by itself, so that an upsampling
    that a stride undoes, or a maximum of a whole axis that does not care for a break before it,
    may keep more than is promised.

    Examples
    --------
    >>> from sweepconv.layers import Conv, Dense, GlobalMaxPool, ReLU, Sequential
    >>> ring = {"padding": 1, "padding_mode": "circular"}
    >>> net = Sequential(Conv(1, 4, 3, **ring), ReLU(), Conv(4, 8, 3, stride=2, **ring),
    ...                  GlobalMaxPool(), Dense(8, 10))
    >>> print(certify(net, (1, 12, 12)))
    x (1, 12, 12), y (10,); shifts: equal bits; quarter turns: no
    layer            result       circular  any border  margin  support   flips
    ---------------------------------------------------------------------------
    0 Conv           (4, 12, 12)    1 -> 1      1 -> 1     2+2        -    even
    1 ReLU           (4, 12, 12)    1 -> 1      1 -> 1     2+2        -    even
    2 Conv           (8, 6, 6)      2 -> 1      2 -> 1     2+2        -  uneven
    3 GlobalMaxPool  (8,)           2 -> 0        none       -        -  uneven
    4 Dense          (10,)          2 -> 0        none       -        -  uneven
    2 Conv breaks flips on axes 0, 1: uneven at stride 2: windows reach 1 before the axis, 0 beyond
    """
    shape = as_shape("certify", "x_shape", x_shape)
    if not shape or min(shape) < 1:
        raise ValueError("certify: x_shape must be (C, *spatial) of one image, each at least 1, "
                         f"got {shape}")
    found = list(stages(layers, shape))
    columns = [tuple(stage.steps[axis] for stage in found) for axis in range(len(shape) - 1)]
    rows = tuple((stage.name, stage.y_shape, tuple(
        axis_laws(n, steps[:i + 1]) for n, steps in zip(shape[1:], columns, strict=True)))
        for i, stage in enumerate(found))
    axes = tuple(axis_laws(n, steps) for n, steps in zip(shape[1:], columns, strict=True))
    turns = len(axes) > 1 and columns[-1] == columns[-2] and axes[-1].flips
    return Certificate(shape, found[-1].y_shape if found else shape, axes, turns,
                       _breaks(found, axes), rows)


def _breaks(found: Sequence[Stage], axes: Sequence[AxisLaws]) -> tuple[Break, ...]:
    breaks = []
    for axis, laws in enumerate(axes):
        kept = {id(step) for step in essential(laws.steps)}
        for i, stage in enumerate(found):
            step = laws.steps[i]
            for law in LAWS:
                if law == "flips" and laws.flips:
                    continue
                # A step that a maximum of all makes good breaks nothing.
                if (reason := why(step, stage, law)) and id(step) in kept:
                    breaks.append(Break(i, stage.name, axis, law, reason))
    return tuple(sorted(breaks, key=lambda b: (b.layer, LAWS.index(b.law), b.axis)))
