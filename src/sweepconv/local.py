"""The locally connected verbs: weak filters, one for each output position, nothing shared.

    y[n, o, p] = b[f(p), o] + sum over c in group(o), taps t of
        w[f(p), o, c, t] * x[n, c, p*stride + t*dilation - padding],    f(p) = p
"""

from __future__ import annotations

from typing import Any, Unpack

from ._arrays import Array
from ._engine import forward, input_grad, weight_grad
from ._keywords import Gradient, Sweep, WeightGradient, takes


@takes(Sweep)
def local_conv(x: Any, w: Any, b: Any = None, **keywords: Unpack[Sweep]) -> Array:
    """Locally connected layer: each output position has its own filter.

    Parameters
    ----------
    x : (N, C, *spatial) with 1, 2 or 3 spatial axes, float32 or float64, any strides.
    w : (*out, O, C/groups, *kernel): one filter for each output position; or a
        handle from `pack(w, verb="local_conv", ...)`.
    b : (*out, O), optional.
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
    Costs as many multiply-adds as `conv`, but uses each weight once an image, so that reading the
    weights is what takes the time.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> x = np.ones((1, 1, 4), np.float32)
    >>> w = np.array([1, 2, 3, 4], np.float32).reshape((4, 1, 1, 1))
    >>> sc.local_conv(x, w)
    array([[[1., 2., 3., 4.]]], dtype=float32)
    """
    return forward("local_conv", "local", x, w, b, keywords)


@takes(Gradient)
def local_conv_input_grad(dy: Any, w: Any, x_shape: Any, **keywords: Unpack[Gradient]) -> Array:
    """Input gradient of `local_conv`, its exact adjoint; parameters as in `conv_input_grad`.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> w = np.array([1, 2, 3, 4], np.float32).reshape((4, 1, 1, 1))
    >>> sc.local_conv_input_grad(np.ones((1, 1, 4), np.float32), w, (1, 1, 4))
    array([[[1., 2., 3., 4.]]], dtype=float32)
    """
    return input_grad("local_conv_input_grad", "local", dy, w, x_shape, keywords)


@takes(WeightGradient)
def local_conv_weight_grad(x: Any, dy: Any, w_shape: Any, **keywords: Unpack[WeightGradient]
                          ) -> Array:
    """Weight gradient of `local_conv`: each filter's comes from its one position.

    Parameters as in `conv_weight_grad`, with the bank in front of w_shape.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> x, dy = np.ones((1, 1, 4), np.float32), np.ones((1, 1, 4), np.float32)
    >>> sc.local_conv_weight_grad(x, dy, (4, 1, 1, 1))[:, 0, 0, 0]
    array([1., 1., 1., 1.], dtype=float32)
    """
    return weight_grad("local_conv_weight_grad", "local", x, dy, w_shape, keywords)
