"""The questions put to the four families, as labelled images for one seed.

    centred    is this the target?  Images as they come
    moved      the same, each image moved by a few pixels, another amount each time
    shuffled   the moved images with all pixels put in another order, one fixed order for all
    place      was the (shrunk) image put near the start or the end of the first axis?

In `shuffled` and `place` the meaning depends on place, so sharing can be expected to harm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .measures import shift
from .plan import Sweep

Array: TypeAlias = "npt.NDArray[Any]"

TEST_SHARE = 0.2
MOST_TESTED = 2000  # keeps large data sets of one's own within the time
LEAST_PER_CLASS = 5  # 4 to train on and 1 to test with


@dataclass(frozen=True)
class Task:
    """Training images in the order of their use: the first n are the sample of size n."""

    train_x: Array
    train_y: Array
    test_x: Array
    test_y: Array


def class_names(labels: Array, target: str) -> list[str]:
    """Names of the classes that are told apart; ValueError if `target` is not in the data."""
    present = [str(c) for c in np.unique(labels)]
    if target == "all":
        return present
    if target not in present:
        shown = ", ".join(present[:20]) + (", ..." if len(present) > 20 else "")
        raise ValueError(f"--target {target}: no such class in the data, which has {shown}")
    return [f"not {target}", target]


def targets(labels: Array, target: str) -> Array:
    """Class numbers 0, 1, ... in the order of `class_names`."""
    if target == "all":
        numbers: Array = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        return numbers
    return np.where(labels == int(target), 1, 0)


def split(labels: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Indices to train on and to test with, at random within each class.

    Every prefix of the first holds the classes in nearly the same proportions as the whole, and
    begins with one of each.
    """
    place, train, test = [], [], []
    for c, count in zip(*np.unique(labels, return_counts=True), strict=True):
        if count < LEAST_PER_CLASS:
            raise ValueError(f"class {c} has only {count} images, expected {LEAST_PER_CLASS} "
                             "or more")
        order = rng.permutation(np.flatnonzero(labels == c))
        held = min(max(1, round(TEST_SHARE * count)), round(MOST_TESTED * count / len(labels)) + 1)
        test.append(order[:held])
        train.append(order[held:])
        place.append(np.arange(count - held) / (count - held))
    in_turn = np.argsort(np.concatenate(place), kind="stable")
    return np.concatenate(train)[in_turn], np.concatenate(test)


def reach(in_size: tuple[int, ...]) -> int:
    """Greatest move in pixels: a seventh of the shortest axis; on MNIST little ink is lost."""
    return max(1, min(in_size) // 7)


def move(x: Array, rng: np.random.Generator) -> Array:
    """Each image moved by its own whole number of pixels on each axis."""
    size = x.shape[2:]
    most = reach(size)
    by = rng.integers(-most, most + 1, (len(x), len(size)))
    return np.concatenate([shift(x[i:i + 1], tuple(d)) for i, d in enumerate(by)])


def shuffle(x: Array, rng: np.random.Generator) -> Array:
    """All pixels in another order, the same for every image and channel."""
    flat = x.reshape(*x.shape[:2], -1)
    return np.ascontiguousarray(flat[..., rng.permutation(flat.shape[-1])].reshape(x.shape))


def room(sweep: Sweep) -> int:
    """Greatest length of a shrunk image in the place task, see `placed`."""
    free = sweep.in_size[0] - 2 * (sweep.kernel[0] - 1)
    return free - sweep.stride[0] * sweep.period


def placed(x: Array, sweep: Sweep) -> tuple[Array, Array]:
    """Each image shrunk, near the start and near the end of the first spatial axis.

    Both places are a kernel away from the border and a whole number of strides and periods
    apart.  So every window that meets the image at one place has its twin at the other, and a
    shared filter gives exactly the same answers, elsewhere.
    """
    factor = -(-sweep.in_size[0] // room(sweep))
    small = _shrink(x, factor)
    margin = sweep.kernel[0] - 1
    copies = []
    for first in (margin, margin + sweep.stride[0] * sweep.period):
        canvas = np.zeros_like(x)
        rest = [(n - m) // 2 for n, m in zip(x.shape[3:], small.shape[3:], strict=True)]
        corner = tuple(slice(a, a + m)
                       for a, m in zip([first, *rest], small.shape[2:], strict=True))
        canvas[(slice(None), slice(None), *corner)] = small
        copies.append(canvas)
    return copies[0], copies[1]


def _shrink(x: Array, factor: int) -> Array:
    """Means of blocks of `factor` elements on each spatial axis, zeros added to fill the last."""
    pad = [(0, -n % factor) for n in x.shape[2:]]
    x = np.pad(x, [(0, 0), (0, 0), *pad])
    blocks = [n for size in x.shape[2:] for n in (size // factor, factor)]
    means = x.reshape(*x.shape[:2], *blocks).mean(axis=tuple(range(3, 2 * x.ndim - 2, 2)))
    shrunk: Array = (means * min(factor, 2)).clip(-1, 1)  # thin strokes grow faint
    return shrunk.astype(x.dtype)


def in_two_places(task: Task, sweep: Sweep) -> Task:
    """The place task made of a task's images: training images at one of two places in turn, test
    images at both."""
    near, far = placed(task.train_x, sweep)
    where = np.arange(len(near)) % 2
    train = np.where(where.reshape(-1, *(1,) * (near.ndim - 1)) == 0, near, far)
    test = np.concatenate(placed(task.test_x, sweep))
    return Task(train, where, test, np.repeat([0, 1], len(task.test_x)))


def takes_place(sweep: Sweep) -> bool:
    """Whether the images are large enough for the place task."""
    return room(sweep) >= 2 and math.prod(sweep.in_size) >= 16


def make_tasks(x: Array, labels: Array, target: str, sweep: Sweep, most: int, entropy: list[int]
               ) -> dict[str, Task]:
    """All tasks of one seed with at most `most` training images; `entropy` seeds the generator."""
    rng = np.random.default_rng(entropy)
    train, test = split(labels, rng)
    n = min(len(train), most)
    used = np.concatenate([train[:n], test])
    y, centred = targets(labels, target)[used], x[used]
    moved = move(centred, rng)
    mixed = shuffle(moved, rng)
    tasks = {name: Task(images[:n], y[:n], images[n:], y[n:]) for name, images in (
        ("centred", centred), ("moved", moved), ("shuffled", mixed))}
    if takes_place(sweep):
        tasks["place"] = in_two_places(tasks["centred"], sweep)
    return tasks
