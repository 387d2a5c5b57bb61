"""How well a score separates what has the pattern (label 1) from what has not (label 0)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"


class Roc(NamedTuple):
    """Receiver operating characteristic, from (0, 0) to (1, 1).

    Attributes
    ----------
    false, true : share of label 0 and of label 1 with a score of the threshold or more.
    thresholds : the scores, descending; the first is infinity.
    area : under the curve: the chance that a random label 1 scores higher than a random label 0,
        ties counted half.
    """

    false: Array
    true: Array
    thresholds: Array
    area: float

    @property
    def best(self) -> tuple[float, float]:
        """Threshold with the highest balanced accuracy (true + 1 - false) / 2, and that accuracy;
        between two scores halfway, so that it suits other images as well."""
        accuracy = (self.true + 1 - self.false) / 2
        i = int(accuracy.argmax())
        below = min(i + 1, len(accuracy) - 1)
        between = (self.thresholds[i] + self.thresholds[below]) / 2
        return float(between), float(accuracy[i])


def _split(verb: str, scores: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Array, Array]:
    """Scores of label 0, and of label 1, in float64."""
    s, y = np.asarray(scores, np.float64), np.asarray(labels)
    if s.ndim != 1 or s.shape != y.shape:
        raise ValueError(f"{verb}: scores and labels must be one of each per image, got "
                         f"scores.shape = {s.shape}, labels.shape = {y.shape}")
    if not np.isin(y, (0, 1)).all() or len(np.unique(y)) < 2:
        raise ValueError(f"{verb}: labels must be 0 and 1, both of them, got {np.unique(y)[:5]}")
    if np.isnan(s).any():
        raise ValueError(f"{verb}: scores must not be NaN")
    return s[y == 0], s[y == 1]


def roc(scores: npt.ArrayLike, labels: npt.ArrayLike) -> Roc:
    """False and true positives at every threshold, and the area under the curve.

    Parameters
    ----------
    scores : (N,), higher for label 1.
    labels : (N,) of 0 and 1.

    Examples
    --------
    >>> found = roc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> found.area, found.true.tolist()
    (0.75, [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    without, having = _split("roc", scores, labels)
    thresholds = np.unique(np.concatenate([without, having]))[::-1]
    false, true = (np.concatenate([[0.0], _at_least(s, thresholds)]) for s in (without, having))
    area = float((np.diff(false) * (true[1:] + true[:-1])).sum() / 2)
    return Roc(false, true, np.concatenate([[np.inf], thresholds]), area)


def _at_least(scores: Array, thresholds: Array) -> Array:
    """Share of the scores that are as high as each threshold."""
    below = np.searchsorted(np.sort(scores), thresholds, side="left")
    share: Array = 1 - below / len(scores)
    return share


def d_prime(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Distance of the two means in standard deviations: of a matched filter w in white noise of
    deviation sigma, ||w|| / sigma.  Infinite where neither has any spread.

    Examples
    --------
    >>> d_prime([0.0, 2.0, 3.0, 5.0], [0, 0, 1, 1])
    3.0
    """
    without, having = _split("d_prime", scores, labels)
    apart = float(having.mean() - without.mean())
    spread = math.sqrt((without.var() + having.var()) / 2)
    if spread:
        return apart / spread
    return math.copysign(math.inf, apart) if apart else 0.0
