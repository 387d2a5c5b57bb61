"""Red-green: how much of absolute place a padding lets a convolution network see."""

from __future__ import annotations

from typing import Any

import numpy as np

from sweepconv.datasets import Labelled, red_green
from sweepconv.layers import (
    Adadelta,
    Conv,
    Dense,
    GlobalMaxPool,
    ReLU,
    Sequential,
    softmax_cross_entropy,
)
from sweepconv.reproduce.recipe import ANY, Done, Figure, Job, Recipe, Scale, figure
from sweepconv.reproduce.training import in_order, per_cent, scores, step

CHANNELS, STRIDES = (3, 32, 32, 64, 64), (1, 2, 2, 2)
BATCH, PATIENCE = 200, 9  # epochs in a row without gain that end the training
PADDINGS: dict[str, dict[str, Any]] = {
    "valid": {}, "zeros": {"padding": 1}, "circular": {"padding": 1, "padding_mode": "circular"},
    "full": {"padding": 2},
}
PUBLISHED = {"valid": ("100.0 ± 0.0", "0.2 ± 0.1"), "zeros": ("99.8 ± 0.1", "8.4 ± 0.7"),
             "circular": ("73.7 ± 1.0",) * 2, "full": ("89.7 ± 0.5",) * 2}
EXPECTED = {"valid": (100.0, 0.2), "zeros": (99.8, 8.4), "circular": (73.7, 73.7),
            "full": (89.7, 89.7)}


def network(padding: str, rng: np.random.Generator) -> Sequential:
    """Four convolutions without biases, the greatest value of each map, a dense layer."""
    layers: list[Any] = []
    for ins, outs, stride in zip(CHANNELS, CHANNELS[1:], STRIDES, strict=False):
        layers += [Conv(ins, outs, 3, stride=stride, bias=False, rng=rng, **PADDINGS[padding]),
                   ReLU()]
    return Sequential(*layers, GlobalMaxPool(), Dense(CHANNELS[-1], 2, rng=rng))


def _copy(net: Sequential) -> dict[str, Any]:
    return {name: p.copy() for name, p in net.params.items()}


def _epochs(net: Sequential, train: Labelled, valid: Labelled, epochs: int) -> int:
    """Train until nothing is gained; leaves the parameters of the best epoch, says how many ran."""
    adadelta = Adadelta(net, lr=1, rho=0.9, eps=1e-6, weight_decay=5e-5)
    best, since, ran, kept = float("inf"), 0, 0, _copy(net)
    while ran < epochs and since < PATIENCE:
        for batch in in_order(len(train[0]), BATCH, len(train[0]) // BATCH):
            step(net, adadelta, train[0][batch], train[1][batch])
        ran += 1
        loss, _ = softmax_cross_entropy(scores(net, valid[0]), valid[1])
        if loss < best:
            best, since, kept = loss, 0, _copy(net)
        else:
            since += 1
    for name, p in net.params.items():
        p[...] = kept[name]
    return ran


def train(padding: str, seed: int, n: int, epochs: int) -> dict[str, float]:
    """Test per cent on boxes at the places of the training, and at those of the other label."""
    def split(name: str, images: int) -> Labelled:
        return red_green(name, images, restart=True)  # as the authors'

    net = network(padding, np.random.default_rng(seed))
    ran = _epochs(net, split("train", n), split("valid", n // 2), epochs)
    return {"similar": per_cent(net, *split("similar", 1000)),
            "dissimilar": per_cent(net, *split("dissimilar", 1000)), "epochs": ran}


def jobs(scale: Scale) -> list[Job]:
    n, epochs = scale.of(2000, 400), scale.of(50, 6)
    return [Job(train, {"padding": padding, "seed": seed, "n": n, "epochs": epochs},
                60 * n * epochs / 1e5)
            for padding in PADDINGS for seed in scale.range(3, 1)]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    rows = []
    for padding in PADDINGS:
        ran = [d.result for d in done if d.arguments["padding"] == padding]
        similar, dissimilar = ([r[test] for r in ran] for test in ("similar", "dissimilar"))
        low, high = (45.0, 60.0) if scale.quick else (99.0, 20.0)
        # Where the padding hides the place only the equality of both columns is judged.
        bands = ((low, 100.0), (0.0, high)) if padding in ("valid", "zeros") else (ANY, ANY)
        for test, values, k in (("similar", similar, 0), ("dissimilar", dissimilar, 1)):
            rows.append(figure(f"{padding}, {test}, test %", values, PUBLISHED[padding][k],
                               bands[k], expected=EXPECTED[padding][k]))
        if padding in ("circular", "full"):
            gaps = np.abs(np.subtract(similar, dissimilar)).tolist()
            rows.append(figure(f"{padding}, |similar - dissimilar|, points", gaps, 0, (0, 0)))
    return rows


def change(padding: str, rows: int, seed: int, n: int) -> dict[str, float]:
    """How far the maxima of the maps change when all boxes move by so many rows."""
    x, y = red_green(n=n, restart=True)
    moved = np.stack([np.roll(image, rows if label == 0 else -rows, axis=1)
                      for image, label in zip(x, y, strict=True)])
    net = Sequential(*network(padding, np.random.default_rng(seed)).layers[:-1])
    a, b = net(x), net(moved)
    return {"relative": float(np.linalg.norm(a - b) / np.linalg.norm(a)),
            "bits": float(np.mean(a != b))}


def exact_jobs(scale: Scale) -> list[Job]:
    cases = [*((padding, 16) for padding in PADDINGS), ("full", 4)]
    return [Job(change, {"padding": padding, "rows": rows, "seed": seed,
                         "n": scale.of(200, 50)}, 0.5)
            for padding, rows in cases for seed in scale.range(5, 2)]


def exact_figures(done: list[Done], scale: Scale) -> list[Figure]:
    def values(padding: str, rows: int, what: str) -> list[float]:
        return [d.result[what] for d in done if (
            d.arguments["padding"], d.arguments["rows"]) == (padding, rows)]

    found = [figure(f"{padding}, 16 rows, share of values that change a bit",
                    values(padding, 16, "bits"), 0, (0, 0)) for padding in ("circular", "full")]
    return found + [
        figure(f"{padding}, {rows} rows, relative change", values(padding, rows, "relative"),
               "more than 0", (1e-6, 10))
        for padding, rows in (("zeros", 16), ("valid", 16), ("full", 4))]


SOURCE = "Kayhan & van Gemert, CVPR 2020 (CNNs-Without-Borders)"
RECIPE = Recipe(
    "red-green", "Red-green: answers by colour or by place", SOURCE,
    "conv 3-32-32-64-64, kernel 3, strides 1 2 2 2, no biases, ReLU, global max, dense; Adadelta "
    "lr 1, rho 0.9, eps 1e-6, decay 5e-5; batches of 200 of 2,000 images in order, at most 50 "
    "epochs, the one of least validation loss, stop after 9 without gain. The authors restart "
    "their seed: validation and similar images are training images. "
    "Three seeds, since each takes minutes; --seeds 10 as published.",
    jobs, figures, quick_bands="400 images, 6 epochs: similar at least 45, dissimilar at most 60")
EXACT = Recipe(
    "red-green-exact", "The same networks untrained: does a move change their answer?",
    "a law: a move by a whole number of total strides (8 rows) changes no bit",
    "Random weights; boxes moved by 16 rows, then by 4; the greatest value of each map before and "
    "after, over the norm before.", exact_jobs, exact_figures)
