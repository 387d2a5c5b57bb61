"""Adaptive polyphase sampling: the same answer for every shift, before any training."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from sweepconv.datasets import mnist5k
from sweepconv.equivariance import APS
from sweepconv.layers import Conv, Dense, GlobalMaxPool, Layer, MaxPool, ReLU, Sequential
from sweepconv.reproduce.recipe import Done, Figure, Job, Recipe, Scale, figure

CHANNELS = (1, 16, 32)
FRAME = 2  # of zeros around 28x28: 32 is divisible by the total stride


def network(adaptive: bool, seed: int) -> Sequential:
    """Two circular convolutions, each followed by a stride of 2; the greatest of each map."""
    rng = np.random.default_rng(seed)
    layers: list[Layer] = []
    for ins, outs in pairwise(CHANNELS):
        layers += [Conv(ins, outs, 3, padding=1, padding_mode="circular", rng=rng), ReLU(),
                   APS(2, norm=2) if adaptive else MaxPool(1, stride=2)]  # each second value
    return Sequential(*layers, GlobalMaxPool(), Dense(CHANNELS[-1], 10, rng=rng))


def consistency(adaptive: bool, seed: int, images: int, shifts: int) -> dict[str, float]:
    """Share of images that get one answer under two random shifts, and of equal score bits."""
    rng = np.random.default_rng([seed, 1])
    x, _ = mnist5k()
    x = x[rng.choice(len(x), images, replace=False)]
    x = np.pad(x, ((0, 0), (0, 0), (FRAME, FRAME), (FRAME, FRAME)))
    net = network(adaptive, seed)
    first, same, bits = net(x), [], []
    for _ in range(shifts):
        moved = net(np.roll(x, rng.integers(0, x.shape[-1], 2), axis=(2, 3)))
        same.append(np.mean(moved.argmax(axis=1) == first.argmax(axis=1)))
        bits.append(np.mean(moved == first))
    return {"answers": 100 * float(np.mean(same)), "bits": 100 * float(np.mean(bits))}


def jobs(scale: Scale) -> list[Job]:
    return [Job(consistency, {"adaptive": adaptive, "seed": seed, "images": scale.of(100, 50),
                              "shifts": scale.of(16, 8)}, scale.of(3, 1))
            for adaptive in (True, False) for seed in scale.range(5, 2)]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    def values(adaptive: bool, what: str) -> list[float]:
        return [d.result[what] for d in done if d.arguments["adaptive"] == adaptive]

    return [
        figure("adaptive, same answer, %", values(True, "answers"), 100, (100, 100)),
        figure("adaptive, score bits equal, %", values(True, "bits"), "-", (100, 100)),
        figure("plain stride 2, same answer, %", values(False, "answers"), "less than 100",
               (0, 99.9)),
        figure("plain stride 2, score bits equal, %", values(False, "bits"), "-", (0, 99.9)),
    ]


RECIPE = Recipe(
    "aps", "Adaptive polyphase sampling: the same answer for every shift",
    "Chaman & Dokmanic, CVPR 2021",
    "Untrained networks, two circular convolutions each with a stride of 2; images of mnist5k in a "
    "frame of zeros, 32x32, moved circularly by any number of pixels.",
    jobs, figures)
