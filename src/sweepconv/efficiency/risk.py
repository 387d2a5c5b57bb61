"""The risk of least squares: what weak filters save in samples, and what sharing saves more.

    y = W x + sigma * xi,    x ~ N(0, I) in R^d,  xi ~ N(0, I) in R^d

The teacher W is a circular convolution with k taps.  A family fits within its own weights by least
squares, and its risk is E ||W' - W||^2 over all d * d dense weights.  To first order it is sigma^2
for each free weight, over n: dense d*d, local d*k, tiled t*k, conv k.

Dense is one regression of d outputs on d inputs; the others are one regression for each filter of
the bank, of the outputs that it serves on their windows, which makes local, tiled and conv the
same fit with period d, t and 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.conv import conv
from sweepconv.geometry import per_axis
from sweepconv.sharing import Map, Pattern
from sweepconv.sharing.table import Table

Array: TypeAlias = "npt.NDArray[Any]"
Fit: TypeAlias = Literal["within", "projected"]

FAMILIES = ("dense", "local", "tiled", "conv", "circulant")
CIRCULAR: dict[str, Any] = {"padding": "same", "padding_mode": "circular"}


class Risk(float):
    """A risk by formula: a float that says what it is.

    Attributes
    ----------
    exact : whether the formula is exact, or holds to first order in 1/n.
    parameters : free weights of the family.
    """

    exact: bool
    parameters: int

    def __new__(cls, value: float, exact: bool, parameters: int) -> Risk:
        self = super().__new__(cls, value)
        self.exact, self.parameters = exact, parameters
        return self

    def __reduce__(self) -> tuple[type[Risk], tuple[float, bool, int]]:
        return Risk, (float(self), self.exact, self.parameters)


class Measured(NamedTuple):
    """Mean over runs, the standard error of that mean, and the runs' own values."""

    mean: float
    error: float
    runs: int
    values: tuple[float, ...] = ()

    def z(self, predicted: float) -> float:
        """Standard errors between this mean and a prediction."""
        return abs(self.mean - predicted) / self.error


class _Task(NamedTuple):
    """What is fitted: checked sizes, and the family's bank of `period` filters of `taps`."""

    family: str
    d: int
    taps: int
    n: int
    period: int

    @property
    def free(self) -> int:
        return self.d**2 if self.family == "dense" else self.period * self.taps


def _task(verb: str, family: str, d: int, k: int, n: int, period: int | None) -> _Task:
    if family not in FAMILIES:
        raise ValueError(f"{verb}: family must be one of {', '.join(FAMILIES)}, got {family!r}")
    for name, value in {"d": d, "k": k, "n": n}.items():
        per_axis(verb, name, value, 1, 1)
    if k > d:
        raise ValueError(f"{verb}: k must be at most d, as a circular window meets each input "
                         f"once, got k={k} for d={d}")
    if (period is None) == (family == "tiled"):
        raise ValueError(f"{verb}: period must be given for tiled and for no other family, "
                         f"got period={period} for {family!r}")
    if period is not None and not 1 <= period <= d:
        raise ValueError(f"{verb}: period must be from 1 to d={d}, got {period}")
    filters = {"local": d, "tiled": period or 1}.get(family, 1)
    taps = d if family in ("dense", "circulant") else k
    return _Task(family, d, taps, n, filters)


def _way(verb: str, fit: str) -> None:
    if fit not in ("within", "projected"):
        raise ValueError(f"{verb}: fit must be 'within' or 'projected', got {fit!r}")


def ols_risk(family: str, *, d: int, k: int, n: int, sigma: float = 1, period: int | None = None,
             fit: Fit = "within") -> Risk:
    """E ||W' - W||^2 of least squares in a family, by formula.

    Parameters
    ----------
    family : "dense", "local", "tiled", "conv", or "circulant" (conv with as many taps as inputs).
    d, k : inputs (and outputs), and taps of the teacher, a circular convolution.
    n : samples (x, y).
    sigma : standard deviation of the noise on each output.
    period : of "tiled".
    fit : "within", least squares over the family's own weights; or "projected", dense least
        squares, whose result is then projected onto the family.

    Returns
    -------
    Risk
        A float; `.exact` says whether the formula is exact or of first order in 1/n, `.parameters`
        counts free weights.  inf where the formula has no value, since n is too small for it.

    Notes
    -----
    Within the family: dense d^2 s/(n-d-1) and local d k s/(n-k-1) with s = sigma^2, both exact, as
    E of the inverse Wishart matrix is I/(n-p-1); conv, tiled and circulant s * parameters/n.
    Projected: s * parameters/(n-d-1), exact, since the error of the dense fit is isotropic.

    Examples
    --------
    >>> for family in ("dense", "local", "conv"):
    ...     risk = ols_risk(family, d=32, k=5, n=200)
    ...     print(f"{family:5} {risk.parameters:5,} parameters, risk {risk:.4f}, {risk.exact}")
    dense 1,024 parameters, risk 6.1317, True
    local   160 parameters, risk 0.8247, True
    conv      5 parameters, risk 0.0250, False
    """
    task = _task("ols_risk", family, d, k, n, period)
    _way("ols_risk", fit)
    if family == "dense" or fit == "projected":
        left, exact = n - d - 1, True
    elif family == "local":
        left, exact = n - k - 1, True
    else:
        left, exact = n, False
    return Risk(sigma**2 * task.free / left if left > 0 else math.inf, exact, task.free)


def measured_ols_risk(family: str, *, d: int, k: int, n: int, sigma: float = 1,
                      period: int | None = None, fit: Fit = "within", runs: int = 60,
                      seed: int = 0) -> Measured:
    """The same risk by experiment: teachers, samples and noise drawn, fitted and compared.

    Parameters
    ----------
    runs : experiments; at least 2, for a standard error.
    seed : equal seeds draw the same teachers, x and noise for every family.

    The others are as in `ols_risk`.

    Examples
    --------
    Five shared taps can be learned from fewer samples than there are inputs:

    >>> few = measured_ols_risk("conv", d=32, k=5, n=8, runs=40)
    >>> few.z(ols_risk("conv", d=32, k=5, n=8)) < 4
    True
    """
    verb = "measured_ols_risk"
    task = _task(verb, family, d, k, n, period)
    _way(verb, fit)
    if runs < 2:
        raise ValueError(f"{verb}: runs must be at least 2, got {runs}")
    dense = family == "dense" or fit == "projected"
    _enough(verb, task, d if dense else task.taps, n if dense else n * (d // task.period))
    estimate = _estimator(task, fit)
    teachers = Pattern.conv((1, d), (1, 1, k), **CIRCULAR)
    errors = np.empty(runs)
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        w = rng.standard_normal((1, 1, k))
        x = rng.standard_normal((n, 1, d))
        y = conv(x, w, **CIRCULAR) + sigma * rng.standard_normal((n, 1, d))
        errors[run] = np.square(estimate(x[:, 0], y[:, 0]) - teachers.expand(w)).sum()
    return Measured(float(errors.mean()), float(errors.std(ddof=1) / math.sqrt(runs)), runs,
                    tuple(map(float, errors)))


def _enough(verb: str, task: _Task, unknowns: int, equations: int) -> None:
    if equations < unknowns:
        raise ValueError(f"{verb}: n={task.n} is too small for this fit: {unknowns} weights of a "
                         f"filter have {equations} equations")


def _estimator(task: _Task, fit: Fit) -> Callable[[Array, Array], Array]:
    """x (n, d), y (n, d) to dense weights (1, d, 1, d)."""
    family = _pattern(task)

    def dense(x: Array, y: Array) -> Array:
        return np.linalg.lstsq(x, y)[0].T.reshape(1, task.d, 1, task.d)

    def projected(x: Array, y: Array) -> Array:
        return family.expand(family.project(dense(x, y))[0])

    def within(x: Array, y: Array) -> Array:
        return family.expand(_fit_bank(x, y, task).reshape(family.w_shape))

    if task.family == "dense":
        return dense
    return projected if fit == "projected" else within


def _pattern(task: _Task) -> Map:
    x_shape, taps = (1, task.d), (1, 1, task.taps)
    if task.family == "dense":
        return Pattern.dense(x_shape, (1, task.d, 1, task.d))
    if task.family == "local":
        return Pattern.local(x_shape, (task.d, *taps), **CIRCULAR)
    if task.family == "tiled":
        return Pattern.tiled(x_shape, (task.period, *taps), **CIRCULAR)
    return Pattern.conv(x_shape, taps, **CIRCULAR)


def _fit_bank(x: Array, y: Array, task: _Task) -> Array:
    """(period, taps): for each filter, least squares over all outputs that it serves."""
    low = (task.taps - 1) // 2  # what "same" puts before the first input
    source = (np.arange(task.d)[:, None] + np.arange(task.taps) - low) % task.d
    windows = x[:, source]  # (n, d, taps)
    return np.stack([
        np.linalg.lstsq(windows[:, f::task.period].reshape(-1, task.taps),
                        y[:, f::task.period].reshape(-1))[0]
        for f in range(task.period)])


def risk_table(*, d: int = 32, k: int = 5, n: int = 200, sigma: float = 1, period: int = 4,
               runs: int = 60, seed: int = 0) -> str:
    """Predicted beside measured, for every family and both kinds of fit, as text.

    Examples
    --------
    >>> print(risk_table(d=8, k=3, n=40, period=2, runs=5).splitlines()[1])
    family     fit        parameters  predicted  measured   s.e.    law
    """
    rows = []
    for fit, families in (("within", ("dense", "local", "tiled", "conv")),
                          ("projected", ("local", "circulant", "conv"))):
        for family in families:
            given: dict[str, Any] = {"d": d, "k": k, "n": n, "sigma": sigma, "fit": fit,
                                     "period": period if family == "tiled" else None}
            law = ols_risk(family, **given)
            found = measured_ols_risk(family, **given, runs=runs, seed=seed)
            rows.append((family, fit, f"{law.parameters:,}", f"{law:.4f}", f"{found.mean:.4f}",
                         f"{found.error:.4f}", "exact" if law.exact else "first order"))
    title = f"risk of least squares: d {d}, k {k}, n {n}, sigma {sigma:g}, {runs} runs"
    return Table(title, ("family", "fit", "parameters", "predicted", "measured", "s.e.", "law"),
                 rows, left=2).text()
