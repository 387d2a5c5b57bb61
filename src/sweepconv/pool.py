"""Pooling: the maximum or the mean of each window, for 1, 2 and 3 spatial axes.

    max:  y[n, c, p] = max over taps t of x[n, c, p*stride + t - padding]
    mean: y[n, c, p] = sum over taps t of x[n, c, p*stride + t - padding] / count(p)

Both are compiled (ext/sweepconv/_pool.pyx), one axis at a time, the last one first: the maximum
over a box is the maximum over its rows of each row's maximum, and so is a sum.  That costs
sum(kernel) steps an element instead of prod(kernel), and, for the mean, makes a chain of additions
no longer than sum(kernel).  Every element is treated by itself, in an order that follows from the
geometry, so a result depends neither on threads nor on how the batch was split.

Gradients are the same stages in the other direction: what reached y goes back to where it came
from.  A maximum came from the first of its equals in row-major order (of several NaN, the first).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from . import _pool
from ._arrays import Array, operands, result
from .geometry import Ints, as_shape, per_axis
from .runtime import resolve_threads


@dataclass(frozen=True, slots=True)
class _Windows:
    """The integers of one call; everything but the two shapes has one entry per spatial axis."""

    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]

    @property
    def sides(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """kernel, stride and padding, as the compiled module takes them.

        A stride that leaves one output may be any number: there it is one that a machine counts.
        """
        stride = (min(s, n + 2 * p) for s, n, p in zip(
            self.stride, self.x_shape[2:], self.padding, strict=True))
        return self.kernel, tuple(stride), self.padding


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


def _check_dy(verb: str, dy: Array, windows: _Windows) -> None:
    if dy.shape != windows.y_shape:
        raise ValueError(f"{verb}: dy must have the shape of y, {windows.y_shape} for x_shape = "
                         f"{windows.x_shape}, got dy.shape = {dy.shape}")


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
        Threads to use; None: as the machine grants.

    Returns
    -------
    y : (N, C, *out), out = floor((size + 2*padding - kernel) / stride) + 1 on each axis.

    Notes
    -----
    y[n, c, p] = max over taps t of x[n, c, p*stride + t - padding].  A NaN in the window gives NaN.
    Cost: about sum(kernel) comparisons an element; workspace: a block of about 200 KiB a thread,
    more where windows are large.  Bits depend neither on n_threads nor on how a batch is split.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[1.0, 3.0, 2.0, 0.0, 5.0]]])
    >>> max_pool(x, 2)
    array([[[3., 2.]]])
    >>> max_pool(x, 3, stride=2, padding=1)
    array([[[3., 3., 5.]]])
    """
    (x,) = operands("max_pool", x=x)
    windows = _windows("max_pool", x.shape, kernel, stride, padding)
    threads = resolve_threads("max_pool", n_threads)
    y, (x,) = result("max_pool", windows.y_shape, x, out, (x,))
    if y.size:
        _pool.maximum(x, y, *windows.sides, threads)
    return y


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
    first.  Where the maxima came from is found again: x is read, y is not needed.  Workspace: a
    block of about 200 KiB a thread, more where windows are large.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[1.0, 3.0, 3.0, 0.0]]])
    >>> max_pool_input_grad(np.array([[[10.0, 20.0]]]), x, 3, stride=1)
    array([[[ 0., 30.,  0.,  0.]]])
    """
    verb = "max_pool_input_grad"
    (dy,), (x,) = operands(verb, dy=dy), operands(verb, x=x)
    if dy.dtype != x.dtype:
        raise TypeError(f"{verb}: dy and x must have the same dtype, got {dy.dtype} and {x.dtype}")
    windows = _windows(verb, x.shape, kernel, stride, padding)
    _check_dy(verb, dy, windows)
    threads = resolve_threads(verb, n_threads)
    dx, (dy, x) = result(verb, x.shape, x, out, (dy, x), accumulate)
    if dx.size:
        _pool.maximum_grad(dy, x, dx, *windows.sides, accumulate, threads)
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
    Cost: about sum(kernel) additions an element; workspace: a block of about 200 KiB a thread,
    more where windows are large.  Bits depend neither on n_threads nor on how a batch is split.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[2.0, 4.0, 6.0, 8.0]]])
    >>> avg_pool(x, 2)
    array([[[3., 7.]]])
    >>> avg_pool(x, 2, padding=1, count_include_pad=False)
    array([[[2., 5., 8.]]])
    """
    (x,) = operands("avg_pool", x=x)
    windows = _windows("avg_pool", x.shape, kernel, stride, padding)
    threads = resolve_threads("avg_pool", n_threads)
    y, (x,) = result("avg_pool", windows.y_shape, x, out, (x,))
    if y.size:
        _pool.mean(x, y, *windows.sides, not count_include_pad, threads)
    return y


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
    (dy,) = operands(verb, dy=dy)
    windows = _windows(verb, as_shape(verb, "x_shape", x_shape), kernel, stride, padding)
    _check_dy(verb, dy, windows)
    threads = resolve_threads(verb, n_threads)
    dx, (dy,) = result(verb, windows.x_shape, dy, out, (dy,), accumulate)
    if dx.size:
        _pool.mean_grad(dy, dx, *windows.sides, not count_include_pad, accumulate, threads)
    return dx
