"""How many samples a learning curve needs to reach an accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .curve import LearningCurve


def images_needed(sizes: Sequence[int], accuracy: Sequence[float], level: float) -> float | None:
    """Training images at which a learning curve first reaches `level`.

    Interpolated on the logarithm of the size; the least size if that is enough already, None if
    the level is not reached.

    Examples
    --------
    >>> round(images_needed([100, 400], [0.6, 0.8], 0.7))
    200
    >>> images_needed([100, 400], [0.6, 0.8], 0.9) is None
    True
    """
    if accuracy[0] >= level:
        return float(sizes[0])
    for n, m, a, b in zip(sizes, sizes[1:], accuracy, accuracy[1:], strict=False):
        if a < level <= b:
            return float(n * (m / n) ** ((level - a) / (b - a)))
    return None


class Needed(NamedTuple):
    """Samples that a family needs for an accuracy.

    Attributes
    ----------
    n : where the mean over the seeds reaches it; None where it does not.
    spread : the factor exp(s.d. of log n) over the seeds, 1 for one seed; None unless every seed
        reaches the accuracy.
    seeds : n of each seed's own curve.
    """

    n: float | None
    spread: float | None
    seeds: tuple[float | None, ...]


def samples_to_reach(curve: LearningCurve, accuracy: float) -> dict[str, Needed]:
    """Samples at which each family first reaches an accuracy, interpolated in log n.

    A family that is there with the least size needs that many or fewer.

    Parameters
    ----------
    curve : result of `learning_curve`.
    accuracy : from 0 to 1.

    Examples
    --------
    >>> curve = LearningCurve(("dense", "conv"), (100, 400), (0,), [[[0.6], [0.8]], [[0.9], [1.0]]])
    >>> need = samples_to_reach(curve, 0.7)
    >>> round(need["dense"].n), round(need["conv"].n)
    (200, 100)
    >>> samples_to_reach(curve, 0.95)["dense"].n is None
    True
    """
    if not 0 <= accuracy <= 1:
        raise ValueError(f"samples_to_reach: accuracy must be from 0 to 1, got {accuracy}")
    return {family: _needed(curve, i, accuracy) for i, family in enumerate(curve.families)}


def _needed(curve: LearningCurve, i: int, level: float) -> Needed:
    each = tuple(images_needed(curve.sizes, seed.tolist(), level) for seed in curve.accuracy[i].T)
    logs = [math.log(n) for n in each if n is not None]
    every = len(logs) == len(each)
    factor = math.exp(float(np.std(logs, ddof=1))) if len(each) > 1 and every else 1.0
    return Needed(images_needed(curve.sizes, curve.mean[i].tolist(), level),
                  factor if every else None, each)
