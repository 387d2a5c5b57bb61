"""What is compared, and how differences add up over the elements of a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nan
from typing import TypeAlias, cast

import numpy as np

from sweepconv._arrays import Array
from sweepconv.geometry import Ints, per_axis

from .act import Element, Shift, Stride
from .certify import Pairs
from .results import Measured

Margin: TypeAlias = "Ints | Sequence[tuple[int, int]] | Callable[[tuple[int, ...]], Pairs]"


class Region:
    """Which values of a result are compared."""

    def __init__(self, region: str, margin: Margin) -> None:
        if region not in ("full", "interior"):
            raise ValueError(f"measure: region must be 'full' or 'interior', got {region!r}")
        self.interior, self.margin = region == "interior", margin

    def __call__(self, g: Element, shape: tuple[int, ...]) -> tuple[slice, ...]:
        rank = len(shape) - 2
        if not self.interior or rank == 0:
            return (slice(None),) * len(shape)
        pairs = self._pairs(g, rank)
        if any(low < 0 or high < 0 for low, high in pairs):
            raise ValueError(f"measure: margin must not be negative, got {pairs}")
        cut = (slice(low, max(n - high, low))
               for (low, high), n in zip(pairs, shape[2:], strict=True))
        return (slice(None), slice(None), *cut)

    def _pairs(self, g: Element, rank: int) -> Sequence[tuple[int, int]]:
        margin = self.margin
        if callable(margin):
            if not isinstance(g, Shift):
                raise TypeError("measure: margin can be a function for group='shifts' alone")
            return margin(g.amounts)
        if isinstance(margin, Sequence) and margin and isinstance(margin[0], Sequence):
            pairs = [cast("tuple[int, int]", tuple(pair)) for pair in cast("Pairs", margin)]
            if len(pairs) != rank or any(len(pair) != 2 for pair in pairs):
                raise ValueError(f"measure: margin must be an int, {rank} ints or {rank} (low, "
                                 f"high) pairs, got {margin!r}")
            return pairs
        return [(m, m) for m in per_axis("measure", "margin", margin, rank, 0)]


class Tally:
    """What is added up over the elements of a group."""

    def __init__(self, name: str, group: str, y: Array, stride: Stride) -> None:
        self.name, self.group, self.y, self.stride = name, group, y, stride
        self.errors: list[Array] = []  # (N,) for each element
        self.elements: list[Element] = []
        self.equal = self.values = 0
        self.difference = 0.0
        self.votes = [y.argmax(axis=1)] if y.ndim == 2 and y.shape[1] else []

    def add(self, g: Element, moved: Array, region: Region) -> None:
        """`moved` is f(g x)."""
        if moved.shape != self.y.shape:
            raise ValueError(f"measure: f must give one shape, got {self.y.shape} for x and "
                             f"{moved.shape} for {g} of x")
        if self.votes:
            self.votes.append(moved.argmax(axis=1))
        box = region(g, self.y.shape)
        expected, found = g.of_result(self.y, self.stride)[box], moved[box]
        self.equal += _bit_equal(expected, found)
        self.values += expected.size
        self.elements.append(g)
        shape = (len(expected), -1) if expected.size else (len(expected), 0)
        a, b = (v.reshape(shape).astype(np.float64) for v in (expected, found))
        with np.errstate(invalid="ignore"):  # of Inf - Inf
            apart = np.where(a == b, 0.0, a - b)
        self.difference = max(self.difference, float(np.abs(apart).max(initial=0.0)))
        over, under = np.linalg.norm(apart, axis=1), np.linalg.norm(a, axis=1)
        self.errors.append(np.array([0.0 if o == 0 else o / u if u else inf
                                     for o, u in zip(over, under, strict=True)]))

    def result(self) -> Measured:
        errors = np.array(self.errors).reshape(len(self.errors), len(self.y))  # (elements, N)
        worst = None
        if errors.size and errors.max() > 0:
            at, sample = np.unravel_index(int(errors.argmax()), errors.shape)
            worst = self.elements[at], int(sample)
        return Measured(
            self.name, self.group, float(errors.mean()) if errors.size else 0.0,
            float(errors.max(initial=0.0)), self.difference,
            self.equal / self.values if self.values else nan, self.values, self._consistency(),
            worst, len(self.errors), len(self.y), self.y.shape)

    def _consistency(self) -> float | None:
        """Of each sample: sum over classes of (share of the group's elements that vote for it)^2.
        """
        if not self.votes or not len(self.y):
            return None
        votes = np.array(self.votes)  # (elements + 1, N)
        shares = (np.unique(column, return_counts=True)[1] / len(votes) for column in votes.T)
        return float(np.mean([np.square(share).sum() for share in shares]))


def _bit_equal(a: Array, b: Array) -> int:
    """How many values have the same bits."""
    if a.dtype != b.dtype:
        raise TypeError(f"measure: f must give one dtype, got {a.dtype} and {b.dtype}")
    if not a.size:
        return 0
    each = (np.ascontiguousarray(v).reshape(-1).view(np.uint8) for v in (a, b))
    first, second = each
    return int((first == second).reshape(a.size, -1).all(axis=1).sum())
