"""Shifts, equivariance error, and the accuracy that curves are compared at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"


def _ends(by: int) -> tuple[slice, slice]:
    """What is left of an axis moved by `by`: where it goes, where it comes from."""
    if by >= 0:
        return slice(by, None), slice(None, -by or None)
    return slice(None, by), slice(-by, None)


def shift(x: Array, by: Sequence[int]) -> Array:
    """x (N, C, *spatial) moved by whole pixels, one amount per spatial axis; the gap is 0."""
    to, source = zip(*map(_ends, by), strict=True)
    moved = np.zeros_like(x)
    moved[(..., *to)] = x[(..., *source)]
    return moved


def directions(rank: int, by: int) -> list[tuple[int, ...]]:
    """Moves by `by` pixels along each axis, forwards and backwards; no move for 0."""
    if by == 0:
        return [(0,) * rank]
    return [tuple(sign * by * (a == axis) for a in range(rank))
            for axis in range(rank) for sign in (1, -1)]


def equivariance_error(before: Array, after: Array, steps: int, axis: int) -> tuple[float, float]:
    """How far a map is from moving with its input.

    Parameters
    ----------
    before, after : maps (N, maps, *out) of the images, and of the images moved forwards along
        spatial axis `axis` by `steps` strides.
    steps : 1 or more, less than the map's length.

    Returns
    -------
    error : ||after - shifted before|| / ||shifted before|| over the interior, that is where the
        receptive field sees no pixel that came in from outside.
        0 for a map that moves exactly, about sqrt(2) for unrelated maps of equal norm.
        (Of a map that is 0 everywhere: ||after||.)
    same : share of the values that are equal bit for bit.
    """
    inner = np.take(after, range(steps, after.shape[2 + axis]), axis=2 + axis)
    moved = np.take(before, range(before.shape[2 + axis] - steps), axis=2 + axis)
    inner64, moved64 = inner.astype(np.float64), moved.astype(np.float64)
    size = float(np.linalg.norm(moved64))
    error = float(np.linalg.norm(inner64 - moved64)) / (size or 1.0)
    return error, float(np.mean(inner == moved))


def common_level(curves: Sequence[Sequence[float]], chance: float) -> float | None:
    """The highest accuracy, in steps of 5 %, that at least two curves reach; None if that is
    not clearly above chance."""
    second = sorted(max(curve) for curve in curves)[-2]
    level = math.floor(second * 20 + 1e-9) / 20
    return level if level >= chance + 0.05 else None
