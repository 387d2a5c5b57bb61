"""The training runs of a plan: what there is to do, and doing one of them.

Runs share nothing, so they go side by side, one thread each, and the order in which they end is
no matter.  All families see the same images in the same batches in the same order.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweepconv.layers import Sequential
from sweepconv.layers.fitting import balanced_accuracy, fit, predict
from sweepconv.runtime import threads

from .networks import Head, network
from .plan import FAMILIES, Plan, Sweep
from .tasks import Task

CURVES = ("centred", "moved")  # questions asked at every sample size
SIDE: tuple[tuple[str, str, Head], ...] = (  # question, task, head: asked at one size
    ("shuffled", "shuffled", "keeps"),
    ("place_kept", "place", "keeps"),
    ("place_forgotten", "place", "forgets"),
)


@dataclass(frozen=True)
class Job:
    """One training run."""

    question: str
    task: str
    head: Head
    seed: int
    n: int
    family: str

    @property
    def weight(self) -> int:
        """About how long it takes; only the progress bar uses it."""
        return 3 if self.family == "dense" else 1


@dataclass(frozen=True)
class Trained:
    """What a run leaves behind; the network only where it is wanted later, as it may be large."""

    net: Sequential | None
    accuracy: float
    predicted_alike: float | None  # place task: share of images answered alike at both places
    seconds: float


def usable_sizes(plan: Plan, pool: int) -> list[int]:
    """The plan's sample sizes as far as the training images reach, and all of these."""
    fits = [n for n in plan.sizes if n < pool]
    return [*fits, pool] if len(fits) < len(plan.sizes) else fits


def all_jobs(plan: Plan, sizes: Sequence[int], tasks: Sequence[str]) -> list[Job]:
    """All training runs, the families in turn."""
    side = min((n for n in sizes if n >= plan.side_size), default=sizes[-1])
    asked: list[tuple[str, str, Head, Sequence[int]]] = [
        *((name, name, "keeps", sizes) for name in CURVES),
        *((question, task, head, [side]) for question, task, head in SIDE if task in tasks),
    ]
    return [Job(question, task, head, seed, n, family)
            for question, task, head, ns in asked
            for seed in range(plan.seeds) for n in ns for family in FAMILIES]


def train(job: Job, plan: Plan, sweep: Sweep, task: Task, classes: int, keep: bool) -> Trained:
    """Do one job, and keep the network if so told."""
    start = time.perf_counter()
    drawn = [plan.seed, job.seed, job.n]
    with threads(1):
        net = network(job.family, sweep, classes, np.random.default_rng([*drawn, 1]), job.head)
        fit(net, task.train_x[:job.n], task.train_y[:job.n], steps=plan.steps, batch=plan.batch,
            learning_rate=plan.learning_rate, rng=np.random.default_rng([*drawn, 2]))
        predicted = predict(net, task.test_x)
    half = len(predicted) // 2
    alike = float(np.mean(predicted[:half] == predicted[half:])) if job.task == "place" else None
    accuracy = balanced_accuracy(task.test_y, predicted)
    return Trained(net if keep else None, accuracy, alike, time.perf_counter() - start)
