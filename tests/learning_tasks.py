"""A task for learning curves and ways to train, in a module of their own: what goes to other
processes is pickled by its name."""

import os
from typing import Any

import numpy as np

from sweepconv.efficiency import Recipe
from sweepconv.layers import Layer

Array = np.ndarray[Any, np.dtype[Any]]

quick = Recipe(steps=25, batch=20, learning_rate=1e-2)


def draw(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """x (n, 1, 12), y (n,): is a small wave upright or upside down, wherever it lies?"""
    y, at = rng.integers(2, size=n), rng.integers(10, size=n)
    x = 0.25 * rng.standard_normal((n, 1, 12))
    for i, value in enumerate((1, -2, 1)):
        x[np.arange(n), 0, at + i] += value * (2 * y - 1)
    return x, y


def stumbles(net: Layer, x: Array, y: Array, rng: np.random.Generator) -> None:
    if len(x) == 40:
        raise ValueError("so it goes")


def ends_its_process(net: Layer, x: Array, y: Array, rng: np.random.Generator) -> None:
    os._exit(3)
