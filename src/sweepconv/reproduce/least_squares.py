"""Least squares for a circular layer under each family's sharing, and the risks they have.

A teacher W, circular on d inputs with k taps, y = W x + sigma xi; the risk is E||What - W||^2.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"


def taps_of(d: int, k: int) -> Array:
    """(d, k): which input tap a of output p reads."""
    return (np.arange(d)[:, None] + np.arange(k)) % d


def circulant(w: Array, d: int) -> Array:
    """Dense weights (d, d) of a bank (t, k): output p has filter p mod t."""
    t, k = w.shape
    dense = np.zeros((d, d))
    dense[np.arange(d)[:, None], taps_of(d, k)] = w[np.arange(d) % t]
    return dense


def fit_dense(x: Array, y: Array) -> Array:
    """(d, d) from x (n, d) and y (n, d)."""
    found: Array = np.linalg.lstsq(x, y, rcond=None)[0].T
    return found


def fit_shared(x: Array, y: Array, k: int, period: int) -> Array:
    """Dense weights of the bank of `period` filters: period d is local, 1 is conv."""
    d = x.shape[1]
    windows = x[:, taps_of(d, k)]  # (n, d, k)
    bank = np.stack([np.linalg.lstsq(windows[:, r::period].reshape(-1, k),
                                     y[:, r::period].reshape(-1), rcond=None)[0]
                     for r in range(period)])
    return circulant(bank, d)


def project(dense: Array, k: int) -> Array:
    """The nearest circulant matrix with k taps: the mean along each wrapped diagonal."""
    d = len(dense)
    return circulant(dense[np.arange(d)[:, None], taps_of(d, k)].mean(axis=0)[None], d)


def risks(d: int, k: int, n: int, period: int, sigma: float, seed: int) -> dict[str, float]:
    """||What - W||^2 of every family for one draw of teacher, data and noise."""
    rng = np.random.default_rng(seed)
    truth = circulant(rng.standard_normal((1, k)), d)
    x = rng.standard_normal((n, d))
    y = x @ truth.T + sigma * rng.standard_normal((n, d))
    dense = fit_dense(x, y)
    found = {
        "dense": dense, "local": fit_shared(x, y, k, d), "tiled": fit_shared(x, y, k, period),
        "conv": fit_shared(x, y, k, 1), "dense, then made circulant": project(dense, d),
        "dense, then made conv": project(dense, k),
    }
    return {name: float(np.square(w - truth).sum()) for name, w in found.items()}
