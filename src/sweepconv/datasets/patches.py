"""Two small problems whose laws are known: a signal in one of k patches, and two dots."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._made import float_type, not_negative, whole
from .files import Labelled


def dsd(k: int, d: int, sigma: float, n: int, *, seed: int = 0,
        signal: npt.ArrayLike | None = None, dtype: npt.DTypeLike = np.float32) -> Labelled:
    """Which sign has the signal that one of k patches holds?  The others hold noise alone.

        x[n, 0, t*d : (t + 1)*d] = (y[n] * v if t == t_n else 0) + sigma * N(0, 1)

    "Dynamic signal distribution": what it takes to find v is known for a dense layer, a local and
    a shared filter of kernel and stride d.

    Parameters
    ----------
    k, d : number of patches, and values in each.
    sigma : standard deviation of the noise.
    n : number of examples.
    seed : of the draws.
    signal : v, (d,), of norm 1; with equal values if not given, so that sets of different seeds
        hold the same signal.
    dtype : float32 or float64.

    Returns
    -------
    x : (n, 1, k * d).
    y : (n,) int64, -1 or 1.

    Notes
    -----
    A. Lahoti and others, "Role of Locality and Weight Sharing in Image-Based Tasks: A Sample
    Complexity Separation between CNNs, LCNs, and FCNs", ICLR 2024.

    Examples
    --------
    >>> x, y = dsd(k=3, d=2, sigma=0, n=4, signal=[0.6, 0.8])
    >>> x.shape, np.unique(np.abs(x)).tolist() == np.float32([0, 0.6, 0.8]).tolist()
    ((4, 1, 6), True)
    """
    kind, sigma = float_type("dsd", dtype), not_negative("dsd", "sigma", sigma)
    k, d, n = (whole("dsd", name, value, 1) for name, value in (("k", k), ("d", d), ("n", n)))
    v = np.full(d, d ** -0.5) if signal is None else np.asarray(signal, np.float64)
    if v.shape != (d,) or not np.isclose(v @ v, 1):
        raise ValueError(f"dsd: signal must have shape ({d},) and norm 1, got shape {v.shape} "
                         f"and norm {np.linalg.norm(v):.6g}")
    rng = np.random.default_rng(seed)
    y = rng.choice(np.array([-1, 1], np.int64), n)
    active = rng.integers(k, size=n)
    x = sigma * rng.standard_normal((n, k, d))
    x[np.arange(n), active] += y[:, None] * v
    made: Any = x.reshape(n, 1, k * d).astype(kind)
    return made, y


def dots(side: int, *, dtype: npt.DTypeLike = np.float32) -> Labelled:
    """Two images of side x side that differ in their middle pixel alone: +1 and -1, else 0.

    A dense classifier can have margin 1 between them, one that is invariant to shifts only
    1/side.

    Parameters
    ----------
    side : pixels on each axis.
    dtype : float32 or float64.

    Returns
    -------
    x : (2, 1, side, side).
    y : (2,) int64, 1 and -1.

    Notes
    -----
    S. Ge, V. Singla, R. Basri and D. Jacobs, "Shift Invariance Can Reduce Adversarial Robustness",
    NeurIPS 2021.

    Examples
    --------
    >>> x, y = dots(3)
    >>> x[:, 0, 1, 1].tolist(), y.tolist(), float(abs(x).sum())
    ([1.0, -1.0], [1, -1], 2.0)
    """
    side = whole("dots", "side", side, 1)
    x: Any = np.zeros((2, 1, side, side), float_type("dots", dtype))
    x[:, 0, side // 2, side // 2] = 1, -1
    return x, np.array([1, -1], np.int64)
