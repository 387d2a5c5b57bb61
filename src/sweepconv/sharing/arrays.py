"""Sharing tied and untied for plain arrays, and layers as matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import operands
from sweepconv.geometry import Family, Ints, as_shape, geometry, per_axis

from .axis import at_each_position
from .base import Array
from .convert import Bank, distance, nearest
from .pattern import Sweep


def untie(w: npt.ArrayLike, x_shape: Sequence[int], **geometry: Any) -> Array:
    """The local bank (*out, O, C/groups, *kernel) of a conv or tiled bank: each position gets a
    filter of its own, and the layer computes the same.

    Parameters
    ----------
    w : (O, C/groups, *kernel) or (*period, O, C/groups, *kernel).
    x_shape : (C, *spatial)
    **geometry : stride, padding, dilation, groups and padding_mode, as in `conv`.

    Examples
    --------
    >>> import numpy as np
    >>> untie(np.array([[[1.0, 2.0]]]), (1, 4)).shape
    (3, 1, 1, 2)
    """
    (array,) = operands("untie", w=w)
    x = as_shape("untie", "x_shape", x_shape)
    g = _sweep("untie", "conv" if array.ndim == len(x) + 1 else "tiled", x, array.shape, geometry).g
    return at_each_position(array.reshape(*g.period, *array.shape[len(g.bank):]), g.out_size)


def tie(w: npt.ArrayLike, x_shape: Sequence[int], *, period: Ints = 1, **geometry: Any
        ) -> tuple[Array, float]:
    """The nearest bank of a conv (period 1) or tiled layer, and the relative residual.

    Parameters
    ----------
    w : (*out, O, C/groups, *kernel), the bank of a local layer.
    x_shape : (C, *spatial)
    period : an int or one per spatial axis.
    **geometry : as in `untie`.

    Returns
    -------
    w : (O, C/groups, *kernel) for period 1, else (*period, O, C/groups, *kernel).
    residual : ||W - W'|| / ||W|| over the dense weights; 0 where the filters were shared.

    Examples
    --------
    >>> import numpy as np
    >>> tie(np.array([1.0, 3.0]).reshape(2, 1, 1, 1), (1, 2))
    (array([[[2.]]]), 0.4472135954999579)
    """
    (array,) = operands("tie", w=w)
    x = as_shape("tie", "x_shape", x_shape)
    g = _sweep("tie", "local", x, array.shape, geometry).g
    t = per_axis("tie", "period", period, g.rank, 1)
    local = Bank(g, array, None)
    near = Bank(g, *nearest(local, t))
    residual = distance(local, near.local())
    return (near.w.reshape(near.w.shape[g.rank:]) if math.prod(t) == 1 else near.w), residual


def to_matrix(w: npt.ArrayLike, x_shape: Sequence[int], *, family: Family = "conv",
              sparse: bool = False, **geometry: Any) -> Any:
    """The matrix W of a sweep, y.reshape(N, -1) = x.reshape(N, -1) @ W.T.

    Parameters
    ----------
    w : weights of `family`.
    x_shape : (C, *spatial)
    family : "conv", "tiled" or "local".
    sparse : a `scipy.sparse` array in the place of a NumPy array; needs SciPy, and memory for its
        entries alone.
    **geometry : as in `untie`.

    Returns
    -------
    W : (O * prod(out), C * prod(spatial))

    Examples
    --------
    >>> import numpy as np
    >>> to_matrix(np.array([[[1.0, 2.0]]]), (1, 3))
    array([[1., 2., 0.],
           [0., 1., 2.]])
    """
    (array,) = operands("to_matrix", w=w)
    sweep = _sweep("to_matrix", family, as_shape("to_matrix", "x_shape", x_shape), array.shape,
                   geometry)
    g = sweep.g
    shape = (g.out_channels * math.prod(g.out_size), g.in_channels * math.prod(g.in_size))
    if not sparse:
        return sweep.expand(array).reshape(shape)
    try:
        from scipy.sparse import coo_array
    except ImportError:
        raise ImportError("to_matrix: sparse=True needs SciPy: pip install scipy") from None
    parts = [tuple(np.broadcast_arrays(*part)) for part in sweep.entries(array)]
    rows, columns, values = (np.concatenate([a.ravel() for a in part])
                             for part in zip(*parts, strict=True))
    return coo_array((values, (rows, columns)), shape=shape).tocsr()


def from_matrix(matrix: Any, x_shape: Sequence[int], w_shape: Sequence[int], *,
                family: Family = "conv", **geometry: Any) -> tuple[Array, float]:
    """The weights of a family that are nearest to a matrix, and the relative residual.

    Parameters
    ----------
    matrix : (O * prod(out), C * prod(spatial)), an array or a `scipy.sparse` one.
    x_shape : (C, *spatial); w_shape : the weights' shape in `family`.
    **geometry : as in `untie`.

    Examples
    --------
    >>> import numpy as np
    >>> from_matrix(np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 2.0]]), (1, 3), (1, 1, 2))
    (array([[[1., 2.]]]), 0.0)
    """
    pattern = _sweep("from_matrix", family, as_shape("from_matrix", "x_shape", x_shape),
                     as_shape("from_matrix", "w_shape", w_shape), geometry)
    array = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
    shape = (math.prod(pattern.dense_shape[:pattern.g.rank + 1]),
             math.prod(pattern.dense_shape[pattern.g.rank + 1:]))
    if array.shape != shape:
        raise ValueError(f"from_matrix: matrix must be {shape} for x_shape = {tuple(x_shape)}, "
                         f"w_shape = {tuple(w_shape)}, got {array.shape}")
    return pattern.project(array.reshape(pattern.dense_shape))


def _sweep(verb: str, family: Family, x_shape: tuple[int, ...], w_shape: tuple[int, ...],
           keywords: dict[str, Any]) -> Sweep:
    return Sweep(geometry(verb, family, (1, *x_shape), w_shape, **keywords))
