"""`learning_curve`: every family with every number of samples, for several seeds, anywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import asdict, is_dataclass
from itertools import pairwise, product
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.counts import LADDER

from .curve import LearningCurve
from .jobs import Job, Make, Recipe, Train, run
from .networks import SmallNetwork
from .samples import Data, parts_of, shape_and_classes, source

Progress: TypeAlias = Callable[[int, int, Job], None]


class JobError(RuntimeError):
    """A run that failed; `.job` says which, `__cause__` why."""

    def __init__(self, job: Job, error: BaseException) -> None:
        super().__init__(job, error)  # what pickle makes it of again
        self.job = job

    def __str__(self) -> str:
        job, error = self.args
        return (f"learning_curve: the run family={job.family!r}, size={job.size}, "
                f"seed={job.seed} failed: {type(error).__name__}: {error}")


def learning_curve(
    families: Iterable[str] | Mapping[str, Make] = LADDER, data: Data | None = None,
    sizes: Sequence[int] = (50, 100, 200, 400), seeds: int | Sequence[int] = 3, *,
    train: Train | None = None, executor: Executor | None = None, n_test: int | None = None,
    progress: bool | Progress = False, dtype: npt.DTypeLike = np.float32, n_threads: int = 1,
) -> LearningCurve:
    """Test accuracy against the number of training samples.

    Each (family, size, seed) is a run of its own, a pure function of the three: the result is the
    same bit for bit without an executor, in threads, in processes and on a cluster, and whichever
    other families, sizes and seeds there are.

    Parameters
    ----------
    families : names of "dense", "local", "tiled", "conv", each with a `SmallNetwork`; or a mapping
        from any name to a function that makes a layer or network from a generator.  What goes to
        other processes must be picklable: a function of a module, not a lambda.
    data : (x, y), of which a part is held back for tests, another for each seed; or
        (x, y, test_x, test_y); or a function (n, generator) -> (x, y), called in the run itself.
        x is (N, C, *spatial) or what the networks take, y (N,) integers from 0.
    sizes : training samples.  Of arrays, the samples of a size hold those of each smaller one.
    seeds : seeds, or how many: 0, 1, ...
    train : function (network, x, y, generator) that trains in place; default `Recipe()`.
    executor : any `concurrent.futures.Executor`, also loky's and
        `dask.distributed.Client.get_executor()`; it is left open.  None: one run after the other.
    n_test : test samples; default a fifth of (x, y), at most 2,000, or 1,000 drawn ones.
    progress : True for a count on stderr, where that is a terminal; or a function
        (done, of how many, job), called in this thread whenever a run ends.
    dtype : that x is converted to; the networks of the four families take float32.
    n_threads : threads of each run's sweeps; it changes no bit.

    Raises
    ------
    JobError
        A run failed; it names the run.  What has not begun is cancelled.

    Examples
    --------
    Is a small wave upright or upside down, wherever it lies?

    >>> def waves(n, rng):
    ...     y, at = rng.integers(2, size=n), rng.integers(20, size=n)
    ...     x = rng.standard_normal((n, 1, 24), np.float32) / 4
    ...     for i, value in enumerate((1, -1, 2, -1, 1)):
    ...         x[np.arange(n), 0, at + i] += value * (2 * y - 1)
    ...     return x, y
    >>> quick = Recipe(steps=100, batch=20, learning_rate=1e-2)
    >>> curve = learning_curve(["dense", "conv"], waves, [25, 50, 100], train=quick)
    >>> dense, conv = curve.mean
    >>> bool((conv > dense).all())
    True
    """
    samples, tested = source(data, n_test, dtype)
    chosen_sizes = _sizes(sizes)
    chosen_seeds = tuple(range(seeds)) if isinstance(seeds, int) else tuple(map(int, seeds))
    if not chosen_seeds:
        raise ValueError("learning_curve: seeds must name at least one seed, got none")
    recipe = Recipe() if train is None else train
    make = _makers(families, lambda: shape_and_classes(samples, chosen_seeds[0]))
    jobs = [Job(*key) for key in product(make, chosen_sizes, chosen_seeds)]
    parts = {(size, seed): part for seed in chosen_seeds
             for size, part in parts_of(samples, chosen_sizes, seed, tested)}

    def arguments(job: Job) -> tuple[Any, ...]:
        return job, make[job.family], parts[job.size, job.seed], recipe, n_threads

    tick = _shown if progress is True else progress or (lambda done, total, job: None)
    accuracy = _run_all(jobs, arguments, executor, tick)
    return LearningCurve(
        tuple(make), chosen_sizes, chosen_seeds,
        np.reshape(accuracy, (len(make), len(chosen_sizes), len(chosen_seeds))),
        {"train": _name(recipe), "networks": {f: _name(m) for f, m in make.items()},
         "tested": tested})


def _shown(done: int, total: int, job: Job) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        sys.stderr.write(f"\r{done}/{total} runs: {job.family}, {job.size} samples\033[K{end}")
        sys.stderr.flush()


def _name(maker: Any) -> Any:
    """What a function is called, or what it was made with: no address, which differs each time."""
    if is_dataclass(maker) and not isinstance(maker, type):
        return {"name": type(maker).__name__, **asdict(maker)}
    return getattr(maker, "__qualname__", type(maker).__name__)


def _run_all(jobs: list[Job], arguments: Callable[[Job], tuple[Any, ...]],
             executor: Executor | None, tick: Progress) -> list[float]:
    """The result of every job, in the order of `jobs`."""
    if executor is not None:
        return _submit_all(jobs, arguments, executor, tick)
    results = []
    for i, job in enumerate(jobs):
        try:
            results.append(run(*arguments(job)))
        except Exception as error:
            raise JobError(job, error) from error
        tick(i + 1, len(jobs), job)
    return results


def _submit_all(jobs: list[Job], arguments: Callable[[Job], tuple[Any, ...]], executor: Executor,
                tick: Progress) -> list[float]:
    futures: dict[Future[float], Job] = {}
    results: dict[Job, float] = {}
    try:
        for job in jobs:
            futures[executor.submit(run, *arguments(job))] = job
        running = set(futures)
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for job, future in sorted((futures[f], f) for f in ended):
                try:
                    results[job] = future.result()
                except Exception as error:
                    raise JobError(job, error) from error
                tick(len(results), len(jobs), job)
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return [results[job] for job in jobs]


def _makers(families: Iterable[str] | Mapping[str, Make],
            described: Callable[[], tuple[tuple[int, ...], int]]) -> dict[str, Make]:
    if isinstance(families, Mapping):
        makers = dict(families)
    else:
        names = [families] if isinstance(families, str) else list(families)
        shape, classes = described()
        makers = {name: SmallNetwork(name, shape, classes) for name in names}
    if not makers:
        raise ValueError("learning_curve: families must name at least one, got none")
    return makers


def _sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    chosen = tuple(map(int, sizes))
    if not chosen or chosen[0] < 1 or any(a >= b for a, b in pairwise(chosen)):
        raise ValueError(f"learning_curve: sizes must be at least 1 and ascend, got {sizes!r}")
    return chosen
