"""The law of flips on one axis: does turning the input and the weights turn the output?

A flip about `centre` sends element i to centre - i.  A sweep turns a flip about c into

    stride * c' = c + 2 * low - dilation * (kernel - 1)

and keeps it if c' is whole and its borders lie as far from the centre on both sides: c = size - 1
gives c' = out - 1.  That says

    (size + low + high - dilation * (kernel - 1) - 1) % stride == 0, and low == high,

for the padding that is read: what the last window does not reach is not there.  Where borders wrap
around, a centre elsewhere is as good, since positions count modulo the axis.  Alsallakh et al.,
"Mind the Pad", ICLR 2021, is about what uneven padding does to a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from .axis import Step, essential


def flips(steps: Sequence[Step], size: int) -> bool:
    """Whether a flip of the input flips the output, if the weights are turned too."""
    centre: int | None = size - 1
    out = size
    for step in essential(steps):
        centre = None if centre is None else _turned(step, centre)
        out = step.out
    return centre is not None and centre % out == (out - 1) % out


def even(step: Step) -> bool:
    """Whether it keeps a flip about the middle of its axis."""
    return _turned(step, step.size - 1) == step.out - 1


def _turned(step: Step, centre: int) -> int | None:
    """Where the centre of the flip of the output lies; None: it is no flip."""
    _, stride, _, low = step.window
    middle = centre == step.size - 1
    if step.kind == "element":
        return centre
    if step.kind in ("aps", "unknown"):
        return None
    if step.sees_all:
        return step.out - 1
    if step.kind == "spread":
        to = centre * stride + step.reach - 2 * low
        if middle and to == step.out - 1:
            return to
        return to % step.out if step.wraps and step.turns_whole else None
    if middle and (step.out - 1) * stride + step.reach == step.size - 1 + 2 * low:
        return step.out - 1
    to, common = centre + 2 * low - step.reach, gcd(stride, step.size)
    if not (step.wraps and step.turns_whole) or to % common:
        return None
    return to // common * pow(stride // common, -1, step.size // common) % step.out
