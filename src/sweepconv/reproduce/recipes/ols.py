"""Least squares: what a shared, weak filter saves in examples, as a law."""

from __future__ import annotations

import math

from sweepconv.reproduce.least_squares import risks
from sweepconv.reproduce.recipe import Done, Figure, Job, Recipe, Scale, figure

D, K, N, PERIOD, SIGMA = 32, 5, 200, 4, 1.0
PREDICTED = {  # s for sigma^2 = 1
    "dense": D * D / (N - D - 1), "local": D * K / (N - K - 1), "tiled": PERIOD * K / N,
    "conv": K / N, "dense, then made circulant": D / (N - D - 1),
    "dense, then made conv": K / (N - D - 1),
}
ERRORS = 4  # standard errors


def runs(seeds: list[int]) -> dict[str, list[float]]:
    found = [risks(D, K, N, PERIOD, SIGMA, seed) for seed in seeds]
    return {name: [run[name] for run in found] for name in PREDICTED}


def jobs(scale: Scale) -> list[Job]:
    return [Job(runs, {"seeds": list(scale.range(60, 20))}, 2)]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    rows = []
    for name, values in done[0].result.items():
        want = PREDICTED[name]
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
