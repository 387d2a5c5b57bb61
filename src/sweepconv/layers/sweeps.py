"""Layers with weights: four families of one sweep, and the transposed convolution."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeAlias, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from sweepconv.conv import bias_grad, conv, conv_input_grad, conv_transpose, conv_weight_grad
from sweepconv.counts import Counts, counts_of
from sweepconv.dense import dense, dense_input_grad, dense_weight_grad
from sweepconv.geometry import Ints, Padding, output_shape, per_axis
from sweepconv.local import local_conv, local_conv_input_grad, local_conv_weight_grad
from sweepconv.tiled import tiled_conv, tiled_conv_input_grad, tiled_conv_weight_grad

from .base import Array, Layer, Shape

Seed: TypeAlias = "int | np.random.Generator | None"
Verb: TypeAlias = "Callable[..., Array]"


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

    def counts(self, in_shape: Sequence[int]) -> Counts:
        return counts_of(self.family, in_shape, self.params["w"].shape, bias="b" in self.params,
                         **self.geometry)

    def uses_per_param(self, in_shape: Sequence[int]) -> int:
        """Products of one input that a weight takes part in, for the weight that is shared most.

        1 for dense and local, the number of output positions L for conv, and in between for
        tiled: prod(ceil(out / period)).  Fewer where every tap meets zero padding somewhere.
        """
        return self.counts(in_shape).most_uses


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
        self.geometry["output_padding"] = output_padding

    def _channels(self, ins: int, outs: int, groups: int) -> Shape:
        return ins, outs // groups

    def _forward(self, x: Array) -> Array:
        return conv_transpose(x, self.params["w"], self.params.get("b"),
                              output_padding=self.sizes, **self._keywords)
