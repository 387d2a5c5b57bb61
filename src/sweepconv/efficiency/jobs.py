"""One training run: a pure function of (family, size, seed) and the data.

Every random number comes from `SeedSequence(seed, spawn_key=(what for, ...))`, so no run knows
which others there are, where it runs, or when.  For one size and seed all families see the same
samples in the same batches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.layers import Layer
from sweepconv.layers.fitting import fit, predict
from sweepconv.runtime import threads

Array: TypeAlias = "npt.NDArray[Any]"
Make: TypeAlias = Callable[[np.random.Generator], Layer]
Draw: TypeAlias = Callable[[int, np.random.Generator], "tuple[Array, Array]"]
Train: TypeAlias = Callable[[Layer, Array, Array, np.random.Generator], None]


class For(IntEnum):
    """What random numbers are for: the first part of a spawn key."""

    ORDER, TRAIN_DATA, TEST_DATA, WEIGHTS, TRAINING = range(5)


def generator(seed: int, purpose: For, size: int = 0) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, size)))


@dataclass(frozen=True, order=True)
class Job:
    """The key of one run."""

    family: str
    size: int
    seed: int


class Sample(NamedTuple):
    """What a run is trained on and tested with: x (N, C, *spatial) or (N, D), y (N,)."""

    x: Array
    y: Array
    test_x: Array
    test_y: Array


@dataclass(frozen=True)
class Drawn:
    """Samples that a function makes, where and when a run needs them."""

    draw: Draw
    n_test: int

    def test(self, seed: int) -> tuple[Array, Array]:
        x, y = self.draw(self.n_test, generator(seed, For.TEST_DATA))
        return np.asarray(x), np.asarray(y)

    def sample(self, size: int, seed: int) -> Sample:
        x, y = self.draw(size, generator(seed, For.TRAIN_DATA, size))
        return Sample(np.asarray(x), np.asarray(y), *self.test(seed))


@dataclass(frozen=True)
class Recipe:
    """Training with a fixed budget: Adam on softmax cross-entropy, batches drawn so that each
    class comes equally often on average."""

    steps: int = 200
    batch: int = 40
    learning_rate: float = 3e-3

    def __call__(self, net: Layer, x: Array, y: Array, rng: np.random.Generator) -> None:
        fit(net, x, y, steps=self.steps, batch=self.batch, learning_rate=self.learning_rate,
            rng=rng)


def run(job: Job, make: Make, data: Sample | Drawn, train: Train, n_threads: int) -> float:
    """Train the network of one job; the share of the test samples that it recognises."""
    sample = data.sample(job.size, job.seed) if isinstance(data, Drawn) else data
    with threads(n_threads):
        net = make(generator(job.seed, For.WEIGHTS, job.size))
        train(net, sample.x, sample.y, generator(job.seed, For.TRAINING, job.size))
        return float(np.mean(predict(net, sample.test_x) == sample.test_y))
