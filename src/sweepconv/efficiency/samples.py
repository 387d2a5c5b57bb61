"""What the runs of a learning curve are trained on and tested with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
Draw: TypeAlias = Callable[[int, np.random.Generator], "tuple[Array, Array]"]
Data: TypeAlias = "tuple[Array, Array] | tuple[Array, Array, Array, Array] | Draw"

TEST_SHARE = 5  # one sample in so many is held back
MOST_TESTED = 2000
TESTED_IF_DRAWN = 1000


class For(IntEnum):
    """What random numbers are for: the first part of a spawn key."""

    ORDER, TRAIN_DATA, TEST_DATA, WEIGHTS, TRAINING = range(5)


def generator(seed: int, purpose: For, size: int = 0) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(purpose, size)))


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
    dtype: str

    def test(self, seed: int) -> tuple[Array, Array]:
        return self._drawn(self.n_test, generator(seed, For.TEST_DATA))

    def sample(self, size: int, seed: int) -> Sample:
        return Sample(*self._drawn(size, generator(seed, For.TRAIN_DATA, size)), *self.test(seed))

    def _drawn(self, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
        x, y = self.draw(n, rng)
        x, y = np.asarray(x, self.dtype), np.asarray(y)
        if x.shape[:1] != (n,) or y.shape != (n,):
            raise ValueError(f"learning_curve: data was asked for n = {n} samples and returned "
                             f"x.shape = {x.shape}, y.shape = {y.shape}")
        return x, y


Source: TypeAlias = "Sample | tuple[Array, Array] | Drawn"


def source(data: Any, n_test: int | None, dtype: npt.DTypeLike) -> tuple[Source, int]:
    """The data in one of its three forms, checked, and the number of test samples."""
    if n_test is not None and n_test < 1:
        raise ValueError(f"learning_curve: n_test must be at least 1, got {n_test}")
    kind = np.dtype(dtype).name
    if callable(data):
        tested = n_test or TESTED_IF_DRAWN
        return Drawn(data, tested, kind), tested
    if not isinstance(data, tuple | list) or len(data) not in (2, 4):
        raise TypeError("learning_curve: data must be (x, y), (x, y, test_x, test_y) or a "
                        f"function (n, generator) -> (x, y), got {type(data).__name__}")
    arrays = [np.asarray(a, None if i % 2 else kind) for i, a in enumerate(data)]
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


def shape_and_classes(samples: Source, seed: int) -> tuple[tuple[int, ...], int]:
    """Shape of one x, and number of classes."""
    if isinstance(samples, Drawn):
        x, y = samples.test(seed)
        return x.shape[1:], int(y.max()) + 1
    labels = samples[1::2]
    return samples[0].shape[1:], max(int(y.max()) for y in labels) + 1


def parts_of(samples: Source, sizes: tuple[int, ...], seed: int, tested: int
             ) -> list[tuple[int, Sample | Drawn]]:
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
