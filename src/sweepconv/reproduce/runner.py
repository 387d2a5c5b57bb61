"""All jobs of the chosen recipes: in this process, or side by side in others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from sweepconv.runtime import threads

from .recipe import Done, Job, Recipe, Scale

Tick: TypeAlias = Callable[[str, float], None]  # the id, and how much more is done
# Every process computes with one thread: seeds are what runs side by side.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Timed(NamedTuple):
    """A result and the seconds of processor time that it took: of one thread, so what a clock
    shows where nothing else runs."""

    result: Any
    seconds: float


class Ran(NamedTuple):
    """What the jobs of a recipe returned, and the processor time of all."""

    done: list[Done]
    seconds: float


def timed(job: Job) -> Timed:
    """One job, with one thread."""
    start = time.process_time()
    with threads(1):
        result = job.work(**job.arguments)
    return Timed(result, time.process_time() - start)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Environment variables for the processes that begin inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _side_by_side(jobs: Sequence[tuple[str, Job]], workers: int, tick: Tick) -> list[Timed]:
    """The longest first; on an exception what runs is ended, and what has not begun given up.

    Ctrl-C is this process's to answer: the others do not hear it.
    """
    others = set(multiprocessing.active_children())
    with _environment(**ONE_THREAD), ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), signal.signal,
            (signal.SIGINT, signal.SIG_IGN)) as pool:
        order = sorted(range(len(jobs)), key=lambda i: -jobs[i][1].weight)
        futures: dict[Future[Timed], int] = {pool.submit(timed, jobs[i][1]): i for i in order}
        try:
            for future in as_completed(futures):
                future.result()
                name, job = jobs[futures[future]]
                tick(name, job.weight)
        except BaseException:
            for future in futures:
                future.cancel()
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()  # the end of the pool waits for them
            raise
        found = {i: future.result() for future, i in futures.items()}
    return [found[i] for i in range(len(jobs))]


def _in_turn(jobs: Sequence[tuple[str, Job]], tick: Tick) -> list[Timed]:
    found = []
    for name, job in jobs:
        found.append(timed(job))
        tick(name, job.weight)
    return found


def amount(recipes: Sequence[Recipe], scale: Scale) -> float:
    """The weight of all jobs: the length of the progress bar."""
    return sum(job.weight for recipe in recipes for job in recipe.jobs(scale))


def run(recipes: Sequence[Recipe], scale: Scale, workers: int,
        tick: Tick = lambda name, more: None) -> dict[str, Ran]:
    """What every recipe's jobs returned.  `tick` is called in the calling thread."""
    jobs = [(recipe.id, job) for recipe in recipes for job in recipe.jobs(scale)]
    workers = min(workers, len(jobs))
    results = _in_turn(jobs, tick) if workers < 2 else _side_by_side(jobs, workers, tick)
    ran = {recipe.id: Ran([], 0.0) for recipe in recipes}
    for (name, job), (result, seconds) in zip(jobs, results, strict=True):
        done, so_far = ran[name]
        done.append(Done(job.arguments, result))
        ran[name] = Ran(done, so_far + seconds)
    return ran
