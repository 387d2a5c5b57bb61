"""The tile-shared verbs: weak filters, one for each residue of a period, shared every period.

    y[n, o, p] = b[f(p), o] + sum over c in group(o), taps t of
        w[f(p), o, c, t] * x[n, c, p*stride + t*dilation - padding],    f(p) = p mod period
"""

from __future__ import annotations

from typing import Any, Unpack

from ._arrays import Array
from ._engine import forward, input_grad, weight_grad
from ._keywords import Gradient, Sweep, WeightGradient, takes


@takes(Sweep)
def tiled_conv(x: Any, w: Any, b: Any = None, **keywords: Unpack[Sweep]) -> Array:
    """Convolution with tile sharing: filter p mod period serves output position p.

    Parameters
    ----------
    x : (N, C, *spatial) with 1, 2 or 3 spatial axes, float32 or float64, any strides.
    w : (*period, O, C/groups, *kernel): the bank has one filter for each residue; or a handle from
        `pack(w, verb="tiled_conv", ...)`.
    b : (*period, O), optional.
    **keywords : stride, padding, dilation, groups, padding_mode, algorithm, out and n_threads,
        as in `conv`.

    Returns
    -------
    y : (N, O, *out), in the memory order of x.

    Raises
    ------
    ValueError, TypeError
        Where shapes, dtypes or keywords do not fit; the message names the argument.

    Notes
    -----
    Costs as many multiply-adds as `conv`, with prod(period) times its parameters; period 1 is
    `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> x = np.ones((1, 1, 4), np.float32)
    >>> w = np.array([1, 10], np.float32).reshape((2, 1, 1, 1))
    >>> sc.tiled_conv(x, w)
    array([[[ 1., 10.,  1., 10.]]], dtype=float32)
    """
    return forward("tiled_conv", "tiled", x, w, b, keywords)


@takes(Gradient)
def tiled_conv_input_grad(dy: Any, w: Any, x_shape: Any, **keywords: Unpack[Gradient]) -> Array:
    """Input gradient of `tiled_conv`, its exact adjoint; parameters as in `conv_input_grad`.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> w = np.array([1, 10], np.float32).reshape((2, 1, 1, 1))
    >>> sc.tiled_conv_input_grad(np.ones((1, 1, 4), np.float32), w, (1, 1, 4))
    array([[[ 1., 10.,  1., 10.]]], dtype=float32)
    """
    return input_grad("tiled_conv_input_grad", "tiled", dy, w, x_shape, keywords)


@takes(WeightGradient)
def tiled_conv_weight_grad(x: Any, dy: Any, w_shape: Any, **keywords: Unpack[WeightGradient]
                          ) -> Array:
    """Weight gradient of `tiled_conv`: each filter's is summed over the positions it serves.

    Parameters as in `conv_weight_grad`, with the bank in front of w_shape.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> x, dy = np.ones((1, 1, 4), np.float32), np.ones((1, 1, 4), np.float32)
    >>> sc.tiled_conv_weight_grad(x, dy, (2, 1, 1, 1))[:, 0, 0, 0]
    array([2., 2.], dtype=float32)
    """
    return weight_grad("tiled_conv_weight_grad", "tiled", x, dy, w_shape, keywords)
