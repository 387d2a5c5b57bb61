"""The dense verbs: strong filters, as big as the input, nothing shared.

    y[n, o] = b[o] + sum over all of x[n] of w[o, ...] * x[n, ...]

A dense layer is a sweep with one position: a vector (N, D) is an image of one pixel with D
channels, and an image (N, C, *spatial) is taken as the vector of its elements.  So it goes through
the same engine as `conv`, where the batch takes the place of the pixels, and keeps the same
promises.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ._arrays import Array, operands, require_shape, result
from ._engine import forward, input_grad, weight_grad
from .geometry import as_shape, check_dense
from .packing import PackedFilters


def _pixel(a: Array) -> Array:
    """(N, ...) as images of one pixel, (N, D, 1); a copy only where the order in memory asks it."""
    return a.reshape(len(a), math.prod(a.shape[1:]), 1)


def _through_pixels(sweep: Callable[[Array], None], to: Array) -> None:
    """Let `sweep` write `to` as images of one pixel; by way of a copy where no view is such."""
    pixel = _pixel(to)
    sweep(pixel)
    if not np.may_share_memory(pixel, to):
        to[...] = pixel.reshape(to.shape)


def _filters(verb: str, w: Any) -> tuple[Any, PackedFilters | None]:
    """The weights that came, as they came, and their handle if they came in one."""
    if isinstance(w, PackedFilters):
        w.require(verb, {})
        return w.given, w
    return w, None


def dense(x: Any, w: Any, b: Any = None, *, out: Array | None = None,
          n_threads: int | None = None) -> Array:
    """Dense layer: every output reads the whole input through a filter of its own.

    Parameters
    ----------
    x : (N, D) or (N, C, *spatial), float32 or float64, any strides.
    w : (O, D) or (O, C, *spatial), or a handle from `pack(w, verb="dense")`.
    b : (O,), optional.
    out, n_threads : as in `conv`.

    Returns
    -------
    y : (N, O)

    Raises
    ------
    ValueError, TypeError
        Where shapes or dtypes do not fit; the message names the argument.

    Notes
    -----
    Costs N * O * D multiply-adds and O * D parameters.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> sc.dense(np.array([[1, 2]], np.float32), np.array([[3, 4], [5, 6]], np.float32))
    array([[11., 17.]], dtype=float32)
    """
    verb = "dense"
    array, handle = _filters(verb, w)
    x, array, *bias = operands(verb, x=x, w=array, b=b)
    check_dense(verb, x.shape, array.shape)
    if bias:
        require_shape(verb, "b", bias[0], array.shape[:1], f"for w.shape = {array.shape}")
    y, (x, array, *bias) = result(verb, (len(x), len(array)), x, out, (x, array, *bias))
    forward(verb, "conv", _pixel(x), handle or _pixel(array), bias[0] if bias else None,
            {"out": y[:, :, None], "n_threads": n_threads})
    return y


def dense_input_grad(dy: Any, w: Any, x_shape: Any, *, out: Array | None = None,
                     accumulate: bool = False, n_threads: int | None = None) -> Array:
    """Input gradient of `dense`: dx[n, ...] = sum over o of w[o, ...] * dy[n, o].

    Parameters
    ----------
    dy : (N, O); w as in `dense`; x_shape : (N, D) or (N, C, *spatial).
    out, accumulate, n_threads : as in `conv_input_grad`.

    Returns
    -------
    dx : x_shape

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> w = np.array([[3, 4], [5, 6]], np.float32)
    >>> sc.dense_input_grad(np.array([[1, 10]], np.float32), w, (1, 2))
    array([[53., 64.]], dtype=float32)
    """
    verb = "dense_input_grad"
    size = as_shape(verb, "x_shape", x_shape)
    array, handle = _filters(verb, w)
    dy, array = operands(verb, dy=dy, w=array)
    check_dense(verb, size, array.shape)
    require_shape(verb, "dy", dy, (size[0], len(array)), f"for w.shape = {array.shape}")
    dx, (dy, array) = result(verb, size, dy, out, (dy, array), accumulate)

    def sweep(pixel: Array) -> None:
        input_grad(verb, "conv", dy[:, :, None], handle or _pixel(array), pixel.shape,
                   {"out": pixel, "n_threads": n_threads, "accumulate": accumulate})

    _through_pixels(sweep, dx)
    return dx


def dense_weight_grad(x: Any, dy: Any, w_shape: Any, *, out: Array | None = None,
                      accumulate: bool = False, n_threads: int | None = None) -> Array:
    """Weight gradient of `dense`: dw[o, ...] = sum over n of dy[n, o] * x[n, ...].

    Parameters
    ----------
    x : (N, D) or (N, C, *spatial); dy : (N, O); w_shape : (O, D) or (O, C, *spatial).
    out, accumulate, n_threads : as in `conv_weight_grad`.

    Returns
    -------
    dw : w_shape

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> x, dy = np.array([[1, 2]], np.float32), np.array([[3, 4]], np.float32)
    >>> sc.dense_weight_grad(x, dy, (2, 2))
    array([[3., 6.],
           [4., 8.]], dtype=float32)
    """
    verb = "dense_weight_grad"
    shape = as_shape(verb, "w_shape", w_shape)
    x, dy = operands(verb, x=x, dy=dy)
    check_dense(verb, x.shape, shape)
    require_shape(verb, "dy", dy, (len(x), shape[0]),
                  f"for x.shape = {x.shape}, w_shape = {shape}")
    dw, (x, dy) = result(verb, shape, np.empty(0, x.dtype), out, (x, dy), accumulate)

    def sweep(pixel: Array) -> None:
        weight_grad(verb, "conv", _pixel(x), dy[:, :, None], pixel.shape,
                    {"out": pixel, "n_threads": n_threads, "accumulate": accumulate})

    _through_pixels(sweep, dw)
    return dw
