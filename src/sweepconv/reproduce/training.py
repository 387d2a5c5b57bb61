"""Training runs: batches in a given order, steps of an optimiser, and the share that is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.layers import Layer, softmax_cross_entropy

Array: TypeAlias = "npt.NDArray[Any]"
AT_ONCE = 500  # images scored in one call, to bound the memory


class Optimiser(Protocol):
    def step(self) -> None: ...


def in_order(n: int, batch: int, steps: int) -> Iterator[slice]:
    """Batches from the first example to the last, again and again; a rest makes a smaller one."""
    starts = range(0, n, batch)
    for step in range(steps):
        start = starts[step % len(starts)]
        yield slice(start, start + batch)


def shuffled(n: int, batch: int, epochs: int, rng: np.random.Generator) -> Iterator[Array]:
    """Whole epochs, each in an order of its own."""
    for _ in range(epochs):
        order = rng.permutation(n)
        yield from (order[i:i + batch] for i in range(0, n, batch))


def step(net: Layer, optimiser: Optimiser, x: Array, y: Array) -> float:
    """One step by the cross-entropy of a batch; the loss before it."""
    loss, dscores = softmax_cross_entropy(net(x), y)
    net.backward(dscores, input_grad=False)
    optimiser.step()
    return loss


def scores(net: Layer, x: Array) -> Array:
    return np.concatenate([net(x[i:i + AT_ONCE]) for i in range(0, len(x), AT_ONCE)])


def per_cent(net: Layer, x: Array, y: Array) -> float:
    """Per cent of the examples whose greatest score is that of their label."""
    return 100 * float(np.mean(scores(net, x).argmax(axis=1) == y))
