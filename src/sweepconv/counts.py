"""What one layer stores and computes for one image, in exact integers, from shapes alone.

Each axis of a sweep gives one list, hits[a]: at how many output positions tap a meets an element
of the image rather than a zero of the padding.  Positions take turns among the P filters of the
bank (P = 1 for conv, the period for tiled, the output for local), so on that axis

    products that count        T = sum over a of hits[a]
    (filter, tap) in use           sum over a of min(P, hits[a])
    uses of one of these       from hits[a] // P, at least 1, to ceil(hits[a] / P)

and a layer has the product of its axes times its pairs of channels.  No array is made: a dense
matrix of 8e9 entries costs microseconds.  This is the only place where parameters and
multiply-adds are counted; `layers`, `sharing`, `lab` and `bench` ask here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, NamedTuple, TypeAlias

from .geometry import (
    Geometry,
    as_groups,
    as_shape,
    check_dense,
    geometry,
    per_axis,
    transposed_geometry,
)

Shape: TypeAlias = "tuple[int, ...]"

LADDER = ("dense", "local", "tiled", "conv")  # from nothing shared to everything shared
FAMILIES = (*LADDER, "conv_transpose")
VERBS = {"local": "local_conv", "tiled": "tiled_conv"}  # of the other families: their own names


class Window(NamedTuple):
    """What one output of a layer reads on one axis: taps, and the low padding before them."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    low: int = 0


# One window per spatial axis, or: every output reads one element, all of the input, or it has no
# one answer (a transposed convolution, a layer that this library does not know).
Reads: TypeAlias = "tuple[Window, ...] | Literal['element', 'all', 'unknown']"


@dataclass(frozen=True)
class Counts:
    """The integers of one layer for one image.  Shapes are without the batch axis.

    Attributes
    ----------
    family : "dense", "local", "tiled", "conv", "conv_transpose", or a class without weights.
    x_shape, y_shape : of one input and its result.
    weights, biases : stored.
    filter_size : weights of one filter, those that one output of one position reads.
    weights_in_use, biases_in_use : without taps that meet nothing but zero padding and without
        filters that no output position uses.
    multiply_adds : of the forward pass, every tap.
    useful_multiply_adds : without the taps on zero padding; the ones in the sharing map P.
    flops : multiplications and additions of the forward pass, every tap.  A sum of n products
        without a bias has n - 1 additions; a transposed convolution adds into zeros, so n.
    most_uses, least_uses : products per image that a weight in use takes part in.
    reads : what one output reads on each axis.
    """

    family: str
    x_shape: Shape
    y_shape: Shape
    weights: int = 0
    biases: int = 0
    filter_size: int = 0
    weights_in_use: int = 0
    biases_in_use: int = 0
    multiply_adds: int = 0
    useful_multiply_adds: int = 0
    flops: int = 0
    most_uses: int = 0
    least_uses: int = 0
    reads: Reads = "unknown"

    @property
    def filters(self) -> int:
        """Filters stored; two outputs of one position have two."""
        return self.weights // self.filter_size if self.filter_size else 0

    @property
    def parameters(self) -> int:
        return self.weights + self.biases

    @property
    def parameters_in_use(self) -> int:
        return self.weights_in_use + self.biases_in_use

    @property
    def mean_uses(self) -> Fraction:
        """Useful multiply-adds per weight in use."""
        return Fraction(self.useful_multiply_adds, self.weights_in_use or 1)

    @property
    def gradient_multiply_adds(self) -> int:
        """Of both gradients: each has the products of the forward pass, in another order."""
        return 2 * self.multiply_adds

    def bytes(self, itemsize: int) -> dict[str, int]:
        """Sizes of the arrays for numbers of `itemsize` bytes."""
        elements = {"x": math.prod(self.x_shape), "w": self.weights, "b": self.biases,
                    "y": math.prod(self.y_shape)}
        return {name: n * itemsize for name, n in elements.items()}


def _hits(size: int, kernel: int, stride: int, dilation: int, low: int, outs: int) -> list[int]:
    """For each tap, the positions p in 0 .. outs-1 with 0 <= p*stride + tap*dilation - low < size.
    """
    found = []
    for at in range(-low, kernel * dilation - low, dilation):  # where the tap of position 0 lies
        first, stop = max(0, -(at // stride)), min(outs, (size - 1 - at) // stride + 1)
        found.append(max(0, stop - first))
    return found


def _axis(hits: Sequence[int], period: int) -> tuple[int, int, int, int]:
    """T, (filter, tap) in use, most uses and least uses of one axis; see the head of this file."""
    met = [n for n in hits if n]
    if not met:
        return 0, 0, 0, 0
    return (sum(met), sum(min(period, n) for n in met), -(-max(met) // period),
            max(min(met) // period, 1))


def _from_geometry(family: str, g: Geometry, x_shape: Shape, y_shape: Shape, bias: bool,
                   reads: Reads) -> Counts:
    """Of a sweep.  A transposed convolution is counted by the sweep that reads its result."""
    transposed = family == "conv_transpose"
    zeros = g.mode == "zeros"  # in all other modes every tap meets an element
    axes = [_axis(_hits(n, k, s, d, low, outs) if zeros else [outs] * k, period)
            for n, k, s, d, (low, _), outs, period in zip(
                g.in_size, g.kernel, g.stride, g.dilation, g.pads, g.out_size, g.period,
                strict=True)]
    useful, used, most, least = (math.prod(values) for values in zip(*axes, strict=True))
    pairs = g.out_channels * (g.in_channels // g.groups)
    products = math.prod(g.out_size) * pairs * math.prod(g.kernel)
    # Output position p takes the bias of its filter; of a transposed result all take one.
    filters_used = math.prod(map(min, g.period, g.out_size))
    return Counts(
        family, x_shape, y_shape, weights=math.prod(g.w_shape),
        biases=math.prod(g.period) * y_shape[0] * bias,
        filter_size=math.prod(g.w_shape[-g.rank - 1:]),
        weights_in_use=used * pairs, biases_in_use=filters_used * y_shape[0] * bias,
        multiply_adds=products, useful_multiply_adds=useful * pairs,
        flops=_flops(products, 0 if bias or transposed else math.prod(y_shape)),
        most_uses=most, least_uses=least, reads=reads)


def _flops(products: int, spared: int) -> int:
    """Products and as many additions; without a bias the first product of a sum needs none."""
    return max(2 * products - spared, 0)


def _one_image(verb: str, x_shape: Iterable[int], channels: str = "C") -> Shape:
    shape = as_shape(verb, "x_shape", x_shape)
    if not 2 <= len(shape) <= 4:
        raise ValueError(f"{verb}: x_shape must be ({channels}, *spatial), without the batch, with "
                         f"1, 2 or 3 spatial axes, got {shape}")
    return shape


def _dense(x_shape: Iterable[int], w_shape: Shape, bias: bool) -> Counts:
    x = as_shape("dense", "x_shape", x_shape)
    check_dense("dense", (1, *x), w_shape)
    weights, outs = math.prod(w_shape), w_shape[0]
    once = min(weights, 1)
    return Counts("dense", x, (outs,), weights=weights, biases=outs * bias,
                  filter_size=math.prod(x), weights_in_use=weights, biases_in_use=outs * bias,
                  multiply_adds=weights, useful_multiply_adds=weights,
                  flops=_flops(weights, 0 if bias else outs), most_uses=once, least_uses=once,
                  reads="all")


def _transposed(x_shape: Iterable[int], w_shape: Shape, bias: bool, *, stride: Any = 1,
                padding: Any = 0, output_padding: Any = 0, dilation: Any = 1, groups: Any = 1,
                padding_mode: str = "zeros") -> Counts:
    x = _one_image("conv_transpose", x_shape, "I")
    g = transposed_geometry((1, *x), w_shape, stride=stride, padding=padding, dilation=dilation,
                            output_padding=output_padding, groups=groups,
                            padding_mode=padding_mode)
    return _from_geometry("conv_transpose", g, x, g.x_shape[1:], bias, "unknown")


def counts_of(family: str, x_shape: Iterable[int], w_shape: Iterable[int], *, bias: bool = True,
              **keywords: Any) -> Counts:
    """The counts of one layer with weights, from its shapes.

    Parameters
    ----------
    family : "dense", "local", "tiled", "conv" or "conv_transpose".
    x_shape : of one image, without the batch: (C, *spatial), for dense also (D,).
    w_shape : as the family's verb takes it, (*bank, O, C/groups, *kernel) for most.
    bias : whether there is a b.
    keywords : stride, padding, ... of the verb; dense has none.

    Examples
    --------
    The dense matrix of Goodfellow et al., Deep Learning, fig. 9.6, and the filter of two taps
    that does the same:

    >>> counts_of("dense", (1, 280, 320), (280 * 319, 280 * 320), bias=False).weights
    8003072000
    >>> counts_of("conv", (1, 280, 320), (1, 1, 1, 2), bias=False).flops
    267960
    """
    if family not in FAMILIES:
        raise ValueError(f"counts_of: family must be one of {', '.join(map(repr, FAMILIES))}, "
                         f"got {family!r}")
    verb = VERBS.get(family, family)
    w = as_shape(verb, "w_shape", w_shape)
    if family == "dense":
        return _dense(x_shape, w, bias, **keywords)
    if family == "conv_transpose":
        return _transposed(x_shape, w, bias, **keywords)
    x = _one_image(verb, x_shape)
    g = geometry(verb, family, (1, *x), w, **keywords)  # type: ignore[arg-type]  # checked above
    windows = tuple(Window(k, s, d, low) for k, s, d, (low, _) in zip(
        g.kernel, g.stride, g.dilation, g.pads, strict=True))
    return _from_geometry(family, g, x, g.y_shape[1:], bias, windows)


def ladder_counts(verb: str, family: str, x_shape: Iterable[int], out_channels: int, kernel: Any,
                  *, period: Any = 1, bias: bool = True, groups: Any = 1, **keywords: Any
                  ) -> Counts:
    """The counts of the layer with which `family` makes the maps (O, *out) that conv makes.

    `verb` opens error messages, `period` is that of tiled; the rest as in `counts_of`.

    Examples
    --------
    >>> for family in LADDER:
    ...     print(family, ladder_counts("doc", family, (3, 32, 32), 64, 3, period=2).weights)
    dense 176947200
    local 1555200
    tiled 6912
    conv 1728
    """
    if family not in LADDER:
        raise ValueError(f"{verb}: a family must be one of {', '.join(map(repr, LADDER))}, "
                         f"got {family!r}")
    x, groups = _one_image(verb, x_shape), as_groups(verb, groups)
    rank = len(x) - 1
    (outs,) = per_axis(verb, "out_channels", out_channels, 1, 1)
    one = (outs, x[0] // groups, *per_axis(verb, "kernel", kernel, rank, 1))
    places = geometry(verb, "conv", (1, *x), one, groups=groups, **keywords).out_size
    if family == "dense":
        return counts_of("dense", x, (outs * math.prod(places), *x), bias=bias)
    banks = {"local": places, "tiled": per_axis(verb, "period", period, rank, 1)}
    return counts_of(family, x, (*banks.get(family, ()), *one), bias=bias, groups=groups,
                     **keywords)
