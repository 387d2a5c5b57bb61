"""Runs a plan and returns one dictionary that JSON can hold.

What a clock measured stands under "timings" alone; everything else is the same bit for bit
whenever plan, data and machine are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from sweepconv.runtime import resolve_threads

from .environment import environment
from .jobs import CURVES, Job, Trained, all_jobs, train, usable_sizes
from .measures import common_level, images_needed
from .networks import cost
from .pictures import pictures
from .plan import FAMILIES, Plan, choose_sweep
from .tasks import class_names, make_tasks, reach
from .timing import sweep_times
from .trained import Moves, measure_moves, pixels_tried, strides_tried

Array: TypeAlias = "npt.NDArray[Any]"
Tick: TypeAlias = "Callable[[str, int], None]"  # what goes on, and how much more is done
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

SCHEMA = 1  # of the dictionary; a number that grows when a key changes its meaning


def side_by_side(work: Callable[[Item], Outcome], items: list[Item], workers: int,
                 done: Callable[[Item], None]) -> list[Outcome]:
    """`work` for all items, in their order; on an exception what has not begun is given up."""
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(work, item): item for item in items}
        try:
            open_ = set(futures)
            while open_:
                ended, open_ = wait(open_, return_when=FIRST_COMPLETED)
                for future in ended:
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
        self.tasks = [make_tasks(x, labels, plan.target, self.sweep, [plan.seed, r])
                      for r in range(plan.seeds)]
        first = self.tasks[0]
        self.sizes = usable_sizes(plan, len(first["centred"].train_x))
        self.jobs = all_jobs(plan, self.sizes, list(first))
        self.workers = resolve_threads("compare", plan.n_threads)
        self.pixels = pixels_tried(self.sweep, plan.quick)
        self.amount = sum(job.weight for job in self.jobs) + 3 * plan.seeds * len(FAMILIES)

    def run(self, tick: Tick = lambda what, amount: None) -> dict[str, Any]:
        """Every figure.  `tick` is called in the calling thread."""
        start = time.perf_counter()
        runs = self._train(tick)
        finals = {(f, r): runs[self._final(f, r)] for f in FAMILIES
                  for r in range(self.plan.seeds)}
        moves = self._move(finals, tick)
        return {
            "schema": SCHEMA,
            "settings": self._settings(),
            "families": {f: cost(f, self.sweep) for f in FAMILIES},
            "questions": self._questions(runs),
            "equivariance": self._equivariance(moves),
            "moved_tests": {"pixels": self.pixels, "accuracy": self._by_seed(moves)},
            "pictures": pictures({f: finals[f, 0].net for f in FAMILIES}, self.sweep,
                                 self.tasks[0]["centred"]),
            "environment": environment(),
            "timings": {
                "sweeps": sweep_times(self.plan, self.sweep),
                "training_seconds": {f: sum(run.seconds for job, run in runs.items()
                                            if job.family == f) for f in FAMILIES},
                "total_seconds": time.perf_counter() - start,
            },
        }
