"""Layers without weights, and layers in a row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sweepconv.counts import Counts, Window
from sweepconv.geometry import Ints, per_axis
from sweepconv.pool import avg_pool, avg_pool_input_grad, max_pool, max_pool_input_grad

from .base import Array, Layer, Shape


class MaxPool(Layer):
    """Greatest element of each window; stride None is the kernel.  See `max_pool`."""

    def __init__(self, kernel_size: Ints, *, stride: Ints | None = None,
                 padding: Ints = 0) -> None:
        super().__init__()
        self._windows: dict[str, Any] = {"kernel": kernel_size, "stride": stride,
                                         "padding": padding}

    def _forward(self, x: Array) -> Array:
        return max_pool(x, **self._windows)

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        return max_pool_input_grad(dy, x, **self._windows)

    def counts(self, in_shape: Sequence[int]) -> Counts:
        name, rank = type(self).__name__, len(in_shape) - 1
        given = self._windows
        kernel = per_axis(name, "kernel", given["kernel"], rank, 1)
        stride = kernel if given["stride"] is None else per_axis(
            name, "stride", given["stride"], rank, 1)
        low = per_axis(name, "padding", given["padding"], rank, 0)
        windows = (Window(k, s, 1, p) for k, s, p in zip(kernel, stride, low, strict=True))
        return replace(super().counts(in_shape), reads=tuple(windows))


class AvgPool(MaxPool):
    """Mean of each window; stride None is the kernel.  See `avg_pool`."""

    def __init__(self, kernel_size: Ints, *, stride: Ints | None = None, padding: Ints = 0,
                 count_include_pad: bool = True) -> None:
        super().__init__(kernel_size, stride=stride, padding=padding)
        self._windows["count_include_pad"] = count_include_pad

    def _forward(self, x: Array) -> Array:
        return avg_pool(x, **self._windows)

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        return avg_pool_input_grad(dy, x.shape, **self._windows)


class L2Pool(MaxPool):
    """Root of the sum of squares in each window; stride None is the kernel.

    Where all of a window is 0 its gradient is taken as 0.

    Examples
    --------
    >>> L2Pool((2,))(np.array([[[3.0, 4.0, 0.0, 2.0]]]))
    array([[[5., 2.]]])
    """

    def _root(self, x: Array) -> tuple[Array, int]:
        size = math.prod(per_axis("L2Pool", "kernel", self._windows["kernel"], x.ndim - 2, 1))
        return np.sqrt(avg_pool(x * x, **self._windows) * x.dtype.type(size)), size

    def _forward(self, x: Array) -> Array:
        return self._root(x)[0]

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        y, size = self._root(x)
        share = np.divide(dy, y, out=np.zeros_like(dy), where=y > 0)
        return x * avg_pool_input_grad(share * dy.dtype.type(size), x.shape, **self._windows)


class GlobalMaxPool(Layer):
    """Greatest element of each map, y[n, c] = max over p of x[n, c, p]: what, without where."""

    def _forward(self, x: Array) -> Array:
        return max_pool(x, x.shape[2:]).reshape(x.shape[:2])

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        one_window = dy.reshape(*dy.shape, *(1,) * (x.ndim - 2))
        return max_pool_input_grad(one_window, x, x.shape[2:])

    def counts(self, in_shape: Sequence[int]) -> Counts:
        return replace(super().counts(in_shape), reads="all")


class GlobalAvgPool(GlobalMaxPool):
    """Mean of each map, y[n, c] = mean over p of x[n, c, p]."""

    def _forward(self, x: Array) -> Array:
        return avg_pool(x, x.shape[2:]).reshape(x.shape[:2])

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        one_window = dy.reshape(*dy.shape, *(1,) * (x.ndim - 2))
        return avg_pool_input_grad(one_window, x.shape, x.shape[2:])


class _ElementByElement(Layer):
    """Every output comes from one input element."""

    def counts(self, in_shape: Sequence[int]) -> Counts:
        return replace(super().counts(in_shape), reads="element")


class ReLU(_ElementByElement):
    """y = max(x, 0) element by element; a NaN stays NaN."""

    def _forward(self, x: Array) -> Array:
        # Not np.maximum: the sign of its zeros may depend on an element's place in memory.
        return np.where(x <= 0, x.dtype.type(0), x)

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        return np.where(x <= 0, dy.dtype.type(0), dy)


class Flatten(_ElementByElement):
    """(N, C, *spatial) to (N, C * prod(spatial)), row-major whatever the memory order."""

    def _forward(self, x: Array) -> Array:
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        return dy.reshape(x.shape)


class AsMaps(Layer):
    """The O outputs of a dense layer, (N, O), arranged as maps (N, *shape), row-major: so that what
    follows a sweep may follow a dense layer."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def _forward(self, x: Array) -> Array:
        return x.reshape(len(x), *self.shape)

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        return dy.reshape(x.shape)


class Sequential(Layer):
    """Layers one after the other; parameter "w" of layer 2 is params["2.w"].

    Training needs no gradient for the data: `backward(dy, input_grad=False)` saves that of the
    first layer.

    Examples
    --------
    >>> from sweepconv.layers import Conv, Dense
    >>> net = Sequential(Conv(1, 4, 3), ReLU(), GlobalMaxPool(), Dense(4, 10))
    >>> sorted(net.params), net.out_shape((1, 8, 8)), net.multiply_adds((1, 8, 8))
    (['0.b', '0.w', '3.b', '3.w'], (10,), 1336)
    """

    def __init__(self, *layers: Layer) -> None:
        super().__init__()
        if len(set(map(id, layers))) < len(layers):
            raise ValueError("Sequential: a layer remembers one input, so it can stand here once; "
                             "got the same layer twice")
        self.layers = layers

    def _forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer(x)
        return x

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array | None:
        dx: Array | None = dy
        for i, layer in reversed(list(enumerate(self.layers))):
            assert dx is not None  # only the first layer may be told not to compute it
            dx = layer.backward(dx, input_grad=input_grad or i > 0)
        return dx

    @property
    def params(self) -> dict[str, Array]:
        return {f"{i}.{k}": p for i, layer in enumerate(self.layers)
                for k, p in layer.params.items()}

    @property
    def grads(self) -> dict[str, Array]:
        return {f"{i}.{k}": g for i, layer in enumerate(self.layers)
                for k, g in layer.grads.items()}

    def out_shape(self, in_shape: Sequence[int]) -> Shape:
        shape = tuple(in_shape)
        for layer in self.layers:
            shape = layer.out_shape(shape)
        return shape

    def each(self, in_shape: Sequence[int]) -> Iterator[tuple[str, Layer, Counts]]:
        for i, layer in enumerate(self.layers):
            for name, inner, counts in layer.each(in_shape):
                yield f"{i}.{name}" if name else f"{i}", inner, counts
            in_shape = layer.out_shape(in_shape)

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


class Residual(Sequential):
    """x + layers(x): layers in a row whose result is added to what they were given.

    Examples
    --------
    >>> from sweepconv.layers import Dense
    >>> Residual(Dense(4, 4), ReLU()).out_shape((4,))
    (4,)
    """

    def _forward(self, x: Array) -> Array:
        y = super()._forward(x)
        if y.shape != x.shape:
            raise ValueError(f"Residual: the layers must keep the shape, got {y.shape} for "
                             f"x.shape = {x.shape}")
        return x + y

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array | None:
        dx = super()._backward(dy, x, input_grad)
        return None if dx is None or not input_grad else dy + dx

    def __repr__(self) -> str:
        return super().__repr__().replace("Sequential", "Residual", 1)
