"""Layers for seeing what sharing does: the verbs of this library with weights attached.

    y = layer(x)                 forward
    dx = layer.backward(dy)      fills layer.grads, returns the gradient for the layer before

`params` and `grads` map names ("w", "b") to arrays.  A layer remembers the x of its last call (the
array itself: leave it unchanged until `backward`), and each `backward` overwrites the gradients of
the one before.  There is no graph: a batch goes forward and back through a `Sequential`, then an
optimiser changes the parameters in place.  Equal rng and equal data give equal bits.

Dense, LocalConv, TiledConv and Conv are one equation with less or more sharing,

    y[n, o, p] = b[f(p), o] + sum over c, t of w[f(p), o, c, t] * x[n, c, p*stride + t - padding]

so they are one class, `_Weighted`, with four sets of verbs and four shapes of the weights.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, ClassVar, TypeAlias, TypedDict, Unpack, overload

import numpy as np
import numpy.typing as npt

from .conv import bias_grad, conv, conv_input_grad, conv_transpose, conv_weight_grad
from .dense import dense, dense_input_grad, dense_weight_grad
from .geometry import Ints, Padding, as_shape, output_shape, per_axis
from .local import local_conv, local_conv_input_grad, local_conv_weight_grad
from .pool import avg_pool, avg_pool_input_grad, max_pool, max_pool_input_grad
from .tiled import tiled_conv, tiled_conv_input_grad, tiled_conv_weight_grad

__all__ = [
    "Adam", "AvgPool", "Conv", "ConvTranspose", "Dense", "Flatten", "GlobalMaxPool", "Layer",
    "LocalConv", "MaxPool", "ReLU", "SGD", "Sequential", "TiledConv", "load", "save",
    "softmax_cross_entropy",
]

Array: TypeAlias = npt.NDArray[Any]
Shape: TypeAlias = "tuple[int, ...]"
Seed: TypeAlias = "int | np.random.Generator | None"
Verb: TypeAlias = "Callable[..., Array]"
Path: TypeAlias = "str | os.PathLike[str]"


class Layer:
    """What every layer has.  A subclass defines `_forward` and `_backward`."""

    def __init__(self) -> None:
        self._params: dict[str, Array] = {}
        self._grads: dict[str, Array] = {}
        self._x: Array | None = None
        self._y_shape: Shape = ()

    def _forward(self, x: Array) -> Array:
        raise NotImplementedError

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array | None:
        raise NotImplementedError

    def __call__(self, x: npt.ArrayLike) -> Array:
        x = np.asarray(x)
        y = self._forward(x)
        self._x, self._y_shape = x, y.shape
        return y

    @overload
    def backward(self, dy: npt.ArrayLike) -> Array: ...
    @overload
    def backward(self, dy: npt.ArrayLike, *, input_grad: bool) -> Array | None: ...
    def backward(self, dy: npt.ArrayLike, *, input_grad: bool = True) -> Array | None:
        """Gradients of the last call: fills `grads`, returns dx (None if not `input_grad`)."""
        dy, name = np.asarray(dy), type(self).__name__
        if self._x is None:
            raise RuntimeError(f"{name}.backward: no forward call to go back through; "
                               "call the layer first")
        if dy.shape != self._y_shape:
            raise ValueError(f"{name}.backward: dy must have the shape of the last y, "
                             f"{self._y_shape}, got dy.shape = {dy.shape}")
        if not input_grad and not self.params:
            return None
        return self._backward(dy, self._x, input_grad)

    @property
    def params(self) -> dict[str, Array]:
        """Parameters by name; change the arrays in place."""
        return self._params

    @property
    def grads(self) -> dict[str, Array]:
        """Gradients of the last `backward`, under the parameters' names."""
        return self._grads

    @property
    def n_params(self) -> int:
        """Stored parameters, weights and biases."""
        return sum(p.size for p in self.params.values())

    def out_shape(self, in_shape: Sequence[int]) -> Shape:
        """Shape of one result for one input of `in_shape`, both without the batch axis."""
        dtype = next((p.dtype for p in self.params.values()), np.float32)
        return self._forward(np.zeros((0, *in_shape), dtype)).shape[1:]  # a batch of no images

    def multiply_adds(self, in_shape: Sequence[int]) -> int:
        """Multiply-adds of one forward pass for one input, every tap counted."""
        return 0

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {p.shape}" for name, p in self.params.items())
        return f"{type(self).__name__}({shapes})"


# Layers with weights


class _Weighted(Layer):
    """A bank of filters.  The subclasses say which verbs sweep it and how its shape comes about.

    Attributes
    ----------
    family : "dense", "local", "tiled", "conv" or "conv_transpose".
    bank : leading shape of the weights, () for one filter.
    geometry : stride, padding, ... as the verbs take them.
    """

    family: ClassVar[str]
    verbs: ClassVar[tuple[Verb, Verb, Verb]]  # forward, input gradient, weight gradient

    def __init__(self, bank: Shape, filter_shape: Shape, out_channels: int, *, bias: bool,
                 dtype: npt.DTypeLike, rng: Seed, **keywords: Any) -> None:
        super().__init__()
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise TypeError(f"{type(self).__name__}: dtype must be float32 or float64, "
                            f"got {np.dtype(dtype)}")
        self.bank, self._keywords = bank, keywords
        self.geometry = {k: v for k, v in keywords.items() if k != "algorithm"}
        # U(-r, r), r = 1/sqrt(fan-in), as PyTorch's default; drawn in float64 for either dtype.
        r = 1 / math.sqrt(math.prod(filter_shape[1:]))
        draw = np.random.default_rng(rng).uniform
        self._params["w"] = draw(-r, r, (*bank, *filter_shape)).astype(dtype)
        if bias:
            self._params["b"] = draw(-r, r, (*bank, out_channels)).astype(dtype)

    def _forward(self, x: Array) -> Array:
        return self.verbs[0](x, self.params["w"], self.params.get("b"), **self._keywords)

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array | None:
        _, for_input, for_weights = self.verbs
        w = self.params["w"]
        self._grads["w"] = for_weights(x, dy, w.shape, **self._keywords)
        if "b" in self.params:
            self._grads["b"] = bias_grad(dy, self.params["b"].shape)
        return for_input(dy, w, x.shape, **self._keywords) if input_grad else None

    def _places(self, in_shape: Sequence[int]) -> Shape:
        """Positions per axis where a filter is put: those of y, and for dense just one, ()."""
        return self.out_shape(in_shape)[1:]

    def multiply_adds(self, in_shape: Sequence[int]) -> int:
        """Multiply-adds of one forward pass for one input, every tap counted.

        L * O * (C/groups) * prod(kernel), L the output positions (the input positions for
        ConvTranspose, 1 for dense).  Taps that fall on zero padding count as well.
        """
        one_filter = math.prod(self.params["w"].shape[len(self.bank):])
        return math.prod(self._places(in_shape)) * one_filter

    def uses_per_param(self, in_shape: Sequence[int]) -> int:
        """Positions of one input that share a weight, for the weight that is shared most.

        1 for dense and local, the number of output positions L for conv, and in between for
        tiled: prod(ceil(out / period)).  Times the number of weights it is `multiply_adds`,
        unless the period does not divide the output.
        """
        places = self._places(in_shape)
        periods = self.bank or (1,) * len(places)
        return math.prod(-(-n // period) for n, period in zip(places, periods, strict=True))


class Dense(_Weighted):
    """One filter as big as the input: y[n, o] = b[o] + sum over i of w[o, i] * x[n, i].

    Parameters
    ----------
    in_shape : D for x (N, D), or (C, *spatial) for x (N, C, *spatial).
    out_features : O.
    bias, dtype, rng : as in `Conv`.

    Examples
    --------
    >>> layer = Dense((3, 8, 8), 10)
    >>> layer.params["w"].shape, layer.out_shape((3, 8, 8))
    ((10, 3, 8, 8), (10,))
    """

    family = "dense"
    verbs = (dense, dense_input_grad, dense_weight_grad)

    def __init__(self, in_shape: Ints, out_features: int, *, bias: bool = True,
                 dtype: npt.DTypeLike = np.float32, rng: Seed = None) -> None:
        shape = per_axis("Dense", "in_shape", in_shape, _rank(in_shape, default=1), 1)
        (outs,) = per_axis("Dense", "out_features", out_features, 1, 1)
        super().__init__((), (outs, *shape), outs, bias=bias, dtype=dtype, rng=rng)


class SweepKeywords(TypedDict, total=False):
    """Keywords that Conv, TiledConv, LocalConv and ConvTranspose have in common."""

    stride: Ints
    padding: Padding
    dilation: Ints
    groups: int
    padding_mode: str
    bias: bool
    algorithm: str
    dtype: npt.DTypeLike
    rng: Seed


def _rank(*per_axis_values: Any, default: int = 2) -> int:
    """Number of spatial axes: the length of the first sequence, `default` if all are ints."""
    lengths = (len(v) for v in per_axis_values if hasattr(v, "__len__") and not isinstance(v, str))
    return next(lengths, default)


class _Sweep(_Weighted):
    """A layer whose filters are swept over the input."""

    sizes: Ints = 1  # a subclass's own argument per axis: period, input_size, output_padding

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, *, stride: Ints = 1,
        padding: Padding = 0, dilation: Ints = 1, groups: int = 1, padding_mode: str = "zeros",
        bias: bool = True, algorithm: str = "direct", dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        name = type(self).__name__
        counts = {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
        ins, outs, groups = (per_axis(name, k, v, 1, 1)[0] for k, v in counts.items())
        if ins % groups or outs % groups:
            raise ValueError(f"{name}: groups must divide in_channels and out_channels, "
                             f"got groups={groups} for {ins} and {outs}")
        rank = _rank(kernel_size, self.sizes, stride, dilation, padding)
        kernel = per_axis(name, "kernel_size", kernel_size, rank, 1)
        geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
                    "padding_mode": padding_mode}
        filter_shape = (*self._channels(ins, outs, groups), *kernel)
        super().__init__(self._bank(ins, filter_shape, geometry), filter_shape, outs, bias=bias,
                         dtype=dtype, rng=rng, algorithm=algorithm, **geometry)

    def _channels(self, ins: int, outs: int, groups: int) -> Shape:
        return outs, ins // groups

    def _bank(self, ins: int, filter_shape: Shape, geometry: dict[str, Any]) -> Shape:
        return ()


class Conv(_Sweep):
    """One weak filter for each output channel, shared by every position.

        y[n, o, p] = b[o] + sum over c in group(o), t of w[o, c, t] * x[n, c, p*s + t*d - padding]

    Parameters
    ----------
    in_channels, out_channels : C and O.
    kernel_size : one int per spatial axis, so (5,) for 1-D, or an int for every axis.
        An int means 2 axes unless another argument is given per axis.
    stride, padding, dilation, groups, padding_mode, algorithm : as in `conv`.
    bias : whether there is a b.
    dtype : float32 or float64.
    rng : seed or `numpy.random.Generator` that w, then b are drawn from: U(-r, r) with
        r = 1/sqrt(fan-in), fan-in = C/groups * prod(kernel).

    Examples
    --------
    >>> layer = Conv(3, 16, 3, stride=2, padding=1, rng=0)
    >>> layer.params["w"].shape, layer.out_shape((3, 32, 32))
    ((16, 3, 3, 3), (16, 16, 16))
    >>> layer.n_params, layer.uses_per_param((3, 32, 32)), layer.multiply_adds((3, 32, 32))
    (448, 256, 110592)
    """

    family = "conv"
    verbs = (conv, conv_input_grad, conv_weight_grad)


class TiledConv(_Sweep):
    """Weak filters with tile sharing: position p uses filter p mod period of the bank.

    `period` is an int or one per spatial axis, the rest as in `Conv`; w is
    (*period, O, C/groups, *kernel) and b is (*period, O).  Period 1 is `Conv`, a period as large
    as the output is `LocalConv`.

    Examples
    --------
    >>> layer = TiledConv(3, 16, 3, period=2, padding="same")
    >>> layer.params["w"].shape, layer.uses_per_param((3, 32, 32))
    ((2, 2, 16, 3, 3, 3), 256)
    """

    family = "tiled"
    verbs = (tiled_conv, tiled_conv_input_grad, tiled_conv_weight_grad)

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Ints, *, period: Ints,
                 **keywords: Unpack[SweepKeywords]) -> None:
        self.sizes = period
        super().__init__(in_channels, out_channels, kernel_size, **keywords)

    def _bank(self, ins: int, filter_shape: Shape, geometry: dict[str, Any]) -> Shape:
        return per_axis("TiledConv", "period", self.sizes, len(filter_shape) - 2, 1)


class LocalConv(_Sweep):
    """Weak filters, nothing shared: every output position p has its own filter.

    `input_size` (an int or one per spatial axis) fixes the number of positions, the rest as in
    `Conv`; w is (*out, O, C/groups, *kernel) and b is (*out, O).

    Examples
    --------
    >>> layer = LocalConv(3, 64, 3, input_size=(32, 32))
    >>> layer.params["w"].size, layer.params["b"].size, layer.uses_per_param((3, 32, 32))
    (1555200, 57600, 1)
    """

    family = "local"
    verbs = (local_conv, local_conv_input_grad, local_conv_weight_grad)

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Ints, *,
                 input_size: Ints, **keywords: Unpack[SweepKeywords]) -> None:
        self.sizes = input_size
        super().__init__(in_channels, out_channels, kernel_size, **keywords)

    def _bank(self, ins: int, filter_shape: Shape, geometry: dict[str, Any]) -> Shape:
        size = per_axis("LocalConv", "input_size", self.sizes, len(filter_shape) - 2, 1)
        return output_shape((1, ins, *size), filter_shape, **geometry)[2:]


def _transpose_input_grad(dy: Array, w: Array, x_shape: Shape, **keywords: Any) -> Array:
    return conv(dy, w, **keywords)


def _transpose_weight_grad(x: Array, dy: Array, w_shape: Shape, **keywords: Any) -> Array:
    return conv_weight_grad(dy, x, w_shape, **keywords)


class ConvTranspose(_Sweep):
    """The adjoint of `Conv`: each input position lays its filter, times x, onto the output.

        y[n, o, i*stride + t*dilation - padding] += w[c, o, t] * x[n, c, i],   plus b[o]

    w is (I, O/groups, *kernel), its fan-in is counted as O/groups * prod(kernel) as in PyTorch;
    the arguments as in `Conv`, and `output_padding` (less than the stride) widens the high side.

    Examples
    --------
    >>> ConvTranspose(16, 3, 4, stride=2, padding=1).out_shape((16, 8, 8))
    (3, 16, 16)
    """

    family = "conv_transpose"
    verbs = (conv_transpose, _transpose_input_grad, _transpose_weight_grad)

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Ints, *,
                 output_padding: Ints = 0, **keywords: Unpack[SweepKeywords]) -> None:
        self.sizes = output_padding
        super().__init__(in_channels, out_channels, kernel_size, **keywords)
        rank = self.params["w"].ndim - 2
        extra = per_axis("ConvTranspose", "output_padding", output_padding, rank, 0)
        stride = per_axis("ConvTranspose", "stride", keywords.get("stride", 1), rank, 1)
        if any(e >= s for e, s in zip(extra, stride, strict=True)):
            raise ValueError(f"ConvTranspose: output_padding must be less than the stride "
                             f"{stride}, got {output_padding!r}")

    def _channels(self, ins: int, outs: int, groups: int) -> Shape:
        return ins, outs // groups

    def _forward(self, x: Array) -> Array:
        return conv_transpose(x, self.params["w"], self.params.get("b"),
                              output_padding=self.sizes, **self._keywords)

    def _places(self, in_shape: Sequence[int]) -> Shape:
        return as_shape("ConvTranspose", "in_shape", in_shape)[1:]


# Layers without weights


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


class GlobalMaxPool(Layer):
    """Greatest element of each map, y[n, c] = max over p of x[n, c, p]: what, without where."""

    def _forward(self, x: Array) -> Array:
        return max_pool(x, x.shape[2:]).reshape(x.shape[:2])

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        one_window = dy.reshape(*dy.shape, *(1,) * (x.ndim - 2))
        return max_pool_input_grad(one_window, x, x.shape[2:])


class ReLU(Layer):
    """y = max(x, 0) element by element; a NaN stays NaN."""

    def _forward(self, x: Array) -> Array:
        # Not np.maximum: the sign of its zeros may depend on an element's place in memory.
        return np.where(x <= 0, x.dtype.type(0), x)

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        return np.where(x <= 0, dy.dtype.type(0), dy)


class Flatten(Layer):
    """(N, C, *spatial) to (N, C * prod(spatial)), row-major whatever the memory order."""

    def _forward(self, x: Array) -> Array:
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        return dy.reshape(x.shape)


class Sequential(Layer):
    """Layers one after the other; parameter "w" of layer 2 is params["2.w"].

    Training needs no gradient for the data: `backward(dy, input_grad=False)` saves that of the
    first layer.

    Examples
    --------
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

    def multiply_adds(self, in_shape: Sequence[int]) -> int:
        total = 0
        for layer in self.layers:
            total += layer.multiply_adds(in_shape)
            in_shape = layer.out_shape(in_shape)
        return total

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


# Training


def softmax_cross_entropy(scores: Array, labels: npt.ArrayLike) -> tuple[float, Array]:
    """Mean over the batch of -log softmax(scores)[label], and its gradient for the scores.

    Parameters
    ----------
    scores : (N, K), N and K at least 1.
    labels : (N,) integers in 0 .. K-1.

    Returns
    -------
    loss : float
    dscores : (N, K), (softmax(scores) - one-hot(labels)) / N.

    Examples
    --------
    >>> loss, dscores = softmax_cross_entropy(np.zeros((1, 2)), [0])
    >>> round(loss, 6), dscores
    (0.693147, array([[-0.5,  0.5]]))
    """
    y, n = np.asarray(labels), len(scores)
    if scores.ndim != 2 or 0 in scores.shape:
        raise ValueError("softmax_cross_entropy: scores must be (N, K), both at least 1, "
                         f"got scores.shape = {scores.shape}")
    if y.dtype.kind not in "iu":
        raise TypeError(f"softmax_cross_entropy: labels must be integers, got {y.dtype}")
    if y.shape != (n,) or y.min() < 0 or y.max() >= scores.shape[1]:
        raise ValueError(f"softmax_cross_entropy: labels must be ({n},) and below K for "
                         f"scores.shape = {scores.shape}, got labels.shape = {y.shape} "
                         f"from {y.min(initial=0)} to {y.max(initial=0)}")
    centred = scores - scores.max(axis=1, keepdims=True)  # exp cannot overflow
    log_p = centred - np.log(np.exp(centred).sum(axis=1, keepdims=True))  # (N, K)
    rows = np.arange(n)
    dscores = np.exp(log_p)
    dscores[rows, y] -= 1
    return -float(log_p[rows, y].mean(dtype=np.float64)), dscores / n


class _Optimiser:
    """Changes parameters in place by their gradients; `lr` may be changed between steps."""

    def __init__(self, layer_or_params: Layer | Mapping[str, Array], lr: float) -> None:
        self._target = layer_or_params
        self.lr, self.steps = lr, 0  # steps done so far
        self._state: dict[tuple[str, str], Array] = {}  # (kind, parameter) -> running value

    def _running(self, kind: str, name: str, like: Array) -> Array:
        if (kind, name) not in self._state:
            self._state[kind, name] = np.zeros_like(like)
        return self._state[kind, name]

    def _change(self, name: str, g: Array) -> Array:
        """What one step subtracts from the parameter `name` with gradient g."""
        raise NotImplementedError

    def step(self, grads: Mapping[str, Array] | None = None) -> None:
        """One step by `grads`, by default those of the layer's last `backward`."""
        verb, target = f"{type(self).__name__}.step", self._target
        params = target.params if isinstance(target, Layer) else target
        if grads is None:
            if not isinstance(target, Layer):
                raise TypeError(f"{verb}: grads must be given, as only parameters are known here")
            grads = target.grads
        for name, p in params.items():
            if name not in grads:
                raise ValueError(f"{verb}: no gradient for {name!r}, got {sorted(grads)}; "
                                 "call backward first")
            if grads[name].shape != p.shape:
                raise ValueError(f"{verb}: the gradient of {name!r} must have shape {p.shape}, "
                                 f"got {grads[name].shape}")
        self.steps += 1
        for name, p in params.items():
            p -= self._change(name, grads[name])


class SGD(_Optimiser):
    """Gradient descent with momentum, as PyTorch's: v = momentum * v + g, then p -= lr * v.

    Examples
    --------
    >>> params = {"w": np.array([1.0])}
    >>> SGD(params, lr=0.5).step({"w": np.array([1.0])})
    >>> params["w"]
    array([0.5])
    """

    def __init__(self, layer_or_params: Layer | Mapping[str, Array], lr: float,
                 momentum: float = 0) -> None:
        super().__init__(layer_or_params, lr)
        self.momentum = momentum

    def _change(self, name: str, g: Array) -> Array:
        if self.momentum:
            v = self._running("v", name, g)
            v *= self.momentum
            v += g
            g = v
        return self.lr * g


class Adam(_Optimiser):
    """Adam (Kingma & Ba 2015) at step t, with running means m of g and v of g*g:

        p -= lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)
    """

    def __init__(self, layer_or_params: Layer | Mapping[str, Array], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> None:
        super().__init__(layer_or_params, lr)
        self.betas, self.eps = betas, eps

    def _change(self, name: str, g: Array) -> Array:
        means = []
        for kind, beta, value in zip("mv", self.betas, (g, g * g), strict=True):
            mean = self._running(kind, name, g)
            mean *= beta
            mean += (1 - beta) * value
            means.append(mean / (1 - beta**self.steps))
        return self.lr * means[0] / (np.sqrt(means[1]) + self.eps)


# Files


def save(layer: Layer, path: Path) -> None:
    """Write the parameters to `path` as an .npz file that `numpy.load` reads too.

    The file appears whole or not at all: it is written under another name beside `path`, then
    renamed.  Equal parameters give equal bytes.
    """
    temporary = f"{os.fspath(path)}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                for name, p in layer.params.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, p, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def load(layer: Layer, path: Path) -> None:
    """Read the parameters that `save` wrote into the arrays of `layer`.

    Names, shapes and dtypes must be those of the layer.  Any other content is a ValueError and
    leaves the layer as it was; nothing in the file is ever executed.
    """
    params = layer.params
    with open(path, "rb") as file:
        try:
            stored = _read(file, params)
        except Exception as error:  # a damaged archive can fail in any way
            raise ValueError(f"load: {os.fspath(path)} does not hold the parameters of {layer!r}: "
                             f"{error}") from error
    for name, p in params.items():
        np.copyto(p, stored[name])


def _read(file: IO[bytes], params: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of an .npz file if they are like `params`; headers are checked before data."""
    stored = {}
    with zipfile.ZipFile(file) as archive:
        names = sorted(name.removesuffix(".npy") for name in archive.namelist())
        if names != sorted(params):
            raise ValueError(f"it has {names}, expected {sorted(params)}")
        for name, p in params.items():
            with archive.open(f"{name}.npy") as member:
                np.lib.format.read_magic(member)
                shape, _, dtype = np.lib.format.read_array_header_1_0(member)
            if shape != p.shape or dtype != p.dtype:
                raise ValueError(f"{name!r} has shape {shape} and dtype {dtype}, "
                                 f"expected {p.shape} and {p.dtype}")
            with archive.open(f"{name}.npy") as member:
                stored[name] = np.lib.format.read_array(member, allow_pickle=False)
    return stored
