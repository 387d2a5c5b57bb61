"""The dense verbs: strong filters, as big as the input, nothing shared.

    y[n, o] = b[o] + sum over all of x[n] of w[o, ...] * x[n, ...]

A dense layer is a sweep with one position: a filter of the image's own size.  A vector (N, D) is
an image of one pixel.  So it goes through the same engine as `conv`, where the batch takes the
place of the pixels, and keeps the same promises.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._arrays import Array, operands, require_shape, result
from ._engine import forward, input_grad, weight_grad
from .geometry import as_shape
from .packing import PackedFilters


def _filters_shape(verb: str, x_shape: tuple[int, ...], w_shape: tuple[int, ...]
                   ) -> tuple[int, ...]:
    """Shape of the weights as filters of the image's size; (O, D) may stand for (O, C, *spatial),
    and to split its axis is a view."""
    size = x_shape[1:]
    if not 2 <= len(x_shape) <= 5 or w_shape[1:] not in (size, (math.prod(size),)):
        raise ValueError(f"{verb}: w must be (O, D) for x (N, D), or (O, C, *spatial) for x "
                         f"(N, C, *spatial), got x.shape = {x_shape}, w.shape = {w_shape}")
    return (w_shape[0], *size, *(1,) * (len(size) == 1))


def _image(a: Array) -> Array:
    """(N, D) as images of one pixel; images as they are."""
    return a[:, :, None] if a.ndim == 2 else a


def _map(y: Array, x_ndim: int) -> Array:
    """y or dy (N, O) as maps of one position."""
    return y.reshape(*y.shape, *(1,) * max(x_ndim - 2, 1))


def _unpacked(w: Any) -> Any:
    """The weights that a handle was made from, (O, D) or (O, C, *spatial)."""
    return w.w if isinstance(w, PackedFilters) else w


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
    x, array, *bias = operands(verb, x=x, w=_unpacked(w), b=b)
    shape = _filters_shape(verb, x.shape, array.shape)
    if bias:
        require_shape(verb, "b", bias[0], shape[:1], f"for w.shape = {array.shape}")
    y, (x, array, *bias) = result(verb, (x.shape[0], shape[0]), x, out, (x, array, *bias))
    filters = w.reshaped(shape) if isinstance(w, PackedFilters) else array.reshape(shape)
    forward(verb, "conv", _image(x), filters, bias[0] if bias else None,
            {"out": _map(y, x.ndim), "n_threads": n_threads})
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
    dy, array = operands(verb, dy=dy, w=_unpacked(w))
    shape = _filters_shape(verb, size, array.shape)
    require_shape(verb, "dy", dy, (size[0], shape[0]), f"for w.shape = {array.shape}")
    dx, (dy, array) = result(verb, size, dy, out, (dy, array), accumulate)
    filters = w.reshaped(shape) if isinstance(w, PackedFilters) else array.reshape(shape)
    input_grad(verb, "conv", _map(dy, len(size)), filters, _image(dx).shape,
               {"out": _image(dx), "accumulate": accumulate, "n_threads": n_threads})
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
    given = as_shape(verb, "w_shape", w_shape)
    x, dy = operands(verb, x=x, dy=dy)
    shape = _filters_shape(verb, x.shape, given)
    require_shape(verb, "dy", dy, (x.shape[0], shape[0]), f"for w_shape = {given}")
    dw, (x, dy) = result(verb, given, np.empty(0, x.dtype), out, (x, dy), accumulate)
    weight_grad(verb, "conv", _image(x), _map(dy, x.ndim), shape,
                {"out": dw.reshape(shape), "accumulate": accumulate, "n_threads": n_threads})
    return dw
