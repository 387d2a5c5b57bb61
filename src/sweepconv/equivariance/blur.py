"""`blur_pool`: a binomial filter, then a stride (Zhang, "Making Convolutional Networks
Shift-Invariant Again", ICML 2019).

The filter damps what the stride would fold back, so a shift off the lattice changes the result
less; on the lattice it is as exact as any convolution.  It is a depthwise `conv` with fixed
weights, powers of two times integers and hence exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import Array, operands
from sweepconv.conv import conv, conv_input_grad
from sweepconv.geometry import Ints, Pads, as_shape, per_axis

# Rows of Pascal's triangle: Rect-2, Tri-3, Bin-5.
FILTERS = {2: (1, 1), 3: (1, 2, 1), 5: (1, 4, 6, 4, 1)}


class _Sweep(TypedDict):
    stride: tuple[int, ...]
    padding: Pads
    groups: int
    padding_mode: str
    n_threads: int | None


def checked_kernel(verb: str, kernel: int) -> int:
    (length,) = per_axis(verb, "kernel", kernel, 1, 1)
    if length not in FILTERS:
        raise ValueError(f"{verb}: kernel must be one of {', '.join(map(str, FILTERS))}, "
                         f"got {kernel!r}")
    return length


def _sweep(verb: str, shape: tuple[int, ...], dtype: npt.DTypeLike, kernel: int, stride: Ints,
           padding_mode: str, n_threads: int | None) -> tuple[Array, _Sweep]:
    """The weights (C, 1, *kernel), and what the convolution takes."""
    rank, length = len(shape) - 2, checked_kernel(verb, kernel)
    if not 1 <= rank <= 3:
        raise ValueError(f"{verb}: x must be (N, C, *spatial) with 1, 2 or 3 spatial axes, "
                         f"got x.shape = {shape}")
    line = np.array(FILTERS[length], dtype) / 2**(length - 1)
    box = reduce(np.multiply.outer, [line] * rank)
    pads = (((length - 1) // 2, length // 2),) * rank
    w = np.ascontiguousarray(np.broadcast_to(box, (shape[1], 1, *box.shape)))
    return w, {"stride": per_axis(verb, "stride", stride, rank, 1), "padding": pads,
               "groups": shape[1], "padding_mode": padding_mode, "n_threads": n_threads}


def blur_pool(x: npt.ArrayLike, kernel: int = 3, *, stride: Ints = 2,
              padding_mode: str = "circular", n_threads: int | None = None) -> Array:
    """Binomial blur, then every stride-th element.

    Parameters
    ----------
    x : (N, C, *spatial), 1, 2 or 3 spatial axes, C at least 1, float32 or float64.
    kernel : 2 for (1, 1)/2, 3 for (1, 2, 1)/4 or 5 for (1, 4, 6, 4, 1)/16 on each axis.
    stride : int or one per spatial axis.
    padding_mode : of (kernel-1)//2 elements before and kernel//2 after each axis, as in `conv`.
    n_threads : as in `conv`.

    Returns
    -------
    y : (N, C, *out), out = ceil(size / stride) on each axis.

    Examples
    --------
    >>> blur_pool(np.array([[[4.0, 0.0, 0.0, 8.0]]]))
    array([[[4., 2.]]])
    >>> blur_pool(np.array([[[4.0, 0.0, 0.0, 8.0]]]), 2)
    array([[[2., 4.]]])
    """
    (x,) = operands("blur_pool", x=x)
    w, keywords = _sweep("blur_pool", x.shape, x.dtype, kernel, stride, padding_mode, n_threads)
    return conv(x, w, **keywords)


def blur_pool_input_grad(dy: npt.ArrayLike, x_shape: Iterable[int], kernel: int = 3, *,
                         stride: Ints = 2, padding_mode: str = "circular",
                         n_threads: int | None = None) -> Array:
    """Gradient of `blur_pool` with respect to x: its exact adjoint.

    Parameters
    ----------
    dy : (N, C, *out).
    x_shape : (N, C, *spatial).
    kernel, stride, padding_mode, n_threads : as in `blur_pool`.

    Returns
    -------
    dx : x_shape

    Examples
    --------
    >>> blur_pool_input_grad(np.array([[[4.0, 8.0]]]), (1, 1, 4))
    array([[[2., 3., 4., 3.]]])
    """
    verb = "blur_pool_input_grad"
    (dy,) = operands(verb, dy=dy)
    shape = as_shape(verb, "x_shape", x_shape)
    w, keywords = _sweep(verb, shape, dy.dtype, kernel, stride, padding_mode, n_threads)
    return conv_input_grad(dy, w, shape, **keywords)
