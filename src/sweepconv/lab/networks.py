"""The same network four times; only the family of the first layer differs.

    first layer   (N, C, *spatial) -> (N, maps, *out)   dense, local, tiled or conv
    head          max pooling, ReLU, one dense layer to the classes: the same for all

(ReLU and the maximum can change places; in this order ReLU has less to do.)
The head exists in two kinds.  "keeps": pooling leaves two positions on each axis, so the last
layer can still tell where a filter answered.  "forgets": each map gives its maximum alone.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.layers import (
    AsMaps,
    Conv,
    Dense,
    Flatten,
    GlobalMaxPool,
    Layer,
    LocalConv,
    MaxPool,
    ReLU,
    Sequential,
    TiledConv,
)

from .plan import Sweep

Array: TypeAlias = "npt.NDArray[Any]"
Head: TypeAlias = Literal["keeps", "forgets"]


def first_layer(family: str, sweep: Sweep, rng: np.random.Generator) -> Layer:
    """The layer that the families are compared in; weights and biases drawn from `rng`."""
    if family == "dense":
        return Dense(sweep.in_shape, sweep.maps * math.prod(sweep.out), rng=rng)
    if family == "local":
        return LocalConv(sweep.in_channels, sweep.maps, sweep.kernel, stride=sweep.stride,
                         input_size=sweep.in_size, rng=rng)
    if family == "tiled":
        return TiledConv(sweep.in_channels, sweep.maps, sweep.kernel, stride=sweep.stride,
                         period=(sweep.period,) * len(sweep.out), rng=rng)
    return Conv(sweep.in_channels, sweep.maps, sweep.kernel, stride=sweep.stride, rng=rng)


def network(family: str, sweep: Sweep, classes: int, rng: np.random.Generator,
            head: Head = "keeps") -> Sequential:
    """First layer of `family`, then the head."""
    first = first_layer(family, sweep, rng)
    as_maps = [AsMaps((sweep.maps, *sweep.out))] if family == "dense" else []
    if head == "forgets":
        return Sequential(first, *as_maps, GlobalMaxPool(), ReLU(),
                          Dense(sweep.maps, classes, rng=rng))
    features = sweep.maps * 2 ** len(sweep.out)
    return Sequential(first, *as_maps, MaxPool(sweep.window), ReLU(), Flatten(),
                      Dense(features, classes, rng=rng))


def maps_of(net: Sequential, sweep: Sweep, x: Array) -> Array:
    """What the first layer answers, before ReLU: (N, maps, *out) for every family."""
    y: Array = net.layers[0](x)
    return y.reshape(len(x), sweep.maps, *sweep.out)


def cost(family: str, sweep: Sweep) -> dict[str, int]:
    """Exact integers of the first layer, for one image."""
    counts = sweep.counts(family)
    return {
        "filter_size": counts.filter_size,
        "filters": counts.filters,
        "weights": counts.weights,
        "parameters": counts.parameters,
        "uses_per_weight": counts.most_uses,
        "multiply_adds": counts.multiply_adds,
    }
