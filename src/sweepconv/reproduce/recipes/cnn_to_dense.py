"""From a convolution network to the dense network that computes the same, released at some time.

The networks live in one space of dense weights; the convolution network is held on a small part of
it.  Released, it may leave; where it begins tells how well it ends.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sweepconv.datasets import Labelled, mnist5k
from sweepconv.layers import SGD, Conv, Dense, Flatten, ReLU, Sequential
from sweepconv.reproduce.recipe import ANY, INF, Done, Figure, Job, Recipe, Scale, figure
from sweepconv.reproduce.training import per_cent, scores, shuffled, step
from sweepconv.sharing import convert

TRAIN, BATCH, RATE = 4000, 100, 0.1
IN_SHAPE = (1, 28, 28)
SHAPES = ((1, 8), (8, 16))  # channels of the convolutions, kernel 5, stride 2: 28, 12, 4 pixels
STARTS = ("dense", "released at 0", "released after few", "released after many", "conv")


@lru_cache(maxsize=1)
def data(seed: int) -> tuple[Labelled, Labelled]:
    """4,000 images for training and 1,000 others, drawn anew for each seed."""
    x, y = mnist5k()
    order = np.random.default_rng([seed, 5]).permutation(len(x))
    a, b = order[:TRAIN], order[TRAIN:]
    return (x[a], y[a]), (x[b], y[b])


def conv_network(rng: np.random.Generator) -> Sequential:
    first, second = (Conv(ins, outs, 5, stride=2, rng=rng) for ins, outs in SHAPES)
    return Sequential(first, ReLU(), second, ReLU(), Flatten(), Dense(256, 10, rng=rng))


def dense_network(rng: np.random.Generator) -> Sequential:
    """As many units in each layer: 784, 1,152, 256, 10."""
    return Sequential(Dense(IN_SHAPE, 8 * 12 * 12, rng=rng), ReLU(),
                      Dense(8 * 12 * 12, 16 * 4 * 4, rng=rng), ReLU(), Dense(256, 10, rng=rng))


def released(net: Sequential) -> Sequential:
    """The dense network that computes what `net`, a `conv_network`, computes."""
    shape, dense = IN_SHAPE, dense_network(np.random.default_rng(0))
    for k, layer in enumerate((net.layers[0], net.layers[2])):
        made = convert(layer, "dense", x_shape=shape)
        for name, p in made.params.items():
            own = dense.layers[2 * k].params[name]
            own[...] = p.reshape(own.shape)
        shape = layer.out_shape(shape)  # type: ignore[assignment]
    for name, p in net.layers[-1].params.items():
        dense.layers[-1].params[name][...] = p
    return dense


def train(release: int | None, seed: int, epochs: int) -> dict[str, float]:
    """Test per cent of a net that is convolutional for `release` epochs, then dense.

    None: dense from the start, with a draw of its own.  Every net sees the same batches.
    """
    (x, y), test = data(seed)
    rng = np.random.default_rng([seed, 6])
    net = dense_network(rng) if release is None else conv_network(rng)
    order = shuffled(len(x), BATCH, epochs, np.random.default_rng([seed, 7]))
    change, optimiser = 0.0, SGD(net, RATE)
    until = None if release is None else release * (len(x) // BATCH)
    for i, batch in enumerate(order):
        if i == until:
            before, net = net, released(net)
            change = float(np.abs(scores(before, test[0]) - scores(net, test[0])).max())
            optimiser = SGD(net, RATE)
        step(net, optimiser, x[batch], y[batch])
    return {"test": per_cent(net, *test), "change": change}


def _releases(scale: Scale) -> dict[str, int | None]:
    epochs = scale.of(30, 2)
    few, many = scale.of(3, 1), scale.of(15, 1)
    found = dict(zip(STARTS, (None, 0, few, many, epochs), strict=True))
    return {k: v for k, v in found.items() if not scale.quick or k != "released after many"}


def jobs(scale: Scale) -> list[Job]:
    epochs = scale.of(30, 2)
    return [Job(train, {"release": release, "seed": seed, "epochs": epochs}, epochs)
            for release in _releases(scale).values() for seed in scale.range(5, 1)]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    by_release: dict[int | None, list[dict[str, float]]] = {}
    for arguments, result in done:
        by_release.setdefault(arguments["release"], []).append(result)
    found = {name: by_release[release] for name, release in _releases(scale).items()}
    tests = {name: [r["test"] for r in ran] for name, ran in found.items()}
    rows = [figure(f"{name}, test %", values, "-", ANY) for name, values in tests.items()]
    least = -5 if scale.quick else 1e-9
    rows += [figure(f"{name} - dense, points", np.subtract(values, tests["dense"]).tolist(),
                    "more than 0", (least, INF))
             for name, values in tests.items() if name.startswith("released")]
    changes = [r["change"] for ran in found.values() for r in ran]
    return [*rows, figure("greatest change of a score at a release", max(changes), "0",
                          (0, 1e-4))]


RECIPE = Recipe(
    "cnn-to-dense", "A convolution network released as a dense one",
    "d'Ascoli, Sagun, Biroli & Bruna, NeurIPS 2019 (on CIFAR-10; here mnist5k: the order only)",
    "conv 1-8-16, kernel 5, stride 2, ReLU, dense 10, and the dense network 784-1152-256-10 that "
    "holds it; SGD lr 0.1, batch 100, 30 epochs on 4,000 images, tested on 1,000; released after "
    "0, 3 and 15 epochs. Published: every released network ends above the dense one.",
    jobs, figures,
    quick_bands="2 epochs: released at most 5 points below dense")
