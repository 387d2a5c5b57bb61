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
from .jobs import Draw, Drawn, For, Job, Make, Recipe, Sample, Train, generator, run
from .networks import SmallNetwork

Array: TypeAlias = "npt.NDArray[Any]"
Data: TypeAlias = "tuple[Array, Array] | tuple[Array, Array, Array, Array] | Draw"
Progress: TypeAlias = Callable[[int, int, Job], None]

TEST_SHARE = 5  # one sample in so many is held back
MOST_TESTED = 2000
TESTED_IF_DRAWN = 1000


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
    progress: bool | Progress = False, n_threads: int = 1,
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
    samples, tested = _source(data, n_test)
    chosen_sizes = _sizes(sizes, samples)
    chosen_seeds = tuple(range(seeds)) if isinstance(seeds, int) else tuple(map(int, seeds))
    if not chosen_seeds:
        raise ValueError("learning_curve: seeds must name at least one seed, got none")
    recipe = Recipe() if train is None else train
    make = _makers(families, lambda: _described(samples, chosen_seeds[0]))
    jobs = [Job(*key) for key in product(make, chosen_sizes, chosen_seeds)]
    parts = {(size, seed): part for seed in chosen_seeds
             for size, part in _parts(samples, chosen_sizes, seed, tested)}

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


def _source(data: Any, n_test: int | None) -> tuple[Sample | tuple[Array, Array] | Drawn, int]:
    """The data in one of its three forms, checked, and the number of test samples."""
    if n_test is not None and n_test < 1:
        raise ValueError(f"learning_curve: n_test must be at least 1, got {n_test}")
    if callable(data):
        tested = n_test or TESTED_IF_DRAWN
        return Drawn(data, tested), tested
    if not isinstance(data, tuple | list) or len(data) not in (2, 4):
        raise TypeError("learning_curve: data must be (x, y), (x, y, test_x, test_y) or a "
                        f"function (n, generator) -> (x, y), got {type(data).__name__}")
    arrays = [np.asarray(a) for a in data]
    for x, y in zip(arrays[::2], arrays[1::2], strict=True):
        if y.ndim != 1 or y.dtype.kind not in "iu" or x.shape[:1] != y.shape or len(y) < 2:
            raise ValueError("learning_curve: data must have one integer label for each sample, "
                             f"got x.shape = {x.shape}, y.shape = {y.shape}, y.dtype = {y.dtype}")
        if y.min() < 0:
            raise ValueError(f"learning_curve: labels must be 0 or more, got {y.min()}")
    if len(arrays) == 4:
        if n_test is not None:
            raise ValueError("learning_curve: n_test must not be given with test_x and test_y")
        return Sample(*arrays), len(arrays[3])
    x, y = arrays
    tested = n_test or min(max(1, len(y) // TEST_SHARE), MOST_TESTED)
    if tested >= len(y):
        raise ValueError(f"learning_curve: n_test must be less than the {len(y)} samples, "
                         f"got {n_test}")
    return (x, y), tested


def _sizes(sizes: Sequence[int], samples: Sample | tuple[Array, Array] | Drawn
           ) -> tuple[int, ...]:
    chosen = tuple(map(int, sizes))
    if not chosen or chosen[0] < 1 or any(a >= b for a, b in pairwise(chosen)):
        raise ValueError(f"learning_curve: sizes must be at least 1 and ascend, got {sizes!r}")
    return chosen


def _described(samples: Sample | tuple[Array, Array] | Drawn, seed: int
               ) -> tuple[tuple[int, ...], int]:
    """Shape of one x, and number of classes."""
    if isinstance(samples, Drawn):
        x, y = samples.test(seed)
        return x.shape[1:], int(y.max()) + 1
    labels = samples[1::2]
    return samples[0].shape[1:], max(int(y.max()) for y in labels) + 1


def _parts(samples: Sample | tuple[Array, Array] | Drawn, sizes: tuple[int, ...], seed: int,
           tested: int) -> list[tuple[int, Sample | Drawn]]:
    """For each size what its runs get: no more than they need, as it may travel."""
    if isinstance(samples, Drawn):
        return [(size, samples) for size in sizes]
    if isinstance(samples, Sample):
        x, y, test_x, test_y = samples
        order = _in_turn(y, seed)
    else:
        x, y = samples
        order = _in_turn(y, seed)
        held, order = order[:tested], order[tested:]
        test_x, test_y = x[held], y[held]
    if sizes[-1] > len(order):
        raise ValueError(f"learning_curve: sizes must be at most the {len(order)} samples to "
                         f"train on, got {sizes[-1]}")
    order = order[:sizes[-1]]
    x, y = x[order], y[order]
    return [(size, Sample(x[:size], y[:size], test_x, test_y)) for size in sizes]


def _in_turn(y: Array, seed: int) -> Array:
    """A random order in which every stretch holds the classes in nearly equal proportions to the
    whole: each class is spread evenly."""
    rng = generator(seed, For.ORDER)
    place = np.empty(len(y))
    for c in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == c))
        place[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(place, kind="stable")
