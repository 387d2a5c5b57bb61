"""One layer on one spatial axis, in integers: what it reads, and where it ends.

A `Step` is all that the laws of shifts and flips need to know of a layer on one axis:

    sweep, mean, max   out[p] from in[p*stride + t*dilation - low], t < kernel; filter p mod period
    spread             out[i*stride + t*dilation - low] from in[i]      (a transposed convolution)
    aps                one polyphase component, chosen by the data
    element            out[p] from in[p]
    unknown            anything

A local layer has as many filters as outputs, so its period is its output; a dense layer is a
sweep with one output whose window is the whole axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from sweepconv.counts import Window

Kind: TypeAlias = Literal["sweep", "mean", "max", "spread", "aps", "element", "unknown"]

ELEMENT = Window()


@dataclass(frozen=True)
class Step:
    """A layer on one axis of `size` elements, which gives `out`.

    Attributes
    ----------
    window : kernel, stride, dilation and low padding.
    period : filters take turns with this period; 1 is one filter for all.
    mode : what stands outside of the axis.
    blank : whether zeros give zeros: no bias.
    strict : whether the border differs from zeros: -inf, or a mean over fewer elements.
    ordered : whether a sum's order, and so its bits, does not depend on its place.
    """

    kind: Kind
    size: int
    out: int
    window: Window = ELEMENT
    period: int = 1
    mode: str = "zeros"
    blank: bool = True
    strict: bool = False
    ordered: bool = True

    @property
    def reach(self) -> int:
        """Elements from the first tap of a window to its last."""
        return (self.window.kernel - 1) * self.window.dilation

    @property
    def ends(self) -> tuple[int, int]:
        """First and last coordinate that any window reads, or of a spread: writes."""
        moves = self.size if self.kind == "spread" else self.out
        low = self.window.low
        return -low, (moves - 1) * self.window.stride + self.reach - low

    @property
    def inside(self) -> bool:
        """Whether no window reaches over the border, so that no padding mode matters."""
        first, last = self.ends
        return first >= 0 and last < (self.out if self.kind == "spread" else self.size)

    @property
    def wraps(self) -> bool:
        """Whether beyond each end stands the other end."""
        n = self.out if self.kind == "spread" else self.size
        return (self.mode == "circular" or (self.mode == "reflect" and n <= 2)
                or (self.mode != "zeros" and n == 1))

    @property
    def turns_whole(self) -> bool:
        """Whether all windows together go round the axis a whole number of times."""
        if self.kind == "spread":
            return self.size * self.window.stride % self.out == 0
        return self.out * self.window.stride % self.size == 0 and self.out % self.period == 0

    @property
    def closed(self) -> bool:
        """Whether it commutes with circular shifts, of at least some lattice, at every output."""
        if self.kind == "element":
            return True
        return self.kind != "unknown" and (self.inside or self.wraps) and self.turns_whole

    @property
    def sees_all(self) -> bool:
        """Whether every output is the maximum, or the mean, of the whole axis."""
        first, last = -self.window.low, self.ends[1] - self.reach  # where windows start
        return (self.kind in ("max", "mean") and first + self.reach >= self.size - 1
                and last <= 0)

    @property
    def copies(self) -> bool:
        """Whether the outputs are one for each element, and constants or copies beside them."""
        if self.kind not in ("sweep", "spread") or self.window.kernel > 1 or self.period > 1:
            return False
        first, last = self.ends
        if self.kind == "spread":
            return first >= 0 and last < self.out and self.ordered
        return (self.window.stride == 1 and first <= 0 and last >= self.size - 1
                and self.ordered)

    @property
    def leaves_nothing_out(self) -> bool:
        """Whether the maximum, or the mean, of the outputs is that of all elements."""
        kernel, stride, _, low = self.window
        if self.kind == "max":
            return stride <= kernel and self.ends[1] >= self.size - 1
        return (self.kind == "mean" and kernel == stride and low == 0
                and self.out * stride == self.size)


def essential(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The same map with fewer steps.

    A maximum over the whole axis does not care for smaller maxima before it, if these leave
    nothing out, nor for the order of elements, nor for constants that padding adds; a mean not
    for means.  A ReLU between them keeps the order.
    """
    kept: list[Step] = []
    for step in steps:
        if step.sees_all:
            i = _forgotten(kept, step)
            if i < len(kept):
                size = kept[i].size
                del kept[i:]
                step = replace(step, size=size, window=Window(size), out=1)
        kept.append(step)
    return tuple(kept)


def _forgotten(before: Sequence[Step], whole: Step) -> int:
    """The first of the steps that `whole`, a maximum or mean of the whole axis, makes needless."""
    i, windows = len(before), True
    while i:
        step = before[i - 1]
        if step.kind == whole.kind:
            needless = windows and step.leaves_nothing_out
        else:
            needless = whole.kind == "max" and (step.kind == "element" or step.copies)
        if not needless:
            break
        windows = windows and not step.copies  # before it, channels are mixed: max no more of max
        i -= 1
    return i
