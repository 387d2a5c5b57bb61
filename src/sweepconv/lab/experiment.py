"""Runs a plan and returns one dictionary that JSON can hold.

What a clock measured stands under "timings" alone; everything else is the same bit for bit
whenever plan, data and machine are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from sweepconv.efficiency.reach import images_needed
from sweepconv.layers import Sequential
from sweepconv.output.environment import environment
from sweepconv.runtime import resolve_threads

from .jobs import CURVES, Job, Trained, all_jobs, train, usable_sizes
from .measures import common_level
from .networks import cost
from .pictures import pictures
from .plan import FAMILIES, Plan, choose_sweep
from .tasks import class_names, make_tasks, reach
from .timing import sweep_times
from .trained import Moves, measure_moves, pixels_tried, strides_tried

PACKAGES = ("numpy", "matplotlib", "rich", "scikit-learn", "mlxtend")
Array: TypeAlias = "npt.NDArray[Any]"
Tick: TypeAlias = Callable[[str, int], None]  # what goes on, and how much more is done
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

SCHEMA = 1  # of the dictionary; a number that grows when a key changes its meaning


def side_by_side(work: Callable[[Item], Outcome], items: list[Item], workers: int,
                 done: Callable[[Item], None]) -> list[Outcome]:
    """`work` for all items, in their order; on an exception what has not begun is given up."""
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(work, item): item for item in items}
        try:
            for future in as_completed(futures):
                future.result()
                done(futures[future])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]


class Experiment:
    """A plan with its data.  `run` does the work; `amount` is its size in ticks."""

    def __init__(self, plan: Plan, x: Array, labels: Array) -> None:
        self.plan = plan
        self.sweep = choose_sweep(x.shape[1:], plan.maps)
        self.names = class_names(labels, plan.target)
        self.tasks = [make_tasks(x, labels, plan.target, self.sweep, plan.sizes[-1], [plan.seed, r])
                      for r in range(plan.seeds)]
        first = self.tasks[0]
        self.sizes = usable_sizes(plan, len(first["centred"].train_x))
        self.jobs = all_jobs(plan, self.sizes, list(first))
        self.workers = resolve_threads("compare", plan.n_threads)
        self.pixels = pixels_tried(self.sweep, plan.quick)
        self.amount = sum(job.weight for job in self.jobs) + plan.seeds * len(FAMILIES)

    def run(self, tick: Tick = lambda what, amount: None) -> dict[str, Any]:
        """Every figure.  `tick` is called in the calling thread."""
        start = time.perf_counter()
        runs = self._train(tick)
        nets = {(job.family, job.seed): run.net for job, run in runs.items() if run.net}
        moves = self._move(nets, tick)
        return {
            "schema": SCHEMA,
            "settings": self._settings(),
            "families": {f: cost(f, self.sweep) for f in FAMILIES},
            "questions": {q: self._question(q, runs) for q in dict.fromkeys(
                job.question for job in self.jobs)},
            "equivariance": self._equivariance(moves),
            "moved_tests": {"pixels": self.pixels, "accuracy": {f: np.transpose(
                [moves[f, r].accuracy for r in range(self.plan.seeds)]).tolist()
                for f in FAMILIES}},
            "pictures": pictures({f: nets[f, 0] for f in FAMILIES}, self.sweep,
                                 self.tasks[0]["centred"]),
            "environment": environment(PACKAGES),
            "timings": {
                "sweeps": sweep_times(self.plan, self.sweep),
                "training_seconds": {f: sum(run.seconds for job, run in runs.items()
                                            if job.family == f) for f in FAMILIES},
                "workers": self.workers,
                "total_seconds": time.perf_counter() - start,
            },
        }

    def _train(self, tick: Tick) -> dict[Job, Trained]:
        def work(job: Job) -> Trained:
            keep = job.question == "centred" and job.n == self.sizes[-1]
            return train(job, self.plan, self.sweep, self.tasks[job.seed][job.task],
                         len(self.names), keep)

        trained = side_by_side(work, self.jobs, self.workers,
                               lambda job: tick(f"training on {job.n} images", job.weight))
        return dict(zip(self.jobs, trained, strict=True))

    def _move(self, nets: dict[tuple[str, int], Sequential], tick: Tick
              ) -> dict[tuple[str, int], Moves]:
        def work(key: tuple[str, int]) -> Moves:
            return measure_moves(nets[key], self.sweep, self.tasks[key[1]]["centred"],
                                 self.pixels)

        found = side_by_side(work, list(nets), self.workers,
                             lambda key: tick("moving the test images", 1))
        return dict(zip(nets, found, strict=True))

    def _settings(self) -> dict[str, Any]:
        """Plan and geometry, and what follows from them and the data."""
        first = self.tasks[0]["centred"]
        return {
            **asdict(self.plan),
            **asdict(self.sweep),
            "window": self.sweep.window,
            "sizes": self.sizes,
            "classes": self.names,
            "images": len(first.train_x) + len(first.test_x),
            "tested": len(first.test_x),
            "reach": reach(self.sweep.in_size),
        }

    def _question(self, question: str, runs: dict[Job, Trained]) -> dict[str, Any]:
        """Accuracy (size, seed) of each family, and the images needed for a common level."""
        asked = [job for job in self.jobs if job.question == question]
        sizes = list(dict.fromkeys(job.n for job in asked))

        def table(family: str, figure: str) -> list[list[Any]]:
            return [[getattr(runs[job], figure) for job in asked
                     if job.family == family and job.n == n] for n in sizes]

        classes = 2 if asked[0].task == "place" else len(self.names)
        found: dict[str, Any] = {
            "head": asked[0].head, "chance": 1 / classes, "sizes": sizes,
            "accuracy": {f: table(f, "accuracy") for f in FAMILIES},
        }
        if asked[0].task == "place":
            found["predicted_alike"] = {f: table(f, "predicted_alike") for f in FAMILIES}
        if question in CURVES:
            found["needed"] = needed(sizes, found["accuracy"], 1 / classes)
        return found

    def _equivariance(self, moves: dict[tuple[str, int], Moves]) -> dict[str, Any]:
        def mean(family: str, figure: str) -> list[float]:
            values = [getattr(moves[family, r], figure) for r in range(self.plan.seeds)]
            return [float(v) for v in np.mean(values, axis=0)]

        return {"strides": strides_tried(self.sweep),
                "error": {f: mean(f, "error") for f in FAMILIES},
                "same": {f: mean(f, "same") for f in FAMILIES}}


def needed(sizes: list[int], accuracy: dict[str, list[list[float]]], chance: float
           ) -> dict[str, Any]:
    """Images each family needs for the highest level that two of them reach."""
    curves = {f: [float(np.mean(seeds)) for seeds in rows] for f, rows in accuracy.items()}
    level = common_level(list(curves.values()), chance)
    return {"level": level, "images": {
        f: None if level is None else images_needed(sizes, curve, level)
        for f, curve in curves.items()}}
