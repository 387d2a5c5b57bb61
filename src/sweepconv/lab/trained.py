"""What is measured on a trained network: does its map move with the image, does its answer stay?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweepconv.layers import Sequential
from sweepconv.layers.fitting import balanced_accuracy, predict
from sweepconv.runtime import threads

from .measures import directions, equivariance_error, shift
from .networks import maps_of
from .plan import Sweep
from .tasks import Task

MOST_SEEN = 200  # test images that the equivariance error is taken over
FARTHEST = 6  # pixels; beyond, digits leave the image


@dataclass(frozen=True)
class Moves:
    """Error and equal share for each number of strides, accuracy for each number of pixels."""

    error: list[float]
    same: list[float]
    accuracy: list[float]


def strides_tried(sweep: Sweep) -> list[int]:
    """1, 2, ... up to half the map, so that half of it is compared at least."""
    return list(range(1, max(1, min(sweep.out) // 2) + 1))


def pixels_tried(sweep: Sweep, quick: bool) -> list[int]:
    """Numbers of pixels that test images are moved by; every third one in a quick run."""
    farthest = min(FARTHEST, min(sweep.in_size) // 4)
    return list(range(0, farthest + 1, 3 if quick and farthest >= 3 else 1))


def measure_moves(net: Sequential, sweep: Sweep, task: Task, pixels: Sequence[int]) -> Moves:
    """Move the test images and look at the first layer's map and at the network's answer.

    Errors are means over the axes, accuracies over the directions (forwards and backwards along
    each axis).
    """
    rank = len(sweep.out)
    with threads(1):
        x = task.test_x[::max(1, len(task.test_x) // MOST_SEEN)][:MOST_SEEN]
        before = maps_of(net, sweep, x)
        found = []
        for steps in strides_tried(sweep):
            by = [tuple(steps * sweep.stride[a] * (a == axis) for a in range(rank))
                  for axis in range(rank)]
            found.append([equivariance_error(before, maps_of(net, sweep, shift(x, b)), steps, a)
                          for a, b in enumerate(by)])
        means = np.mean(found, axis=1)  # (steps, 2)
        accuracy = [float(np.mean([
            balanced_accuracy(task.test_y, predict(net, shift(task.test_x, by)))
            for by in directions(rank, p)])) for p in pixels]
    return Moves(means[:, 0].tolist(), means[:, 1].tolist(), accuracy)
