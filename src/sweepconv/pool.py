"""Pooling: one number for each window of a map, max or mean, and the gradients.

    max_pool    y[n, c, p] = max   over taps t of  x[n, c, p*stride + t - padding]
    avg_pool    y[n, c, p] = sum   over taps t of  x[n, c, p*stride + t - padding] / count(p)

A box is the product of its sides, so both are done one axis at a time, the last axis first: the
maximum over a box is the maximum over its rows of each row's maximum.  That is sum(kernel) passes
over the array instead of prod(kernel), one path for 1, 2 and 3 spatial axes, and, for the mean, a
chain of additions no longer than sum(kernel).  Each pass visits the taps in order and treats every
element by itself, so a result does not depend on how the batch was split.

Gradients are the same passes in the other direction: what reached y goes back to where it came
from.  A maximum came from the first of its equals in row-major order (of several NaN, the first).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .geometry import Ints, as_shape, per_axis

Array: TypeAlias = npt.NDArray[Any]
Index: TypeAlias = "tuple[slice, ...]"


@dataclass(frozen=True, slots=True)
class _Windows:
    """The integers of one call; everything but the two shapes has one entry per spatial axis."""

    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]

    def taps(self, axis: int) -> Iterator[tuple[int, Index, Index]]:
        """(tap, its outputs, its inputs): the windows whose tap lies inside of the image."""
        size, outs = self.x_shape[2 + axis], self.y_shape[2 + axis]
        step, lead = self.stride[axis], (slice(None),) * (2 + axis)
        for tap in range(self.kernel[axis]):
            shift = tap - self.padding[axis]  # input coordinate = output * step + shift
            first, stop = max(0, -(shift // step)), min(outs, (size - 1 - shift) // step + 1)
            if first < stop:
                inside = slice(first * step + shift, (stop - 1) * step + shift + 1, step)
                yield tap, (*lead, slice(first, stop)), (*lead, inside)

    def stage_shape(self, axis: int) -> tuple[int, ...]:
        """Shape when `axis` and all later axes have been reduced."""
        return (*self.x_shape[:2 + axis], *self.y_shape[2 + axis:])

    def counts(self, include_pad: bool, dtype: np.dtype[Any]) -> Array:
        """Elements that each window's sum is divided by; broadcasts to y."""
        total = np.ones((1,) * len(self.y_shape), dtype)
        if include_pad:
            return total * math.prod(self.kernel)
        for axis, outs in enumerate(self.y_shape[2:]):
            start = np.arange(outs) * self.stride[axis] - self.padding[axis]
            stop = np.minimum(start + self.kernel[axis], self.x_shape[2 + axis])
            inside = (stop - np.maximum(start, 0)).astype(dtype)
            total = total * _along(axis, inside, total.ndim)
        return total


def _along(axis: int, values: Array, ndim: int) -> Array:
    """A vector as an array of `ndim` axes that lies on spatial axis `axis`."""
    return values.reshape((1,) * (2 + axis) + (-1,) + (1,) * (ndim - 3 - axis))


def _windows(verb: str, x_shape: tuple[int, ...], kernel: Any, stride: Any, padding: Any
             ) -> _Windows:
    rank = len(x_shape) - 2
    if not 1 <= rank <= 3:
        raise ValueError(f"{verb}: x must be (N, C, *spatial) with 1, 2 or 3 spatial axes, "
                         f"got x.shape = {x_shape}")
    kernel = per_axis(verb, "kernel", kernel, rank, 1)
    stride = kernel if stride is None else per_axis(verb, "stride", stride, rank, 1)
    padding = per_axis(verb, "padding", padding, rank, 0)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(f"{verb}: padding must be at most half of the kernel, so that no window "
                         f"is all padding, got padding {padding} for kernel {kernel}")
    size = x_shape[2:]
    if any(n == 0 or n + 2 * p < k for n, k, p in zip(size, kernel, padding, strict=True)):
        raise ValueError(f"{verb}: the kernel {kernel} does not fit into the input with "
                         f"padding {padding} (x.shape = {x_shape})")
    outs = ((n + 2 * p - k) // s + 1
            for n, k, s, p in zip(size, kernel, stride, padding, strict=True))
    return _Windows(x_shape, (*x_shape[:2], *outs), kernel, stride, padding)


def _operand(verb: str, name: str, value: npt.ArrayLike) -> Array:
    array = np.asarray(value)
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"{verb}: {name} must be float32 or float64, got {array.dtype}")
    return array


def _check_call(verb: str, shape: tuple[int, ...], dtype: np.dtype[Any], out: Array | None,
                accumulate: bool, n_threads: int | None) -> None:
    """The arguments that say where the result goes and who computes it."""
    if n_threads is not None:
        try:
            enough = operator.index(n_threads) >= 1
        except TypeError:
            raise TypeError(f"{verb}: n_threads must be None or an int, got {n_threads!r}"
                            ) from None
        if not enough:
            raise ValueError(f"{verb}: n_threads must be at least 1, got {n_threads}")
    if out is None:
        if accumulate:
            raise ValueError(f"{verb}: accumulate=True adds into out, but out is None")
        return
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{verb}: out must be a NumPy array, got {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"{verb}: out must have the dtype of the input, {dtype}, got {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"{verb}: out must have the result's shape {shape}, "
                         f"got out.shape = {out.shape}")
    if not out.flags.writeable:
        raise ValueError(f"{verb}: out is read-only")


def _deliver(result: Array, out: Array | None, accumulate: bool = False) -> Array:
    """Results are complete before `out` is touched, so `out` may overlap any input."""
    if out is None:
        return result
    np.copyto(out, out + result if accumulate else result)
    return out


def _check_dy(verb: str, dy: Array, windows: _Windows) -> None:
    if dy.shape != windows.y_shape:
        raise ValueError(f"{verb}: dy must have the shape of y, {windows.y_shape} for x_shape = "
                         f"{windows.x_shape}, got dy.shape = {dy.shape}")


def _new(fill: float, like: Array, shape: tuple[int, ...]) -> Array:
    """A new array in the memory order of `like`."""
    return np.full_like(like, fill, shape=shape, subok=False)


def _max_stage(x: Array, windows: _Windows, axis: int, source: Array | None = None) -> Array:
    """Maximum over one axis of the windows; `source`, if given, receives the tap it came from."""
    y = _new(-np.inf, x, windows.stage_shape(axis))
    if source is not None:  # a window that holds nothing but -inf: its first tap in the image
        start = np.arange(y.shape[2 + axis]) * windows.stride[axis] - windows.padding[axis]
        source[...] = _along(axis, np.maximum(-start, 0), y.ndim)
    for tap, outputs, inputs in windows.taps(axis):
        best, value = y[outputs], x[inputs]
        # Not np.maximum: which zero it returns for (0.0, -0.0) depends on the vector width.
        better = ~(value <= best) & (best == best)  # greater, or the first NaN
        np.copyto(best, value, where=better)
        if source is not None:
            np.copyto(source[outputs], tap, where=better)
    return y


def max_pool(
    x: npt.ArrayLike, kernel: Ints, *, stride: Ints | None = None, padding: Ints = 0,
    out: Array | None = None, n_threads: int | None = None,
) -> Array:
    """Maximum of each window.

    Parameters
    ----------
    x : (N, C, *spatial), 1, 2 or 3 spatial axes, float32 or float64, any strides.
    kernel : int or one per spatial axis
        Extent of the window.
    stride : int or one per spatial axis, optional
        Distance between windows; the kernel if not given, so that windows tile the image.
    padding : int or one per spatial axis
        Elements of -inf on both sides, at most half of the kernel.
    out : array of the result's shape and dtype, optional
    n_threads : int, optional
        Accepted as in every verb; this one is plain NumPy and uses one thread.

    Returns
    -------
    y : (N, C, *out), out = floor((size + 2*padding - kernel) / stride) + 1 on each axis.

    Notes
    -----
    y[n, c, p] = max over taps t of x[n, c, p*stride + t - padding].  A NaN in the window gives NaN.
    Cost: sum(kernel) passes; workspace: the map with its last axes reduced.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[1.0, 3.0, 2.0, 0.0, 5.0]]])
    >>> max_pool(x, 2)
    array([[[3., 2.]]])
    >>> max_pool(x, 3, stride=2, padding=1)
    array([[[3., 3., 5.]]])
    """
    x = _operand("max_pool", "x", x)
    windows = _windows("max_pool", x.shape, kernel, stride, padding)
    _check_call("max_pool", windows.y_shape, x.dtype, out, False, n_threads)
    y = x
    for axis in reversed(range(x.ndim - 2)):
        y = _max_stage(y, windows, axis)
    return _deliver(y, out)


def max_pool_input_grad(
    dy: npt.ArrayLike, x: npt.ArrayLike, kernel: Ints, *, stride: Ints | None = None,
    padding: Ints = 0, out: Array | None = None, accumulate: bool = False,
    n_threads: int | None = None,
) -> Array:
    """Gradient of `max_pool` with respect to x: each dy goes to the element that was the maximum.

    Parameters
    ----------
    dy : (N, C, *out), gradient of the result.
    x : (N, C, *spatial), the input of the forward call.
    kernel, stride, padding, n_threads : as in `max_pool`.
    out : array of the shape and dtype of x, optional
    accumulate : bool
        Add into `out` instead of overwriting it.

    Returns
    -------
    dx : (N, C, *spatial), in the memory order of x.

    Notes
    -----
    Of equal maxima the first in row-major order takes the whole gradient; of several NaN, the
    first.  Workspace: for each axis the reduced map and one integer for each of its elements.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[1.0, 3.0, 3.0, 0.0]]])
    >>> max_pool_input_grad(np.array([[[10.0, 20.0]]]), x, 3, stride=1)
    array([[[ 0., 30.,  0.,  0.]]])
    """
    verb = "max_pool_input_grad"
    dy, x = _operand(verb, "dy", dy), _operand(verb, "x", x)
    if dy.dtype != x.dtype:
        raise TypeError(f"{verb}: dy and x must have the same dtype, got {dy.dtype} and {x.dtype}")
    windows = _windows(verb, x.shape, kernel, stride, padding)
    _check_dy(verb, dy, windows)
    _check_call(verb, x.shape, x.dtype, out, accumulate, n_threads)
    stage, sources = x, []  # sources[i]: the tap each maximum of stage i came from
    for axis in reversed(range(x.ndim - 2)):
        sources.append(np.empty_like(stage, np.int64, shape=windows.stage_shape(axis)))
        stage = _max_stage(stage, windows, axis, sources[-1])
    dx = dy
    for axis in range(x.ndim - 2):
        source = sources.pop()
        dx = _spread(dx, windows, axis, source)
    return _deliver(dx, out, accumulate)


def _spread(dy: Array, windows: _Windows, axis: int, source: Array | None = None) -> Array:
    """Adjoint of one stage: dy to every tap of its window or, with `source`, to that tap alone."""
    after = windows.stage_shape(axis)
    before = (*after[:2 + axis], windows.x_shape[2 + axis], *after[3 + axis:])
    dx = np.zeros_like(dy if source is None else source, dy.dtype, shape=before)
    with np.errstate(all="ignore"):  # Inf - Inf is NaN, as in every verb, without a warning
        for tap, outputs, inputs in windows.taps(axis):
            part = dy[outputs]
            if source is not None:
                part = np.where(source[outputs] == tap, part, 0)
            dx[inputs] += part
    return dx


def avg_pool(
    x: npt.ArrayLike, kernel: Ints, *, stride: Ints | None = None, padding: Ints = 0,
    count_include_pad: bool = True, out: Array | None = None, n_threads: int | None = None,
) -> Array:
    """Mean of each window.

    Parameters
    ----------
    x, kernel, stride, out, n_threads : as in `max_pool`.
    padding : int or one per spatial axis
        Zeros on both sides, at most half of the kernel.
    count_include_pad : bool
        Divide by prod(kernel) everywhere (default), or by the elements that lie in the image.

    Returns
    -------
    y : (N, C, *out), out = floor((size + 2*padding - kernel) / stride) + 1 on each axis.

    Notes
    -----
    y[n, c, p] = sum over taps t of x[n, c, p*stride + t - padding] / count(p).
    Cost: sum(kernel) passes; workspace: the map with its last axes reduced.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[2.0, 4.0, 6.0, 8.0]]])
    >>> avg_pool(x, 2)
    array([[[3., 7.]]])
    >>> avg_pool(x, 2, padding=1, count_include_pad=False)
    array([[[2., 5., 8.]]])
    """
    x = _operand("avg_pool", "x", x)
    windows = _windows("avg_pool", x.shape, kernel, stride, padding)
    _check_call("avg_pool", windows.y_shape, x.dtype, out, False, n_threads)
    y = x
    with np.errstate(all="ignore"):
        for axis in reversed(range(x.ndim - 2)):
            total = _new(0, y, windows.stage_shape(axis))
            for _, outputs, inputs in windows.taps(axis):
                total[outputs] += y[inputs]
            y = total
        y /= windows.counts(count_include_pad, y.dtype)
    return _deliver(y, out)


def avg_pool_input_grad(
    dy: npt.ArrayLike, x_shape: Iterable[int], kernel: Ints, *, stride: Ints | None = None,
    padding: Ints = 0, count_include_pad: bool = True, out: Array | None = None,
    accumulate: bool = False, n_threads: int | None = None,
) -> Array:
    """Gradient of `avg_pool` with respect to x: dy / count(p) to every element of window p.

    Parameters
    ----------
    dy : (N, C, *out), gradient of the result.
    x_shape : (N, C, *spatial), shape of the input of the forward call.
    kernel, stride, padding, count_include_pad, n_threads : as in `avg_pool`.
    out : array of shape x_shape and of dy's dtype, optional
    accumulate : bool
        Add into `out` instead of overwriting it.

    Returns
    -------
    dx : (N, C, *spatial), in the memory order of dy.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool_input_grad(np.array([[[2.0, 4.0]]]), (1, 1, 3), 2, stride=1)
    array([[[1., 3., 2.]]])
    """
    verb = "avg_pool_input_grad"
    dy = _operand(verb, "dy", dy)
    windows = _windows(verb, as_shape(verb, "x_shape", x_shape), kernel, stride, padding)
    _check_dy(verb, dy, windows)
    _check_call(verb, windows.x_shape, dy.dtype, out, accumulate, n_threads)
    with np.errstate(all="ignore"):
        dx = dy / windows.counts(count_include_pad, dy.dtype)
    for axis in range(dy.ndim - 2):
        dx = _spread(dx, windows, axis)
    return _deliver(dx, out, accumulate)
