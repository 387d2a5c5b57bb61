"""MNIST-1D: a convolution network needs neighbours, dense networks do not care."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sweepconv.datasets import Labelled, mnist1d
from sweepconv.layers import Adam, Conv, Dense, Flatten, Layer, ReLU, Residual, Sequential
from sweepconv.reproduce.recipe import Done, Figure, Job, Recipe, Scale, figure
from sweepconv.reproduce.training import in_order, per_cent, step

TRAIN = 4000
NETS = ("logistic", "MLP", "CNN")
SECONDS = {"logistic": 4, "MLP": 13, "CNN": 30}  # of a full run, about
PUBLISHED = {  # test %, the paper's table; plain, shuffled
    ("logistic", False): 32, ("MLP", False): 68, ("CNN", False): 94,
    ("logistic", True): 32, ("MLP", True): 68, ("CNN", True): 56,
}
BANDS = {
    ("logistic", False): (30, 34), ("MLP", False): (62, 70), ("CNN", False): (90, 95),
    ("logistic", True): (30, 34), ("MLP", True): (62, 70), ("CNN", True): (52, 62),
}


def network(name: str, rng: np.random.Generator) -> Sequential:
    """The authors' networks for a signal of 40 values: 410, 15,210 and 5,210 parameters."""
    if name == "logistic":
        return Sequential(Dense((1, 40), 10, rng=rng))
    if name == "MLP":
        return Sequential(Dense((1, 40), 100, rng=rng), ReLU(),
                          Residual(Dense(100, 100, rng=rng), ReLU()), Dense(100, 10, rng=rng))

    def conv(ins: int, kernel: int) -> Conv:
        return Conv(ins, 25, (kernel,), stride=2, padding=1, rng=rng)

    return Sequential(conv(1, 5), ReLU(), conv(25, 3), ReLU(), conv(25, 3), ReLU(), Flatten(),
                      Dense(125, 10, rng=rng))


@lru_cache(maxsize=2)
def data(n: int, shuffled: bool) -> Labelled:
    """The set, made once in a process."""
    return mnist1d(n, shuffled=shuffled)


def train(name: str, shuffled: bool, seed: int, steps: int) -> float:
    """Test per cent after training; all seeds see the authors' one set."""
    return trained(network(name, np.random.default_rng(seed)), data(5000, shuffled), TRAIN, steps)


def trained(net: Layer, examples: Labelled, n: int, steps: int) -> float:
    """Test per cent of `net` after training on the first n examples; the others are the test."""
    x, y = examples
    adam = Adam(net, 1e-2)
    for batch in in_order(n, 100, steps):
        step(net, adam, x[:n][batch], y[:n][batch])
    return per_cent(net, x[n:], y[n:])


def jobs(scale: Scale) -> list[Job]:
    steps = scale.of(6001, 600)
    return [Job(train, {"name": name, "shuffled": shuffled, "seed": seed, "steps": steps},
                SECONDS[name] * steps / 6001 + 1)
            for shuffled in (False, True) for name in NETS for seed in scale.range(5, 2)]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    found: dict[tuple[str, bool], list[float]] = {}
    for arguments, result in done:
        found.setdefault((arguments["name"], arguments["shuffled"]), []).append(result)
    rows: list[Figure] = []
    for (name, shuffled), values in found.items():
        low, high = BANDS[name, shuffled]
        if scale.quick:
            low, high = low - 12, high + 4
        rows.append(figure(f"{name}{', shuffled' * shuffled}, test %", values,
                           PUBLISHED[name, shuffled], (low, high)))
    change = np.mean(found["MLP", True]) - np.mean(found["MLP", False])
    allowed = 6 if scale.quick else 3
    rows.append(figure("MLP, change by shuffling, points", float(change), 0, (-allowed, allowed)))
    return rows


RECIPE = Recipe(
    "mnist1d", "MNIST-1D, plain and with its columns in another order",
    "Greydanus & Kobak, ICML 2024, table of the paper",
    "Adam 1e-2, batches of 100 in fixed order, 6,001 steps; logistic regression (410 parameters), "
    "MLP (15,210), CNN (5,210); the authors' 4,000 training and 1,000 test signals.",
    jobs, figures, quick_bands="600 steps: lower ends 12 points lower, upper ends 4 higher")
