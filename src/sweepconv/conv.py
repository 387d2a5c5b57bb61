"""The convolution verbs: a weak filter, shared everywhere.

    y[n, o, p] = b[o] + sum over c in group(o), taps t of
        w[o, c, t] * x[n, c, p*stride + t*dilation - padding]

and its two gradients, the transposed convolution and the gradient of a bias.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from ._arrays import Array, operands, result
from ._engine import ALGORITHMS, forward, input_grad, transposed, weight_grad
from ._keywords import Gradient, Sweep, WeightGradient, takes
from .geometry import Ints, as_shape
from .runtime import resolve_threads
from .winograd import FAST, WINOGRAD

CHOICES = ALGORITHMS | {"winograd": WINOGRAD, "fast": FAST}


@takes(Sweep)
def conv(x: Any, w: Any, b: Any = None, **keywords: Unpack[Sweep]) -> Array:
    """Convolution (cross-correlation) of a batch with one bank of filters.

    Parameters
    ----------
    x : (N, C, *spatial) with 1, 2 or 3 spatial axes, float32 or float64, any strides:
        `x_nhwc.transpose(0, 3, 1, 2)` costs no copy.
    w : (O, C/groups, *kernel), or a handle from `pack`.
    b : (O,), optional.
    stride, dilation : int or one per spatial axis.
    padding : int, one per axis, (low, high) pairs (negative ones crop), "valid", "same",
        "same_lower", "full" or "causal" (1-D).
    groups : number of groups that channels and filters fall into.
    padding_mode : "zeros", "reflect", "symmetric", "replicate" or "circular".
    algorithm : "direct"; "winograd", for kernel 3, stride 1 and dilation 1 on each axis: F(2, 3),
        fewer multiply-adds and as small an error, but Inf can become NaN; "fast": F(4, 3) or
        F(2, 3) where they are faster, else "direct", see `sweepconv.winograd` for errors.
    out : array to write, of the result's shape and dtype, any strides.
    n_threads : threads to use; None: as the machine grants.

    Returns
    -------
    y : (N, O, *out), in the memory order of x.

    Raises
    ------
    ValueError, TypeError
        Where shapes, dtypes or keywords do not fit; the message names the argument.

    Notes
    -----
    Costs N * prod(out) * O * C/groups * prod(kernel) multiply-adds.  Bits depend neither on
    n_threads nor on how a batch is split.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> x = np.arange(5, dtype=np.float32).reshape(1, 1, 5)
    >>> sc.conv(x, np.array([[[1, 0, -1]]], np.float32))
    array([[[-2., -2., -2.]]], dtype=float32)
    """
    return forward("conv", "conv", x, w, b, keywords, CHOICES)


@takes(Gradient)
def conv_input_grad(dy: Any, w: Any, x_shape: Any, **keywords: Unpack[Gradient]) -> Array:
    """Input gradient of `conv`: dx[i] = sum over (p, t) that read x[i] of w[t] * dy[p].

    The exact adjoint of the forward verb, for every padding mode and crop.

    Parameters
    ----------
    dy : (N, O, *out), the gradient of y.
    w : (O, C/groups, *kernel), or a handle from `pack(w, verb="conv_input_grad", ...)`.
    x_shape : (N, C, *spatial).
    accumulate : add into `out`, in the place of overwriting it.
    stride, padding, dilation, groups, padding_mode, algorithm, out, n_threads : as in `conv`.

    Returns
    -------
    dx : x_shape, in the memory order of dy.

    Notes
    -----
    Also known as backward data.  Stride s is s phases an axis, each a sweep without stride, so
    no inserted zero is multiplied.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> dy, w = np.ones((1, 1, 3), np.float32), np.array([[[1, 0, -1]]], np.float32)
    >>> sc.conv_input_grad(dy, w, (1, 1, 5))
    array([[[ 1.,  1.,  0., -1., -1.]]], dtype=float32)
    """
    return input_grad("conv_input_grad", "conv", dy, w, x_shape, keywords, CHOICES)


@takes(WeightGradient)
def conv_weight_grad(x: Any, dy: Any, w_shape: Any, **keywords: Unpack[WeightGradient]) -> Array:
    """Weight gradient of `conv`: dw[t] = sum over n, p of x[n, p*stride + t*dilation] * dy[n, p].

    Each weight's gradient is accumulated over every place that shares it.

    Parameters
    ----------
    x : (N, C, *spatial).
    dy : (N, O, *out), the gradient of y.
    w_shape : (O, C/groups, *kernel).
    accumulate : add into `out`, in the place of overwriting it.
    reduce : what is summed up: "all" samples and positions; all positions of each "sample", or all
        samples at each "position", whose sums are the gradients of a local layer.
    stride, padding, dilation, groups, padding_mode, algorithm, out, n_threads : as in `conv`.

    Returns
    -------
    dw : w_shape, in C order; (N, *w_shape) by sample, (*out, O, C/groups, *kernel) by position.

    Notes
    -----
    Also known as backward filter.  The sum over n and p is cut into blocks that follow from the
    shapes alone and added in a fixed tree: the bits do not depend on n_threads.  By sample, data
    that are not contiguous are copied once.  `sharing.position_grads` and `sharing.sample_grads`
    go through parts that do not fit into memory.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> x = np.arange(5, dtype=np.float32).reshape(1, 1, 5)
    >>> sc.conv_weight_grad(x, np.ones((1, 1, 3), np.float32), (1, 1, 3))
    array([[[3., 6., 9.]]], dtype=float32)
    """
    return weight_grad("conv_weight_grad", "conv", x, dy, w_shape, keywords, CHOICES)


@takes(Sweep)
def conv_transpose(x: Any, w: Any, b: Any = None, *, output_padding: Ints = 0,
                   **keywords: Unpack[Sweep]) -> Array:
    """Transposed convolution: the adjoint of `conv` with the same keywords, and a bias.

    Parameters
    ----------
    x : (N, I, *spatial).
    w : (I, O/groups, *kernel), the filters of a `conv` from O to I channels.
    b : (O,), optional.
    output_padding : outputs added at the high end, to choose among the sizes that `conv` maps
        to the size of x; less than stride or dilation.
    padding : as in `conv`, but "same" and "same_lower" give spatial * stride outputs.
    stride, dilation, groups, padding_mode, algorithm, out, n_threads : as in `conv`.

    Returns
    -------
    y : (N, O, *out), out = (spatial - 1) * stride - padding + dilation * (kernel - 1) + 1
        + output_padding, in the memory order of x.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> x = np.array([[[1, 2]]], np.float32)
    >>> sc.conv_transpose(x, np.ones((1, 1, 3), np.float32), stride=2)
    array([[[1., 1., 3., 2., 2.]]], dtype=float32)
    """
    return transposed("conv_transpose", x, w, b, output_padding, keywords, CHOICES)


def bias_grad(dy: Any, b_shape: Any, *, out: Array | None = None, accumulate: bool = False,
              n_threads: int | None = None) -> Array:
    """Gradient of a bias: dy summed over all that shares it.

    Parameters
    ----------
    dy : (N, O, *out); (N, O) for `dense`.
    b_shape : (O,), or (*bank, O) for `tiled_conv` and `local_conv`.
    out, accumulate : as in `conv_weight_grad`.
    n_threads : checked as elsewhere, though one thread does it all.

    Returns
    -------
    db : b_shape

    Notes
    -----
    Sums in float64 and rounds once.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> sc.bias_grad(np.array([[[1, 2, 4]]], np.float32), (1,))
    array([7.], dtype=float32)
    >>> sc.bias_grad(np.array([[[1, 2, 4]]], np.float32), (2, 1))
    array([[5.],
           [2.]], dtype=float32)
    """
    verb = "bias_grad"
    shape = as_shape(verb, "b_shape", b_shape)
    (dy,) = operands(verb, dy=dy)
    resolve_threads(verb, n_threads)
    rank = dy.ndim - 2
    if rank < 0 or len(shape) not in (1, rank + 1) or shape[-1] != dy.shape[1] or 0 in shape[:-1]:
        raise ValueError(f"{verb}: b_shape must be (O,) or (*bank, O) with O = dy.shape[1], "
                         f"got {shape} for dy.shape = {dy.shape}")
    db, (dy,) = result(verb, shape, np.empty(0, dy.dtype), out, (dy,), accumulate)
    bank = shape[:-1] or (1,) * rank
    sums = np.zeros((*bank, dy.shape[1]))
    each = dy.sum(axis=0, dtype=np.float64)  # (O, *out)
    for f in np.ndindex(*bank):
        served = each[(slice(None), *(slice(r, None, p) for r, p in zip(f, bank, strict=True)))]
        sums[f] = served.reshape(len(served), -1).sum(axis=1)
    db[...] = (db + sums.reshape(shape)) if accumulate else sums.reshape(shape)
    return db
