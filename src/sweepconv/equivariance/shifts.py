"""The laws of shifts on one axis: which shifts of the input are shifts of the output, and where.

Two laws, each a lattice of input shifts n * period that move the output by n * moves:

- circular: np.roll of the input rolls the output, at every element.  A layer keeps it if windows
  that reach over the border find the other end there, and together go round a whole number of
  times.  Where one does not, only what leaves its input unchanged leaves its output unchanged.
- any border: outputs whose windows, and the windows of what they read, stay inside of the image
  before and after the shift.  What enters at the border, or leaves, plays no part.

And one for images that are zero near the border, through layers that map zeros to zeros: if the
support and all that is computed from it stay inside, no output is lost, so that a shift of the
support shifts the whole result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import NamedTuple

from .axis import Step, essential


@dataclass(frozen=True)
class Lattice:
    """Shifts by n * period move the result by n * moves, for every integer n.

    Attributes
    ----------
    period, moves : in elements of the input and of the result.
    loose : shifts by n * loose move the result by some amount that depends on the data (`aps`).
    bitwise : whether the bits are equal too.
    """

    period: int = 1
    moves: int = 1
    loose: int = 1
    bitwise: bool = True


class Support(NamedTuple):
    """An image that is zero but on elements first .. last may be shifted there by n * period, which
    moves the result by n * moves."""

    first: int
    last: int
    period: int
    moves: int


def circular(steps: Sequence[Step]) -> Lattice:
    """The lattice on which circular shifts commute at every element."""
    at = Lattice()
    for step in essential(steps):
        at = _round(at, step)
    return at


def _round(at: Lattice, step: Step) -> Lattice:
    """The lattice after one more step."""
    bits = at.bitwise and step.ordered
    if step.kind == "element":
        return at
    if step.sees_all:
        return Lattice(at.loose, 0, at.loose, bits and step.kind == "max")
    if not step.closed:
        n = step.size // gcd(step.size, at.moves)  # so many periods are a whole turn
        return Lattice(n * at.period, 0, n * at.period, bits)
    if step.kind == "spread":
        return Lattice(at.period, at.moves * step.window.stride, at.loose, bits)
    # The step's own lattice: shifts by `own` of its input move its output by its period.
    own = step.window.stride * step.period
    common = gcd(own, step.size)
    n = common // gcd(common, at.moves)
    moves = n * at.moves // common
    if own != common:  # the stride does not divide the axis, yet the windows go round
        moves *= pow(own // common, -1, step.size // common)
    loose = at.loose if common == 1 or step.kind == "aps" else n * at.period
    return Lattice(n * at.period, moves * step.period, loose, bits)


def linear(steps: Sequence[Step]) -> Lattice:
    """The lattice on which shifts commute away from the border, whatever the border is."""
    period, moves, bits = 1, 1, True
    for step in steps:
        bits = bits and step.ordered
        if step.kind == "spread":
            moves *= step.window.stride
        elif step.kind != "element":
            own = step.window.stride * step.period
            n = own // gcd(own, moves)
            period, moves = n * period, n * moves // own * step.period
    return Lattice(period, moves, period, bits)


def interior(steps: Sequence[Step], size: int, shift: int) -> tuple[int, int]:
    """Outputs first .. stop-1 of the shifted image that equal those of the image, moved.

    Followed through the steps: where the map of the shifted image is the moved map of the image.
    """
    out = steps[-1].out if steps else size
    if shift == 0:
        return 0, out
    if shift % linear(steps).period:
        return 0, 0
    first, stop, moved = max(shift, 0), size + min(shift, 0), shift
    for i, step in enumerate(steps):
        if step.kind in ("aps", "unknown"):
            return 0, 0
        if step.kind == "element":
            continue
        lattice = linear(steps[:i + 1])
        moved = shift // lattice.period * lattice.moves
        first, stop = _reads_within(step, first, stop)
        edge = _folded(step)
        first = max(first, edge, edge + moved)
        stop = min(stop, step.out - edge, step.out - edge + moved)
        if first >= stop:
            return 0, 0
    return first, stop


def _reads_within(step: Step, first: int, stop: int) -> tuple[int, int]:
    """Outputs that read nothing but elements first .. stop-1."""
    _, stride, _, low = step.window
    if step.kind == "spread":  # element i reaches the outputs from i*stride - low on
        return (first - 1) * stride + 1 + step.reach - low, stop * stride - low
    return -((-first - low) // stride), (stop - 1 + low - step.reach) // stride + 1


def _folded(step: Step) -> int:
    """Outputs at each end onto which a spread folds what falls outside; 0 for other steps."""
    if step.kind != "spread" or step.mode == "zeros":
        return 0
    first, last = step.ends
    over = max(-first, last - step.out + 1)
    return over + 1 if over > 0 else 0


def support(steps: Sequence[Step], size: int) -> Support | None:
    """Where an image may differ from zero, so that its shifts there are exact everywhere.

    Backwards through the steps: which elements of a map touch no output that is missing.
    """
    kept, whole = [], False
    for step in essential(steps):
        if step.sees_all and step.kind == "max":
            whole = True
            break  # the maximum of a whole map does not ask where it was
        if step.kind in ("aps", "unknown") or not step.blank or (
                step.mode != "zeros" and not step.inside):
            return None
        kept.append(step)
    first, last = 0, kept[-1].out - 1 if kept else size - 1
    for step in reversed(kept):
        first, last = _touch_within(step, first, last)
    at = linear(kept)
    return Support(first, last, at.period, 0 if whole else at.moves) if first <= last else None


def _touch_within(step: Step, first: int, last: int) -> tuple[int, int]:
    """Elements that touch nothing but outputs first .. last, there or not."""
    _, stride, _, low = step.window
    if step.kind == "element":
        return first, last
    if step.kind == "spread":
        return (max(-((-first - low) // stride), 0),
                min((last + low - step.reach) // stride, step.size - 1))
    if step.strict:  # no window over the border
        first = max(first, -(-low // stride))
        last = min(last, (step.size - 1 - step.reach + low) // stride)
    return (max((first - 1) * stride + 1 + step.reach - low, 0),
            min(last * stride + stride - 1 - low, step.size - 1))
