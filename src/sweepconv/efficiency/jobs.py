"""One training run: a pure function of (family, size, seed) and the data.

Every random number comes from `SeedSequence(seed, spawn_key=(what for, ...))`, so no run knows
which others there are, where it runs, or when.  For one size and seed all families see the same
samples in the same batches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.layers import Layer
from sweepconv.layers.fitting import fit, predict
from sweepconv.runtime import threads

from .samples import Drawn, For, Sample, generator

Array: TypeAlias = "npt.NDArray[Any]"
Make: TypeAlias = Callable[[np.random.Generator], Layer]
Train: TypeAlias = Callable[[Layer, Array, Array, np.random.Generator], None]


@dataclass(frozen=True, order=True)
class Job:
    """The key of one run."""

    family: str
    size: int
    seed: int


@dataclass(frozen=True)
class Recipe:
    """Training with a fixed budget: Adam on softmax cross-entropy, batches drawn so that each
    class comes equally often on average."""

    steps: int = 400
    batch: int = 40
    learning_rate: float = 1e-2

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
