"""One training run with a fixed budget, and how well the result does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .base import Layer
from .training import Adam, softmax_cross_entropy

Array: TypeAlias = "npt.NDArray[Any]"

PIECE = 1 << 15  # elements that Adam handles at once: its temporaries then stay in the cache
PREDICTED_AT_ONCE = 500  # images, to bound the memory


def _pieces(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Views of at most about `PIECE` elements that cover the arrays."""
    views = {}
    for name, a in arrays.items():
        rows = max(1, PIECE * len(a) // a.size)
        views.update({f"{name}[{i}:]": a[i:i + rows] for i in range(0, len(a), rows)})
    return views


def balanced_batches(y: Array, batch: int, steps: int, rng: np.random.Generator
                     ) -> Iterator[Array]:
    """Indices of random batches in which every class is drawn equally often on average."""
    members = [np.flatnonzero(y == c) for c in np.unique(y)]
    starts = np.cumsum([0, *map(len, members)])
    order, counts = np.concatenate(members), np.diff(starts)
    for _ in range(steps):
        c = rng.integers(len(members), size=batch)
        yield order[starts[c] + (rng.random(batch) * counts[c]).astype(np.int64)]


def fit(net: Layer, x: Array, y: Array, *, steps: int, batch: int, learning_rate: float,
        rng: np.random.Generator) -> None:
    """Change the parameters of `net` in place by `steps` steps of Adam."""
    adam = Adam(_pieces(net.params), learning_rate)
    for chosen in balanced_batches(y, batch, steps, rng):
        _, dscores = softmax_cross_entropy(net(x[chosen]), y[chosen])
        net.backward(dscores, input_grad=False)
        adam.step(_pieces(net.grads))


def predict(net: Layer, x: Array) -> Array:
    """The class of the greatest score for each image."""
    parts = [net(x[i:i + PREDICTED_AT_ONCE]).argmax(axis=1)
             for i in range(0, len(x), PREDICTED_AT_ONCE)]
    return np.concatenate(parts)


def balanced_accuracy(y: Array, predicted: Array) -> float:
    """Mean over the classes of the share that is recognised: 1/classes by guessing."""
    return float(np.mean([np.mean(predicted[y == c] == c) for c in np.unique(y)]))
