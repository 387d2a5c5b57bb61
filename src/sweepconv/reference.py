"""Every verb in plain NumPy: the specification in code, and the oracle of the tests.

    y[n, o, p] = b[f(p), o]
               + sum over c, t of w[f(p), o, c, t] * x[n, c, p*stride + t*dilation - low]

`_meetings` walks over filters f and taps t and lists which element of x meets which output
position p; a zero of zero padding has the index -1.  Each verb is one product per meeting:

    forward           y[p] += w[f, t] x[element]     the zeros take part, so 0 * Inf is NaN
    input gradient    dx[element] += w[f, t]^T dy[p] a scatter-add, hence the exact adjoint
    weight gradient   dw[f, t] = dy[p] x[element]^T

Rank, family, padding mode, stride, dilation and crop differ in the indices only.  Sums are taken in
float64 and rounded once, so small integers give exact results.  The keywords are those of the
compiled verbs; `algorithm` and `n_threads` are taken and ignored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from .geometry import (
    Family,
    Geometry,
    Ints,
    Padding,
    as_shape,
    geometry,
    per_axis,
    transposed_geometry,
    virtual_index,
)

__all__ = [
    "avg_pool", "avg_pool_input_grad", "bias_grad", "conv", "conv_input_grad", "conv_transpose",
    "conv_weight_grad", "dense", "dense_input_grad", "dense_weight_grad", "local_conv",
    "local_conv_input_grad", "local_conv_weight_grad", "max_pool", "max_pool_input_grad",
    "tiled_conv", "tiled_conv_input_grad", "tiled_conv_weight_grad",
]

Array: TypeAlias = "npt.NDArray[Any]"
Shape: TypeAlias = "Sequence[int]"


class Sweep(TypedDict, total=False):
    """The keywords of a sweep, one meaning in all verbs."""

    stride: Ints
    padding: Padding
    dilation: Ints
    groups: int
    padding_mode: str
    out: Array | None
    algorithm: str
    n_threads: int | None


class Gradient(Sweep, total=False):
    """The keywords of a sweep's gradients; `accumulate` adds the gradient into `out`."""

    accumulate: bool


# Arguments in, results out


def _arrays(verb: str, **named: Any) -> tuple[Any, ...]:
    """The named operands as arrays (None stays None), all float32 or all float64."""
    arrays = {name: np.asarray(a) for name, a in named.items() if a is not None}
    first, model = next(iter(arrays.items()))
    for name, a in arrays.items():
        if a.dtype not in (np.float32, np.float64):
            raise TypeError(f"{verb}: {name} must be float32 or float64, got {a.dtype}")
        if a.dtype != model.dtype:
            raise TypeError(f"{verb}: {name} must have the dtype of {first}, {model.dtype}, "
                            f"got {a.dtype}")
    return tuple(arrays.get(name) for name in named)


def _expect(verb: str, name: str, a: Array, shape: tuple[int, ...], why: str) -> None:
    if a.shape != shape:
        raise ValueError(f"{verb}: {name} must have shape {shape} for {why}, "
                         f"got {name}.shape = {a.shape}")


@np.errstate(all="ignore")
def _deliver(
    verb: str, value: Array, model: Array, out: Array | None, accumulate: bool = False
) -> Array:
    """The float64 `value` in the dtype of `model`, in `out` or in a new array whose axes lie in
    memory as those of `model` do (C order if their number differs)."""
    if out is None:
        if accumulate:
            raise ValueError(f"{verb}: accumulate=True adds into out, got out=None")
        out = np.empty_like(model, shape=value.shape, subok=False)
    elif not isinstance(out, np.ndarray) or out.dtype != model.dtype:
        came = getattr(out, "dtype", type(out).__name__)
        raise TypeError(f"{verb}: out must be an array of {model.dtype}, got {came}")
    elif out.shape != value.shape:
        raise ValueError(f"{verb}: out must have shape {value.shape}, got out.shape = {out.shape}")
    elif not out.flags.writeable:
        raise ValueError(f"{verb}: out must be writeable, got a read-only array")
    out[...] = value + out if accumulate else value
    return out


# The sweep


def _flat(indices: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """Row-major index of each point of the grid of per-axis indices; -1 where any of them is."""
    flat, outside = np.zeros((), dtype=np.int64), np.zeros((), dtype=bool)
    for i, n in zip(np.ix_(*indices), shape, strict=True):
        flat, outside = flat * n + i, outside | (i < 0)
    return np.where(outside, -1, flat).ravel()


def _meetings(g: Geometry) -> Iterator[tuple[Any, Array, Array]]:
    """(index of filter f and tap t in `_filters`, positions that f serves, elements they read)."""
    axes = range(g.rank)
    served = [
        (f[:len(g.bank)],
         _flat([np.arange(f[a], g.out_size[a], g.period[a]) for a in axes], g.out_size))
        for f in np.ndindex(*g.period)
    ]
    for t in np.ndindex(*g.kernel):
        read = [np.arange(g.out_size[a]) * g.stride[a] + t[a] * g.dilation[a] - g.pads[a][0]
                for a in axes]
        elements = _flat([virtual_index(read[a], g.in_size[a], g.mode) for a in axes], g.in_size)
        for f, positions in served:
            yield (*f, ..., *t), positions, elements[positions]


def _grouped(a: Array, groups: int, zeros: int = 0) -> Array:
    """(N, C, *spatial) as float64 (N, groups, C/groups, pixels + zeros): index -1 reads a zero."""
    n, c, pixels = a.shape[0], a.shape[1], math.prod(a.shape[2:])
    result = np.zeros((n, groups, c // groups, pixels + zeros))
    result[..., :pixels] = a.reshape(n, groups, c // groups, pixels)
    return result


def _filters(g: Geometry, w: Array) -> Array:
    """w as float64 (*bank, groups, O/groups, C/groups, *kernel)."""
    taken = (g.groups, g.out_channels // g.groups, g.in_channels // g.groups)
    return w.reshape(*g.bank, *taken, *g.kernel).astype(np.float64)


@np.errstate(all="ignore")
def _forward(g: Geometry, x: Array, w: Array) -> Array:
    """y without bias, float64 (N, O, *out)."""
    x, w = _grouped(x, g.groups, zeros=1), _filters(g, w)
    y = np.zeros((g.batch, g.groups, g.out_channels // g.groups, math.prod(g.out_size)))
    for taps, positions, elements in _meetings(g):
        y[..., positions] += w[taps] @ x.take(elements, axis=-1)
    return y.reshape(g.y_shape)


@np.errstate(all="ignore")
def _input_grad(g: Geometry, dy: Array, w: Array) -> Array:
    """dx, float64 (N, C, *spatial).  Zeros of the padding are no elements and get nothing."""
    dy, w = _grouped(dy, g.groups), _filters(g, w)
    dx = np.zeros((g.batch, g.groups, g.in_channels // g.groups, math.prod(g.in_size)))
    for taps, positions, elements in _meetings(g):
        real = elements >= 0
        into: Any = np.s_[..., elements[real]]  # reflection may name an element twice
        np.add.at(dx, into, w[taps].swapaxes(-1, -2) @ dy.take(positions[real], axis=-1))
    return dx.reshape(g.x_shape)


@np.errstate(all="ignore")
def _weight_grad(g: Geometry, x: Array, dy: Array) -> Array:
    """dw, float64 (*bank, O, C/groups, *kernel)."""
    x, dy = _grouped(x, g.groups, zeros=1), _grouped(dy, g.groups)
    dw = _filters(g, np.zeros(g.w_shape))
    for taps, positions, elements in _meetings(g):
        part = dy.take(positions, axis=-1) @ x.take(elements, axis=-1).swapaxes(-1, -2)
        dw[taps] = part.sum(axis=0)
    return dw.reshape(g.w_shape)


def _served(b_shape: tuple[int, ...], size: tuple[int, ...]) -> tuple[tuple[int, ...], Any]:
    """b_shape with a bank on each axis, and f(p) for every output position as an open grid."""
    bank = b_shape[:-1] or (1,) * len(size)
    grid = np.ix_(*(np.arange(n) % period for n, period in zip(size, bank, strict=True)))
    return (*bank, b_shape[-1]), grid


def _with_bias(verb: str, y: Array, b: Array | None, b_shape: tuple[int, ...]) -> Array:
    """y + b[f(p), o]; b is (*bank, O)."""
    if b is None:
        return y
    _expect(verb, "b", b, b_shape, f"y.shape = {y.shape}")
    banked, served = _served(b_shape, y.shape[2:])
    at_positions: Array = np.moveaxis(b.reshape(banked)[served], -1, 0)  # (O, *out)
    return y + at_positions


def _sweep_geometry(
    verb: str, family: Family, x_shape: tuple[int, ...], w_shape: tuple[int, ...], *,
    algorithm: str = "direct", n_threads: int | None = None, **keywords: Any,
) -> Geometry:
    return geometry(verb, family, x_shape, w_shape, **keywords)


def _sweep(
    verb: str, family: Family, x: Any, w: Any, b: Any, *, out: Array | None = None, **keywords: Any
) -> Array:
    x, w, b = _arrays(verb, x=x, w=w, b=b)
    g = _sweep_geometry(verb, family, x.shape, w.shape, **keywords)
    return _deliver(verb, _with_bias(verb, _forward(g, x, w), b, g.b_shape), x, out)


def _sweep_input_grad(
    verb: str, family: Family, dy: Any, w: Any, x_shape: Shape, *, out: Array | None = None,
    accumulate: bool = False, **keywords: Any,
) -> Array:
    dy, w = _arrays(verb, dy=dy, w=w)
    g = _sweep_geometry(verb, family, as_shape(verb, "x_shape", x_shape), w.shape, **keywords)
    _expect(verb, "dy", dy, g.y_shape, f"x_shape = {g.x_shape}, w.shape = {g.w_shape}")
    return _deliver(verb, _input_grad(g, dy, w), dy, out, accumulate)


def _sweep_weight_grad(
    verb: str, family: Family, x: Any, dy: Any, w_shape: Shape, *, out: Array | None = None,
    accumulate: bool = False, **keywords: Any,
) -> Array:
    x, dy = _arrays(verb, x=x, dy=dy)
    g = _sweep_geometry(verb, family, x.shape, as_shape(verb, "w_shape", w_shape), **keywords)
    _expect(verb, "dy", dy, g.y_shape, f"x.shape = {g.x_shape}, w_shape = {g.w_shape}")
    return _deliver(verb, _weight_grad(g, x, dy), x, out, accumulate)


# One filter, shared everywhere


def conv(x: Any, w: Any, b: Any = None, **keywords: Unpack[Sweep]) -> Array:
    """Cross-correlation of x with one filter that every output position shares.

    Parameters
    ----------
    x : (N, C, *spatial), float32 or float64.
    w : (O, C/groups, *kernel), the dtype of x.
    b : (O,), optional.
    out : array of the result's shape and dtype, optional.
    stride, padding, dilation, groups, padding_mode : as in `sweepconv.conv`.

    Returns
    -------
    y : (N, O, *out), rounded once from float64.

    Examples
    --------
    >>> conv([[[1.0, 2.0, 4.0]]], [[[-1.0, 1.0]]])
    array([[[1., 2.]]])
    """
    return _sweep("conv", "conv", x, w, b, **keywords)


def conv_input_grad(dy: Any, w: Any, x_shape: Shape, **keywords: Unpack[Gradient]) -> Array:
    """Gradient of `conv` for x: dx[element] = sum over meetings of w[o, c, t] * dy[n, o, p].

    Parameters
    ----------
    dy : (N, O, *out).
    w : (O, C/groups, *kernel).
    x_shape : (N, C, *spatial).
    out, accumulate : with `accumulate` the gradient is added into `out`.
    stride, padding, dilation, groups, padding_mode : as given to `conv`.

    Examples
    --------
    >>> conv_input_grad([[[1.0, 1.0]]], [[[-1.0, 1.0]]], (1, 1, 3))
    array([[[-1.,  0.,  1.]]])
    """
    return _sweep_input_grad("conv_input_grad", "conv", dy, w, x_shape, **keywords)


def conv_weight_grad(x: Any, dy: Any, w_shape: Shape, **keywords: Unpack[Gradient]) -> Array:
    """Gradient of `conv` for w: dw[o, c, t] = sum over n, p of dy[n, o, p] * x[n, c, element].

    Parameters
    ----------
    x : (N, C, *spatial).
    dy : (N, O, *out).
    w_shape : (O, C/groups, *kernel).
    out, accumulate : with `accumulate` the gradient is added into `out`.
    stride, padding, dilation, groups, padding_mode : as given to `conv`.

    Examples
    --------
    >>> conv_weight_grad([[[1.0, 2.0, 4.0]]], [[[1.0, 1.0]]], (1, 1, 2))
    array([[[3., 6.]]])
    """
    return _sweep_weight_grad("conv_weight_grad", "conv", x, dy, w_shape, **keywords)


# A bank of filters, shared every period; and one filter per position, shared nowhere


def tiled_conv(x: Any, w: Any, b: Any = None, **keywords: Unpack[Sweep]) -> Array:
    """`conv` with tile sharing: filter p mod period serves output position p.

    w is (*period, O, C/groups, *kernel) and b is (*period, O); all else as in `conv`.

    Examples
    --------
    >>> tiled_conv([[[1.0, 2.0, 4.0, 8.0]]], [[[[1.0]]], [[[-1.0]]]])
    array([[[ 1., -2.,  4., -8.]]])
    """
    return _sweep("tiled_conv", "tiled", x, w, b, **keywords)


def tiled_conv_input_grad(dy: Any, w: Any, x_shape: Shape, **keywords: Unpack[Gradient]) -> Array:
    """Gradient of `tiled_conv` for x; the arguments are those of `conv_input_grad`."""
    return _sweep_input_grad("tiled_conv_input_grad", "tiled", dy, w, x_shape, **keywords)


def tiled_conv_weight_grad(x: Any, dy: Any, w_shape: Shape, **keywords: Unpack[Gradient]) -> Array:
    """Gradient of `tiled_conv` for w: each filter sums over the positions it serves."""
    return _sweep_weight_grad("tiled_conv_weight_grad", "tiled", x, dy, w_shape, **keywords)


def local_conv(x: Any, w: Any, b: Any = None, **keywords: Unpack[Sweep]) -> Array:
    """`conv` without sharing: filter p serves output position p.

    w is (*out, O, C/groups, *kernel) and b is (*out, O); all else as in `conv`.

    Examples
    --------
    >>> local_conv([[[1.0, 2.0, 4.0]]], [[[[1.0]]], [[[10.0]]], [[[0.5]]]])
    array([[[ 1., 20.,  2.]]])
    """
    return _sweep("local_conv", "local", x, w, b, **keywords)


def local_conv_input_grad(dy: Any, w: Any, x_shape: Shape, **keywords: Unpack[Gradient]) -> Array:
    """Gradient of `local_conv` for x; the arguments are those of `conv_input_grad`."""
    return _sweep_input_grad("local_conv_input_grad", "local", dy, w, x_shape, **keywords)


def local_conv_weight_grad(x: Any, dy: Any, w_shape: Shape, **keywords: Unpack[Gradient]) -> Array:
    """Gradient of `local_conv` for w: each filter sums over the batch only."""
    return _sweep_weight_grad("local_conv_weight_grad", "local", x, dy, w_shape, **keywords)


# One filter as big as the image


def _flat_rows(a: Array) -> Array:
    return a.reshape(len(a), math.prod(a.shape[1:])).astype(np.float64)


def _check_dense(verb: str, x_shape: tuple[int, ...], w_shape: tuple[int, ...]) -> None:
    if len(x_shape) < 2:
        raise ValueError(f"{verb}: x must be (N, D) or (N, C, *spatial), got x.shape = {x_shape}")
    if w_shape[1:] not in (x_shape[1:], (math.prod(x_shape[1:]),)):
        raise ValueError(f"{verb}: w must be (O, {', '.join(map(str, x_shape[1:]))}) or "
                         f"(O, {math.prod(x_shape[1:])}) for x.shape = {x_shape}, "
                         f"got w.shape = {w_shape}")


@np.errstate(all="ignore")
def dense(
    x: Any, w: Any, b: Any = None, *, out: Array | None = None, algorithm: str = "direct",
    n_threads: int | None = None,
) -> Array:
    """One filter as big as x: y[n, o] = b[o] + sum over all elements of w[o, ...] * x[n, ...].

    Parameters
    ----------
    x : (N, D) or (N, C, *spatial), float32 or float64.
    w : (O, D) or (O, C, *spatial), the dtype of x.
    b : (O,), optional.

    Returns
    -------
    y : (N, O).

    Examples
    --------
    >>> dense([[1.0, 2.0]], [[3.0, 4.0]], [0.5])
    array([[11.5]])
    """
    x, w, b = _arrays("dense", x=x, w=w, b=b)
    _check_dense("dense", x.shape, w.shape)
    y = _flat_rows(x) @ _flat_rows(w).T
    return _deliver("dense", _with_bias("dense", y, b, w.shape[:1]), x, out)


@np.errstate(all="ignore")
def dense_input_grad(
    dy: Any, w: Any, x_shape: Shape, *, out: Array | None = None, accumulate: bool = False,
    algorithm: str = "direct", n_threads: int | None = None,
) -> Array:
    """Gradient of `dense` for x: dx[n, ...] = sum over o of w[o, ...] * dy[n, o]."""
    verb = "dense_input_grad"
    dy, w = _arrays(verb, dy=dy, w=w)
    shape = as_shape(verb, "x_shape", x_shape)
    _check_dense(verb, shape, w.shape)
    _expect(verb, "dy", dy, (shape[0], len(w)), f"x_shape = {shape}, w.shape = {w.shape}")
    dx = _flat_rows(dy) @ _flat_rows(w)
    return _deliver(verb, dx.reshape(shape), dy, out, accumulate)


@np.errstate(all="ignore")
def dense_weight_grad(
    x: Any, dy: Any, w_shape: Shape, *, out: Array | None = None, accumulate: bool = False,
    algorithm: str = "direct", n_threads: int | None = None,
) -> Array:
    """Gradient of `dense` for w: dw[o, ...] = sum over n of dy[n, o] * x[n, ...]."""
    verb = "dense_weight_grad"
    x, dy = _arrays(verb, x=x, dy=dy)
    shape = as_shape(verb, "w_shape", w_shape)
    _check_dense(verb, x.shape, shape)
    _expect(verb, "dy", dy, (len(x), shape[0]), f"x.shape = {x.shape}, w_shape = {shape}")
    dw = _flat_rows(dy).T @ _flat_rows(x)
    return _deliver(verb, dw.reshape(shape), x, out, accumulate)


# Transposed convolution


def conv_transpose(
    x: Any, w: Any, b: Any = None, *, stride: Ints = 1, padding: Padding = 0,
    output_padding: Ints = 0, dilation: Ints = 1, groups: int = 1, padding_mode: str = "zeros",
    out: Array | None = None, algorithm: str = "direct", n_threads: int | None = None,
) -> Array:
    """The input gradient of `conv` as a layer: `conv_input_grad(x, w, y.shape)` plus a bias.

    Parameters
    ----------
    x : (N, I, *spatial), float32 or float64.
    w : (I, O/groups, *kernel), the dtype of x.
    b : (O,), optional.
    stride, dilation, groups, padding_mode : those of the `conv` that reads the result.
    padding : as in that `conv`.  "valid", "full" and "causal" depend on the kernel only; "same" and
        "same_lower" give a result `stride` times as large as x, which that `conv` maps back to
        x's size.
    output_padding : elements added to the high side of each axis, less than stride or dilation.

    Returns
    -------
    y : (N, O, *result), per axis
        (size - 1) * stride - low - high + dilation * (k - 1) + 1 + output_padding.

    Examples
    --------
    >>> conv_transpose([[[1.0, 2.0]]], [[[1.0, 10.0]]], stride=2)
    array([[[ 1., 10.,  2., 20.]]])
    """
    verb = "conv_transpose"
    x, w, b = _arrays(verb, x=x, w=w, b=b)
    g = transposed_geometry(
        x.shape, w.shape, stride=stride, padding=padding, output_padding=output_padding,
        dilation=dilation, groups=groups, padding_mode=padding_mode)
    y = _input_grad(g, x, w)
    return _deliver(verb, _with_bias(verb, y, b, (g.in_channels,)), x, out)


def bias_grad(
    dy: Any, b_shape: Shape, *, out: Array | None = None, accumulate: bool = False,
    n_threads: int | None = None,
) -> Array:
    """Gradient of any forward verb for b: dy summed over every place that shares an element of b.

    Parameters
    ----------
    dy : (N, O, *out); (N, O) for `dense`.
    b_shape : (O,), or (*bank, O) for `tiled_conv` and `local_conv`.

    Examples
    --------
    >>> bias_grad([[[1.0, 2.0, 4.0]]], (1,))
    array([7.])
    >>> bias_grad([[[1.0, 2.0, 4.0]]], (2, 1))
    array([[5.],
           [2.]])
    """
    (dy,) = _arrays("bias_grad", dy=dy)
    shape = as_shape("bias_grad", "b_shape", b_shape)
    rank = dy.ndim - 2
    if rank < 0 or len(shape) not in (1, rank + 1) or shape[-1] != dy.shape[1] or 0 in shape[:-1]:
        raise ValueError(f"bias_grad: b_shape must be (O,) or (*bank, O) with O = dy.shape[1], "
                         f"got {shape} for dy.shape = {dy.shape}")
    banked, served = _served(shape, dy.shape[2:])
    db = np.zeros(banked)
    np.add.at(db, served, np.moveaxis(dy.sum(axis=0, dtype=np.float64), 0, -1))  # (*out, O)
    return _deliver("bias_grad", db.reshape(shape), dy, out, accumulate)


# Pooling: each channel of each image is an image of its own


def _windows(
    verb: str, shape: tuple[int, ...], kernel: Ints, stride: Ints | None, padding: Ints
) -> Geometry:
    """Geometry of a pool over images of `shape`, as a sweep over (N*C, 1, *spatial)."""
    rank = len(shape) - 2
    if not 1 <= rank <= 3:
        raise ValueError(f"{verb}: x must be (N, C, *spatial) with 1, 2 or 3 spatial axes, "
                         f"got shape {shape}")
    sizes = per_axis(verb, "kernel", kernel, rank, 1)
    pads = per_axis(verb, "padding", padding, rank, 0)
    if any(2 * p > k for p, k in zip(pads, sizes, strict=True)):
        raise ValueError(f"{verb}: padding must be at most half of the kernel {sizes}, "
                         f"got {padding!r}")
    return geometry(verb, "conv", (shape[0] * shape[1], 1, *shape[2:]), (1, 1, *sizes),
                    stride=sizes if stride is None else stride, padding=pads)


def _winners(g: Geometry, x: Array) -> tuple[Array, Array]:
    """Greatest value of each window and the element that holds it, both (N*C, positions).  The
    first of equals in row-major order wins, a NaN wins over numbers, padding never wins."""
    pixels = _grouped(x.reshape(g.x_shape), 1, zeros=1)[:, 0, 0]
    best = np.full((g.batch, math.prod(g.out_size)), -np.inf)
    winner = np.full(best.shape, -1)
    for _, _, elements in _meetings(g):
        value = pixels[:, elements]
        better = (winner < 0) | (value > best) | (np.isnan(value) & ~np.isnan(best))
        better &= elements >= 0
        best, winner = np.where(better, value, best), np.where(better, elements, winner)
    return best, winner


def max_pool(
    x: Any, kernel: Ints, *, stride: Ints | None = None, padding: Ints = 0,
    out: Array | None = None, n_threads: int | None = None,
) -> Array:
    """The greatest element of each window.  A NaN in the window is the result.

    Parameters
    ----------
    x : (N, C, *spatial), float32 or float64.
    kernel, stride, padding : int or one per spatial axis; the stride is the kernel if None;
        the padding, at most half of the kernel, counts as minus infinity.

    Returns
    -------
    y : (N, C, *out), per axis (size + 2*padding - kernel) // stride + 1.

    Examples
    --------
    >>> max_pool([[[1.0, 3.0, 2.0, 0.0]]], 2)
    array([[[3., 2.]]])
    """
    (x,) = _arrays("max_pool", x=x)
    g = _windows("max_pool", x.shape, kernel, stride, padding)
    best, _ = _winners(g, x)
    return _deliver("max_pool", best.reshape(x.shape[:2] + g.out_size), x, out)


def max_pool_input_grad(
    dy: Any, x: Any, kernel: Ints, *, stride: Ints | None = None, padding: Ints = 0,
    out: Array | None = None, accumulate: bool = False, n_threads: int | None = None,
) -> Array:
    """Gradient of `max_pool`: each dy goes to its window's greatest element, the first of equals.

    Examples
    --------
    >>> max_pool_input_grad([[[5.0, 7.0]]], [[[1.0, 3.0, 2.0, 2.0]]], 2)
    array([[[0., 5., 7., 0.]]])
    """
    verb = "max_pool_input_grad"
    dy, x = _arrays(verb, dy=dy, x=x)
    g = _windows(verb, x.shape, kernel, stride, padding)
    _expect(verb, "dy", dy, x.shape[:2] + g.out_size, f"x.shape = {x.shape}")
    _, winner = _winners(g, x)
    image, position = np.nonzero(winner >= 0)
    dx = np.zeros((g.batch, math.prod(g.in_size)))
    np.add.at(dx, (image, winner[image, position]), dy.reshape(winner.shape)[image, position])
    return _deliver(verb, dx.reshape(x.shape), x, out, accumulate)


def _shares(g: Geometry, count_include_pad: bool) -> Array:
    """By what the sum over each window is divided, (positions,)."""
    inside = _forward(replace(g, batch=1), np.ones((1, 1, *g.in_size)), np.ones(g.w_shape)).ravel()
    return np.full_like(inside, math.prod(g.kernel)) if count_include_pad else inside


@np.errstate(all="ignore")
def avg_pool(
    x: Any, kernel: Ints, *, stride: Ints | None = None, padding: Ints = 0,
    count_include_pad: bool = True, out: Array | None = None, n_threads: int | None = None,
) -> Array:
    """The mean of each window; the arguments are those of `max_pool`, the padding counts as zero.

    With `count_include_pad=False` the mean is over the elements of x alone.

    Examples
    --------
    >>> avg_pool([[[1.0, 3.0, 2.0, 0.0]]], 2)
    array([[[2., 1.]]])
    """
    (x,) = _arrays("avg_pool", x=x)
    g = _windows("avg_pool", x.shape, kernel, stride, padding)
    total = _forward(g, x.reshape(g.x_shape), np.ones(g.w_shape)).reshape(g.batch, -1)
    y = total / _shares(g, count_include_pad)
    return _deliver("avg_pool", y.reshape(x.shape[:2] + g.out_size), x, out)


@np.errstate(all="ignore")
def avg_pool_input_grad(
    dy: Any, x_shape: Shape, kernel: Ints, *, stride: Ints | None = None, padding: Ints = 0,
    count_include_pad: bool = True, out: Array | None = None, accumulate: bool = False,
    n_threads: int | None = None,
) -> Array:
    """Gradient of `avg_pool`: each dy is spread evenly over its window.

    Examples
    --------
    >>> avg_pool_input_grad([[[2.0, 4.0]]], (1, 1, 4), 2)
    array([[[1., 1., 2., 2.]]])
    """
    verb = "avg_pool_input_grad"
    (dy,) = _arrays(verb, dy=dy)
    shape = as_shape(verb, "x_shape", x_shape)
    g = _windows(verb, shape, kernel, stride, padding)
    _expect(verb, "dy", dy, shape[:2] + g.out_size, f"x_shape = {shape}")
    share = dy.reshape(g.batch, math.prod(g.out_size)) / _shares(g, count_include_pad)
    dx = _input_grad(g, share.reshape(g.y_shape), np.ones(g.w_shape))
    return _deliver(verb, dx.reshape(shape), dy, out, accumulate)
