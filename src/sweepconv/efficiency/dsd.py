"""One step of descent on dynamic signal distribution, DSD (Lahoti et al. 2024).

An input has k patches of d elements.  One patch, anywhere, is y v + noise; the others are noise.
v is a unit vector, y is +1 or -1, and noise is sigma N(0, I).  The first step of descent from 0 on
a linear model is along w = mean over samples of y x, the weight gradient of a sweep with kernel
and stride d: conv adds the k patches up, local keeps a filter for each.  cos^2 between w and the
truth (v, or v in each patch) says how much of a step is signal.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.conv import conv_weight_grad
from sweepconv.geometry import per_axis
from sweepconv.local import local_conv_weight_grad

from .risk import Measured

Array: TypeAlias = "npt.NDArray[Any]"


def _check(verb: str, family: str, **sizes: int) -> None:
    if family not in ("conv", "local"):
        raise ValueError(f"{verb}: family must be 'conv' or 'local', got {family!r}")
    for name, value in sizes.items():
        per_axis(verb, name, value, 1, 1)


def dsd_alignment(family: str, *, k: int, d: int, n: int, sigma: float) -> float:
    """cos^2 between one linear step and the truth, by formula, to first order.

    conv: 1 / (1 + k d s / n);  local: 1 / (1 + k^2 d s / n + (k - 1) / n), with s = sigma^2: the
    expected squared length along the truth over the whole expected squared length.

    Parameters
    ----------
    family : "conv" or "local".
    k, d : patches, and elements of each.
    n : samples.
    sigma : standard deviation of the noise.

    Examples
    --------
    >>> [round(dsd_alignment(f, k=8, d=16, n=400, sigma=0.5), 3) for f in ("conv", "local")]
    [0.926, 0.603]
    """
    _check("dsd_alignment", family, k=k, d=d, n=n)
    noise = k * d * sigma**2 / n
    return 1 / (1 + noise) if family == "conv" else 1 / (1 + k * noise + (k - 1) / n)


def measured_dsd_alignment(family: str, *, k: int, d: int, n: int, sigma: float, runs: int = 60,
                           seed: int = 0) -> Measured:
    """The same by experiment: mean and standard error of cos^2 over `runs` data sets.

    Examples
    --------
    >>> found = measured_dsd_alignment("local", k=8, d=16, n=400, sigma=0.5, runs=20)
    >>> abs(found.mean - dsd_alignment("local", k=8, d=16, n=400, sigma=0.5)) < 0.05
    True
    """
    _check("measured_dsd_alignment", family, k=k, d=d, n=n)
    if runs < 2:
        raise ValueError(f"measured_dsd_alignment: runs must be at least 2, got {runs}")
    cos2 = np.array([_cos2(family, k, d, n, sigma, np.random.default_rng([seed, run]))
                     for run in range(runs)])
    return Measured(float(cos2.mean()), float(cos2.std(ddof=1) / math.sqrt(runs)), runs)


def _cos2(family: str, k: int, d: int, n: int, sigma: float, rng: np.random.Generator) -> float:
    v = rng.standard_normal(d)
    v /= np.linalg.norm(v)
    y = rng.choice([-1.0, 1.0], n)
    x = sigma * rng.standard_normal((n, k, d))
    x[np.arange(n), rng.integers(k, size=n)] += y[:, None] * v
    dy = np.broadcast_to(y[:, None, None], (n, 1, k))  # all k outputs of a sample have its label
    sweep = x.reshape(n, 1, k * d)
    if family == "conv":
        w = conv_weight_grad(sweep, dy, (1, 1, d), stride=d).reshape(1, d)
    else:
        w = local_conv_weight_grad(sweep, dy, (k, 1, 1, d), stride=d).reshape(k, d)
    along = float((w @ v).sum()) ** 2 / len(w)  # the truth has v in each row, and length sqrt(rows)
    return along / float(np.square(w).sum())
