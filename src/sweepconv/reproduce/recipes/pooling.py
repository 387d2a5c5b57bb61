"""Pooling on MNIST-1D: with little data it tells, with much it does not."""

from __future__ import annotations

import numpy as np

from sweepconv.layers import (
    AvgPool,
    Conv,
    Dense,
    Flatten,
    L2Pool,
    Layer,
    MaxPool,
    ReLU,
    Sequential,
)
from sweepconv.reproduce.recipe import INF, Done, Figure, Job, Recipe, Scale, figure

from .mnist1d import data, trained

HELD_BACK = 1000  # the last examples are the test
POOLS = {"max": MaxPool, "average": AvgPool, "L2": L2Pool}
KINDS = ("none", "stride 2", *POOLS)
PUBLISHED = {  # training examples: test %, single runs
    1000: (59.2, 57.4, 78.2, 78.0, 77.2), 2000: (82.0, 81.7, 89.2, 90.0, 89.9),
    5000: (91.9, 89.9, 94.5, 94.0, 95.3), 10000: (94.3, 91.3, 97.0, 96.0, 96.6),
    20000: (94.4, 92.2, 96.8, 96.2, 97.8), 50000: (96.3, 95.4, 98.1, 97.3, 97.1),
}


def network(kind: str, rng: np.random.Generator) -> Sequential:
    """Two convolutions of 20 channels, each followed by what makes the signal half as long."""
    stride = 2 if kind == "stride 2" else 1
    layers: list[Layer] = []
    for ins in (1, 20):
        layers += [Conv(ins, 20, (3,), stride=stride, padding=1, rng=rng), ReLU()]
        layers += [POOLS[kind]((2,))] if kind in POOLS else []
    features = 20 * 40 if kind == "none" else 20 * 10
    return Sequential(*layers, Flatten(), Dense(features, 10, rng=rng))


def train(kind: str, n: int, seed: int, steps: int) -> float:
    """Test per cent after training on n examples."""
    net = network(kind, np.random.default_rng(seed))
    return trained(net, data(n + HELD_BACK, False), n, steps)


def jobs(scale: Scale) -> list[Job]:
    """Five seeds where pooling tells most; one for each further size."""
    steps = scale.of(6001, 300)
    sizes = list(PUBLISHED) if not scale.quick else [1000]
    return [Job(train, {"kind": kind, "n": n, "seed": seed, "steps": steps},
                (60 if kind == "none" else 35) * steps / 6001 + n / 2500)
            for n in sizes for kind in KINDS
            for seed in (scale.range(5, 1) if n == 1000 else range(1))]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    found: dict[tuple[int, str], list[float]] = {}
    for arguments, result in done:
        found.setdefault((arguments["n"], arguments["kind"]), []).append(result)
    rows = []
    for (n, kind), values in found.items():
        published = PUBLISHED[n][KINDS.index(kind)]
        reach = 20 if scale.quick else 5 if n == 1000 else 3
        rows.append(figure(f"{kind}, {n:,} examples, test %", values, published,
                           (published - reach, published + reach)))
    gap = np.subtract(found[1000, "max"], found[1000, "stride 2"])
    rows.append(figure("max - stride 2, 1,000 examples, points", gap.tolist(), 20.8,
                       (0 if scale.quick else 10, INF)))
    return rows


RECIPE = Recipe(
    "mnist1d-pooling", "MNIST-1D: what pooling is worth",
    "Greydanus & Kobak, ICML 2024, pooling experiment (single runs)",
    "conv 1-20 and 20-20, kernel 3, padding 1, ReLU, each followed by a pool of 2, or with stride "
    "2, or neither; dense; trained as in mnist1d on n examples, tested on 1,000 others. Five seeds "
    "for 1,000 examples, one for each further size.",
    jobs, figures, quick_bands="300 steps, 1,000 examples: +-20 instead of +-5, gap above 0")
