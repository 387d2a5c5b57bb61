"""Shapes and padding in integers: what a sweep covers, before any array is touched.

One frozen `Geometry` describes one call of any verb of any family.  On each spatial axis

    input coordinate of (output p, tap t) = p * stride + t * dilation - low padding

and `virtual_index` says which input element, if any, stands at a coordinate outside of the image.
Everything here is exact integer arithmetic; nothing depends on the arrays' memory.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np

Family: TypeAlias = Literal["conv", "tiled", "local"]
Ints: TypeAlias = "int | Sequence[int]"
Padding: TypeAlias = "int | str | Sequence[int | Sequence[int]]"
Pads: TypeAlias = "tuple[tuple[int, int], ...]"

PADDING_MODES = ("zeros", "reflect", "symmetric", "replicate", "circular")
PADDING_NAMES = ("valid", "same", "same_lower", "full", "causal")
MAX_BYTES = 2**63 - 1  # of one array: what a signed 64-bit offset can reach


@dataclass(frozen=True, slots=True)
class Geometry:
    """All integers of one sweep.  `bank` is the leading shape of the weights, () for conv."""

    family: Family
    batch: int
    in_channels: int
    out_channels: int
    groups: int
    in_size: tuple[int, ...]
    kernel: tuple[int, ...]
    out_size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pads
    mode: str
    bank: tuple[int, ...]

    @property
    def rank(self) -> int:
        return len(self.in_size)

    @property
    def period(self) -> tuple[int, ...]:
        """Filter p mod period serves output position p; conv has one filter, so period 1."""
        return self.bank or (1,) * self.rank

    @property
    def x_shape(self) -> tuple[int, ...]:
        return (self.batch, self.in_channels, *self.in_size)

    @property
    def y_shape(self) -> tuple[int, ...]:
        return (self.batch, self.out_channels, *self.out_size)

    @property
    def w_shape(self) -> tuple[int, ...]:
        return (*self.bank, self.out_channels, self.in_channels // self.groups, *self.kernel)

    @property
    def b_shape(self) -> tuple[int, ...]:
        return (*self.bank, self.out_channels)


def as_shape(verb: str, name: str, shape: Iterable[Any]) -> tuple[int, ...]:
    """`shape` as a tuple of non-negative ints, or an error that names it."""
    try:
        result = tuple(operator.index(n) for n in shape)
    except TypeError:
        raise TypeError(f"{verb}: {name} must be a tuple of ints, got {shape!r}") from None
    if any(n < 0 for n in result):
        raise ValueError(f"{verb}: {name} must not hold a negative size, got {result}")
    return result


def as_groups(verb: str, groups: Any) -> int:
    try:
        groups = operator.index(groups)
    except TypeError:
        raise TypeError(f"{verb}: groups must be an int, got {groups!r}") from None
    if groups < 1:
        raise ValueError(f"{verb}: groups must be at least 1, got {groups}")
    return int(groups)


def per_axis(verb: str, name: str, value: Any, rank: int, least: int) -> tuple[int, ...]:
    """An int or one int per spatial axis, each at least `least`."""
    try:
        values = (operator.index(value),) * rank
    except TypeError:
        try:
            values = tuple(operator.index(v) for v in value)
        except TypeError:
            raise TypeError(
                f"{verb}: {name} must be an int or one int per spatial axis, got {value!r}"
            ) from None
        if len(values) != rank:
            raise ValueError(
                f"{verb}: {name} must be an int or {rank} ints, one per spatial axis, got {value!r}"
            ) from None
    if any(v < least for v in values):
        raise ValueError(f"{verb}: {name} must be at least {least}, got {value!r}")
    return values


def numeric_pads(verb: str, padding: Any, rank: int) -> Pads:
    """Numeric padding as (low, high) per axis: an int, one per axis, or pairs."""
    expected = (
        f"an int, {rank} ints, {rank} (low, high) pairs (one per spatial axis) "
        f"or one of {', '.join(map(repr, PADDING_NAMES))}"
    )
    try:
        return ((operator.index(padding),) * 2,) * rank
    except TypeError:
        pass
    try:
        entries = list(padding)
    except TypeError:
        raise TypeError(f"{verb}: padding must be {expected}, got {padding!r}") from None
    if len(entries) != rank:
        raise ValueError(f"{verb}: padding must be {expected}, got {padding!r}")
    pads = []
    for entry in entries:
        try:
            low = high = operator.index(entry)
        except TypeError:
            try:
                low, high = (operator.index(v) for v in entry)
            except (TypeError, ValueError):
                raise type_or_value(entry)(
                    f"{verb}: padding must be {expected}, got {padding!r}"
                ) from None
        pads.append((low, high))
    return tuple(pads)


def type_or_value(entry: Any) -> type[Exception]:
    """A pair of the wrong length is a ValueError; what is no pair of ints at all a TypeError."""
    ints = isinstance(entry, (tuple, list)) and all(hasattr(v, "__index__") for v in entry)
    return ValueError if ints else TypeError


def _named_pads(
    verb: str, name: str, size: Sequence[int], kernel: Sequence[int], stride: Sequence[int],
    dilation: Sequence[int],
) -> Pads:
    """Padding given by name.  "same" is TensorFlow's and ONNX SAME_UPPER's rule at any stride:
    ceil(size / stride) outputs, the odd element of padding on the high side."""
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    if name == "valid":
        return ((0, 0),) * len(size)
    if name == "full":
        return tuple((r, r) for r in reach)
    if name == "causal":
        if len(size) != 1:
            raise ValueError(
                f"{verb}: padding='causal' needs one spatial axis, the input has {len(size)}"
            )
        return ((reach[0], 0),)
    if name not in ("same", "same_lower"):
        raise ValueError(
            f"{verb}: padding must be an int, one per axis, (low, high) pairs or one of "
            f"{', '.join(map(repr, PADDING_NAMES))}, got {name!r}"
        )
    total = [max((-(-n // s) - 1) * s + r + 1 - n, 0)
             for n, s, r in zip(size, stride, reach, strict=True)]
    half = [(t // 2, t - t // 2) for t in total]
    return tuple(half) if name == "same" else tuple((high, low) for low, high in half)


def _check_bytes(verb: str, name: str, shape: tuple[int, ...]) -> None:
    if math.prod(n for n in shape if n) * 8 > MAX_BYTES:
        raise ValueError(f"{verb}: {name} of shape {shape} is too large for 64-bit offsets")


@lru_cache(maxsize=1024, typed=True)
def _geometry(
    verb: str, family: Family, x_shape: tuple[int, ...], w_shape: tuple[int, ...],
    stride: Any, padding: Any, dilation: Any, groups: int, mode: str,
) -> Geometry:
    rank = len(x_shape) - 2
    if not 1 <= rank <= 3:
        raise ValueError(
            f"{verb}: x must be (N, C, *spatial) with 1, 2 or 3 spatial axes, "
            f"got x.shape = {x_shape}"
        )
    bank_rank = 0 if family == "conv" else rank
    if len(w_shape) != bank_rank + 2 + rank:
        lead = {"conv": "", "tiled": "*period, ", "local": "*out, "}[family]
        raise ValueError(
            f"{verb}: w must be ({lead}O, C/groups, *kernel) with {bank_rank + 2 + rank} axes for "
            f"x.shape = {x_shape}, got w.shape = {w_shape}"
        )
    shapes = f"(x.shape = {x_shape}, w.shape = {w_shape})"
    bank, (out_channels, taken), kernel = (
        w_shape[:bank_rank], w_shape[bank_rank:bank_rank + 2], w_shape[bank_rank + 2:],
    )
    batch, in_channels, *size = x_shape
    stride = per_axis(verb, "stride", stride, rank, 1)
    dilation = per_axis(verb, "dilation", dilation, rank, 1)
    if taken * groups != in_channels:
        raise ValueError(
            f"{verb}: w has {taken} input channels (w.shape = {w_shape}) but x has {in_channels} "
            f"with groups={groups} (x.shape = {x_shape}): expected C/groups = "
            f"{in_channels}/{groups}"
        )
    if out_channels % groups:
        raise ValueError(
            f"{verb}: {out_channels} output channels (w.shape = {w_shape}) cannot be split into "
            f"groups={groups}"
        )
    if min(kernel) < 1:
        raise ValueError(f"{verb}: w must have at least one tap on each axis {shapes}")
    if mode not in PADDING_MODES:
        raise ValueError(f"{verb}: padding_mode must be one of "
                         f"{', '.join(map(repr, PADDING_MODES))}, got {mode!r}")
    if isinstance(padding, str):
        pads = _named_pads(verb, padding, size, kernel, stride, dilation)
    else:
        pads = numeric_pads(verb, padding, rank)
    out_size = []
    for n, k, s, d, (low, high) in zip(size, kernel, stride, dilation, pads, strict=True):
        padded, reach = n + low + high, (k - 1) * d + 1
        if max(padded, reach, abs(low), abs(high), s, d) > MAX_BYTES // 8:
            raise ValueError(f"{verb}: stride={s}, dilation={d}, padding={(low, high)} reach "
                             f"beyond 64-bit offsets {shapes}")
        if mode != "zeros" and n == 0 and padded > 0:
            raise ValueError(f"{verb}: padding_mode={mode!r} cannot pad an empty axis {shapes}")
        if padded < reach:
            raise ValueError(
                f"{verb}: the kernel reaches over {reach} elements but the padded input has only "
                f"{max(padded, 0)}: kernel {kernel}, dilation {dilation}, padding {pads} {shapes}"
            )
        out_size.append((padded - reach) // s + 1)
    if family == "local" and bank != tuple(out_size):
        raise ValueError(
            f"{verb}: w must have one filter per output position, so w.shape must start with "
            f"{tuple(out_size)}, got w.shape = {w_shape} for x.shape = {x_shape}"
        )
    if family == "tiled" and min(bank) < 1:
        raise ValueError(f"{verb}: the period must be at least 1 on each axis, "
                         f"got w.shape = {w_shape}")
    g = Geometry(family, batch, in_channels, out_channels, groups, tuple(size), kernel,
                 tuple(out_size), stride, dilation, pads, mode, bank)
    for name, shape in (("x", x_shape), ("w", w_shape), ("the result", g.y_shape)):
        _check_bytes(verb, name, shape)
    return g


def frozen(verb: str, name: str, value: Any) -> Any:
    """Sequences as tuples of ints, so that a call's arguments can be the key of a cache."""
    if isinstance(value, (int, str)) or (
            type(value) is tuple and all(type(v) is int for v in value)):
        return value
    try:
        return operator.index(value)
    except TypeError:
        pass
    if not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        raise TypeError(f"{verb}: {name} must be made of ints, got {value!r}")
    return tuple(frozen(verb, name, v) for v in value)


def geometry(
    verb: str, family: Family, x_shape: tuple[int, ...], w_shape: tuple[int, ...], *,
    stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: Any = 1,
    padding_mode: Any = "zeros",
) -> Geometry:
    """The checked geometry of one call.  `verb` opens every error message."""
    groups = as_groups(verb, groups)
    if not isinstance(padding_mode, str):
        raise TypeError(f"{verb}: padding_mode must be a str, got {padding_mode!r}")
    return _geometry(verb, family, x_shape, w_shape, frozen(verb, "stride", stride),
                     frozen(verb, "padding", padding), frozen(verb, "dilation", dilation),
                     groups, padding_mode)


def transposed_geometry(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], *, stride: Any, padding: Any,
    output_padding: Any, dilation: Any, groups: int, padding_mode: str,
) -> Geometry:
    """The geometry of the `conv` that reads the result: its y is our x, its x is our result."""
    verb, shapes = "conv_transpose", f"(x.shape = {x_shape}, w.shape = {w_shape})"
    rank = len(x_shape) - 2
    if not 1 <= rank <= 3 or len(w_shape) != rank + 2:
        raise ValueError(f"{verb}: x must be (N, I, *spatial) with 1, 2 or 3 spatial axes and w "
                         f"(I, O/groups, *kernel) with as many {shapes}")
    if x_shape[1] != w_shape[0]:
        raise ValueError(f"{verb}: w must lead with the {x_shape[1]} channels of x {shapes}")
    groups = as_groups(verb, groups)
    if x_shape[1] % groups:
        raise ValueError(f"{verb}: {x_shape[1]} channels cannot be split into groups={groups} "
                         f"{shapes}")
    size, kernel = x_shape[2:], w_shape[2:]
    stride = per_axis(verb, "stride", stride, rank, 1)
    dilation = per_axis(verb, "dilation", dilation, rank, 1)
    extra = per_axis(verb, "output_padding", output_padding, rank, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(f"{verb}: output_padding must be less than stride or dilation, got "
                         f"{output_padding!r} with stride={stride}, dilation={dilation}")
    padding = frozen(verb, "padding", padding)
    same = padding in ("same", "same_lower")
    if same and any(extra):
        raise ValueError(f"{verb}: padding={padding!r} makes the result stride times as large as "
                         f"x, so output_padding must be 0, got {output_padding!r}")

    result = tuple(n * s for n, s in zip(size, stride, strict=True))
    if isinstance(padding, str):
        pads = _named_pads(verb, padding, result, kernel, stride, dilation)
    else:
        pads = numeric_pads(verb, padding, rank)
    if not same:
        result = tuple((n - 1) * s - low - high + d * (k - 1) + 1 + e for n, s, (low, high), d, k, e
                       in zip(size, stride, pads, dilation, kernel, extra, strict=True))
    if min(*size, *result) < 1:
        raise ValueError(f"{verb}: padding={pads} would leave a result of spatial size {result} "
                         f"{shapes}")
    g = geometry(verb, "conv", (x_shape[0], w_shape[1] * groups, *result), w_shape, stride=stride,
                 padding=pads, dilation=dilation, groups=groups, padding_mode=padding_mode)
    # Where dilation > stride, output_padding can make room for more positions than x has.
    return replace(g, out_size=size)


def check_dense(verb: str, x_shape: tuple[int, ...], w_shape: tuple[int, ...]) -> None:
    """A filter of a dense layer is as big as x, flat or in the shape of x."""
    if len(x_shape) < 2 or w_shape[1:] not in (x_shape[1:], (math.prod(x_shape[1:]),)):
        raise ValueError(f"{verb}: w must be (O, D) for x (N, D), and (O, C, *spatial) or (O, D) "
                         f"for x (N, C, *spatial), got x.shape = {x_shape}, w.shape = {w_shape}")


def virtual_index(coordinate: np.ndarray, size: int, mode: str) -> np.ndarray:
    """Which element of an axis of `size` stands at each coordinate; -1 where a zero stands.

    Coordinates count from the first element of the axis and may lie anywhere.  As in `np.pad`,
    padding wider than the axis goes on in the same pattern.
    """
    u = np.asarray(coordinate, dtype=np.int64)
    if mode == "zeros":
        return np.where((u >= 0) & (u < size), u, -1)
    if mode == "replicate":
        return np.clip(u, 0, size - 1)
    if mode == "circular":
        return u % size
    if mode == "symmetric":
        v = u % (2 * size)
        return np.minimum(v, 2 * size - 1 - v)
    v = u % max(2 * (size - 1), 1)  # reflect: the border element is not repeated
    return np.minimum(v, 2 * (size - 1) - v)


def _public(
    verb: str, x_shape: Iterable[int], w_shape: Iterable[int], **keywords: Any
) -> Geometry:
    x, w = as_shape(verb, "x_shape", x_shape), as_shape(verb, "w_shape", w_shape)
    banked = len(w) == len(x) + len(x) - 2 and len(x) > 2
    family: Family = "tiled" if banked else "conv"
    return geometry(verb, family, x, w, **keywords)


def output_shape(
    x_shape: Iterable[int], w_shape: Iterable[int], *, stride: Ints = 1, padding: Padding = 0,
    dilation: Ints = 1, groups: int = 1, padding_mode: str = "zeros",
) -> tuple[int, ...]:
    """Shape (N, O, *out) of the result of `conv`, `tiled_conv` or `local_conv`.

    Parameters
    ----------
    x_shape : (N, C, *spatial), 1, 2 or 3 spatial axes.
    w_shape : (O, C/groups, *kernel), or the same with a bank in front: (*bank, O, ...).
    stride, padding, dilation, groups, padding_mode : as in `conv`.

    Raises
    ------
    ValueError, TypeError
        Where the shapes and keywords do not fit; the message names the argument.

    Examples
    --------
    >>> output_shape((8, 3, 224, 224), (64, 3, 7, 7), stride=2, padding=3)
    (8, 64, 112, 112)
    """
    return _public("output_shape", x_shape, w_shape, stride=stride, padding=padding,
                   dilation=dilation, groups=groups, padding_mode=padding_mode).y_shape


def padding_amounts(
    x_shape: Iterable[int], w_shape: Iterable[int], *, stride: Ints = 1, padding: Padding = 0,
    dilation: Ints = 1, groups: int = 1, padding_mode: str = "zeros",
) -> Pads:
    """The (low, high) padding of each spatial axis that `padding` stands for.

    Examples
    --------
    >>> padding_amounts((1, 1, 5), (1, 1, 4), padding="same")
    ((1, 2),)
    >>> padding_amounts((1, 1, 6), (1, 1, 3), stride=2, padding="same")
    ((0, 1),)
    """
    return _public("padding_amounts", x_shape, w_shape, stride=stride, padding=padding,
                   dilation=dilation, groups=groups, padding_mode=padding_mode).pads
