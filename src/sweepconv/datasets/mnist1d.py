"""MNIST-1D: ten shapes of 12 points, stretched, scaled, moved, in noise, sheared, to 40 values.

S. Greydanus and D. Kobak, "Scaling Down Deep Learning with MNIST-1D", ICML 2024.  All draws come
from one stream of the legacy `RandomState`, whose values NumPy has promised to keep, in the
authors' order: seed 42 gives their frozen set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._made import float_type, whole
from .files import Labelled

CLASSES, POINTS, LONG, LENGTH = 10, 12, 72, 40
GAPS = (36, 60)  # least and greatest number of zeros after the 12 points
MOVES = 48  # the long signal is rolled by less than this
RADIUS, SIGMA = 8, 2.0  # of the Gaussian that the noise is smoothed by
AWAY = 1e-8  # keeps a shape's own zeros apart from those around it

SHAPES = """
5 6 6.5 6.75 7 7 7 7 6.75 6.5 6 5
5 3 3 3.4 3.8 4.2 4.6 5 5.4 5.8 5 5
5 6 6.5 6.5 6 5.25 4.75 4 3.5 3.5 4 5
5 6 6.5 6.5 6 5 5 6 6.5 6.5 6 5
5 4.4 3.8 3.2 2.6 2.6 5 5 5 5 5 5
5 3 3 3 3 5 6 6.5 6.5 6 4.5 5
5 4 3.5 3.25 3 3 3 3 3.25 3.5 4 5
5 7 7 6.6 6.2 5.8 5.4 5 4.6 4.2 5 5
5 4 3.5 3.5 4 5 5 4 3.5 3.5 4 5
5 4 3.5 3.5 4 5 5 5 5 4.7 4.3 5
"""

Array = npt.NDArray[np.float64]


def _templates() -> Array:
    """(10, 12): each of mean 0 and deviation 1, moved to begin with 0, over 6."""
    t = np.array([row.split() for row in SHAPES.split("\n") if row], np.float64)
    t -= t.mean(axis=1, keepdims=True)
    t /= t.std(axis=1, keepdims=True)
    return (t - t[:, :1]) / 6


def _resampled(x: Array, n: int) -> Array:
    y: Array = np.interp(np.linspace(0, 1, n), np.linspace(0, 1, len(x)), x)
    return y


def _gaussian() -> Array:
    taps: Array = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    taps /= taps.sum()
    return taps


SMOOTH, RAMP = _gaussian(), np.linspace(-0.5, 0.5, LONG)


def _example(template: Array, rng: np.random.RandomState) -> Array:
    """One signal of 40 values; the draws stand in the authors' order."""
    gap = GAPS[0] + int(rng.rand() * (GAPS[1] - GAPS[0] + 1))
    x = _resampled(np.concatenate([template + AWAY, np.zeros(gap)]), LONG)
    x *= 1 + 0.4 * (rng.rand() - 0.5)
    x = np.roll(x, rng.choice(MOVES))
    noise = np.pad(0.25 * rng.randn(LONG), RADIUS, mode="symmetric")
    x = np.where(x == 0, np.convolve(noise, SMOOTH, "valid"), x)
    x = x + 0.02 * rng.randn(LONG)
    x -= 0.75 * (rng.rand() - 0.5) * RAMP
    return _resampled(x, LENGTH)


def mnist1d_columns() -> npt.NDArray[np.int64]:
    """The fixed order of the 40 values in the shuffled variant: 19, 16, 15, 26, 4, 12, ..."""
    return np.random.RandomState(42).permutation(LENGTH).astype(np.int64)


def mnist1d(n: int = 5000, *, shuffled: bool = False, seed: int = 42,
            dtype: npt.DTypeLike = np.float32) -> Labelled:
    """MNIST-1D: which of ten shapes does a signal of 40 noisy values hold, wherever it lies?

    Parameters
    ----------
    n : number of examples, a multiple of 10: as many of each shape.
    shuffled : the 40 values in one other, fixed order (`mnist1d_columns`), which keeps what there
        is to know and takes away that neighbours lie together.
    seed : 42 with n 5,000 is the set that the authors published.
    dtype : float32 or float64.

    Returns
    -------
    x : (n, 1, 40), mean 0 and standard deviation 1 over all values.
    y : (n,) int64, 0 to 9, in random order.

    Notes
    -----
    The published split is the first 4,000 for training, the last 1,000 for the test.  In float64
    all values are within 8.9e-16 of the published file.

    Greydanus and Kobak, "Scaling Down Deep Learning with MNIST-1D", ICML 2024.

    Examples
    --------
    >>> x, y = mnist1d()
    >>> x.shape, y[:10].tolist()
    ((5000, 1, 40), [2, 6, 4, 5, 6, 6, 6, 0, 3, 1])
    """
    kind = float_type("mnist1d", dtype)
    if whole("mnist1d", "n", n, CLASSES) % CLASSES:
        raise ValueError(f"mnist1d: n must be a multiple of the {CLASSES} classes, got {n}")
    rng = np.random.RandomState(seed)
    each = n // CLASSES
    x = np.stack([_example(t, rng) for t in _templates() for _ in range(each)])
    order = rng.permutation(n)
    x, y = x[order], np.repeat(np.arange(CLASSES), each)[order]
    x = (x - x.mean()) / x.std()
    if shuffled:
        x = x[:, mnist1d_columns()]
    made: Any = np.ascontiguousarray(x[:, None], kind)
    return made, y.astype(np.int64)
