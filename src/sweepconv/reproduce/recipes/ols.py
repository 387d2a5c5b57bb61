"""Least squares: what a shared, weak filter saves in examples, as a law."""

from __future__ import annotations

import math
from typing import Any

from sweepconv.efficiency import measured_ols_risk, ols_risk
from sweepconv.reproduce.recipe import Done, Figure, Job, Recipe, Scale, figure

TEACHER: dict[str, Any] = {"d": 32, "k": 5, "n": 200}
FITS: dict[str, dict[str, Any]] = {
    "dense": {"family": "dense"}, "local": {"family": "local"},
    "tiled": {"family": "tiled", "period": 4}, "conv": {"family": "conv"},
    "dense, then made circulant": {"family": "circulant", "fit": "projected"},
    "dense, then made conv": {"family": "conv", "fit": "projected"},
}
ERRORS = 4  # standard errors


def runs(count: int) -> dict[str, list[float]]:
    return {name: list(measured_ols_risk(**how, **TEACHER, runs=count).values)
            for name, how in FITS.items()}


def jobs(scale: Scale) -> list[Job]:
    return [Job(runs, {"count": len(scale.range(60, 20))}, 2)]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    rows = []
    for name, values in done[0].result.items():
        want = ols_risk(**FITS[name], **TEACHER)
        # From the values themselves: seen from the law, that is how far a mean of them may lie.
        own = figure(name, values, want, (0, 0))
        error = ERRORS * (own.spread or want) / math.sqrt(len(values))
        rows.append(figure(f"{name}, risk", values, want, (want - error, want + error)))
    return rows


RECIPE = Recipe(
    "ols", "Least squares: the risk is the number of free parameters",
    "exact for dense and local, to first order for the others; strict gap: Elesedy & Zaidi 2021",
    "Teacher: circular convolution on 32 inputs, 5 taps, noise 1, 200 examples; least squares "
    "under each family's sharing (tiled: period 4), and dense weights projected after the fit. "
    "Bands are 4 standard errors.", jobs, figures, log=True)
