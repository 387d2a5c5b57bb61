"""A small network in each family, for learning curves on data of one's own.

    first layer   (N, C, *spatial) -> (N, maps, *out)   dense, local, tiled or conv
    head          max pooling to two positions an axis, ReLU, dense to the classes

On an axis of n elements the first layer has stride ceil(n / 8) and kernel 2 * stride + 1: weak
filters that overlap by half, at most 8 positions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sweepconv.counts import LADDER
from sweepconv.layers import (
    AsMaps,
    Conv,
    Dense,
    Flatten,
    Layer,
    LocalConv,
    MaxPool,
    ReLU,
    Sequential,
    TiledConv,
)

LEAST = 4  # elements on an axis: fewer leave no two positions to pool to


@dataclass(frozen=True)
class SmallNetwork:
    """A function of a generator that makes the network; it can be pickled, and so sent to workers.

    Parameters
    ----------
    family : "dense", "local", "tiled" (period 2) or "conv".
    in_shape : (C, *spatial), every axis of 4 or more.
    classes : number of outputs.
    maps : output channels of the first layer.

    Examples
    --------
    >>> make = SmallNetwork("conv", (1, 28, 28), 10)
    >>> make.kernel, make.stride, make.out
    ((9, 9), (4, 4), (5, 5))
    >>> make(np.random.default_rng(0)).out_shape((1, 28, 28))
    (10,)
    """

    family: str
    in_shape: tuple[int, ...]
    classes: int
    maps: int = 16

    def __post_init__(self) -> None:
        if self.family not in LADDER:
            raise ValueError(f"SmallNetwork: family must be one of {', '.join(LADDER)}, "
                             f"got {self.family!r}")
        if not 2 <= len(self.in_shape) <= 4 or min(self.in_shape[1:]) < LEAST:
            raise ValueError("SmallNetwork: in_shape must be (C, *spatial) with 1 to 3 spatial "
                             f"axes of {LEAST} or more, got {self.in_shape}")

    @property
    def stride(self) -> tuple[int, ...]:
        return tuple(-(-n // 8) for n in self.in_shape[1:])

    @property
    def kernel(self) -> tuple[int, ...]:
        return tuple(2 * s + 1 for s in self.stride)

    @property
    def out(self) -> tuple[int, ...]:
        return tuple((n - k) // s + 1 for n, k, s in zip(self.in_shape[1:], self.kernel,
                                                         self.stride, strict=True))

    def __call__(self, rng: np.random.Generator) -> Sequential:
        window = tuple(n // 2 for n in self.out)
        positions = math.prod(n // w for n, w in zip(self.out, window, strict=True))
        return Sequential(*self._first(rng), MaxPool(window), ReLU(), Flatten(),
                          Dense(self.maps * positions, self.classes, rng=rng))

    def _first(self, rng: np.random.Generator) -> list[Layer]:
        channels, *size = self.in_shape
        if self.family == "dense":
            return [Dense(self.in_shape, self.maps * math.prod(self.out), rng=rng),
                    AsMaps((self.maps, *self.out))]
        if self.family == "local":
            return [LocalConv(channels, self.maps, self.kernel, stride=self.stride,
                              input_size=size, rng=rng)]
        if self.family == "tiled":
            return [TiledConv(channels, self.maps, self.kernel, stride=self.stride,
                              period=(2,) * len(size), rng=rng)]
        return [Conv(channels, self.maps, self.kernel, stride=self.stride, rng=rng)]
