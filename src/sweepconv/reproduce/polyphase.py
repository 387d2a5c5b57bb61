"""Adaptive polyphase sampling: of the s^d ways to keep each s-th value, the one of largest norm."""

from __future__ import annotations

from itertools import product
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"


def aps(x: Array, stride: int) -> Array:
    """The polyphase component of largest l2 norm of each x[n], (N, C, *spatial).

    A shift of x permutes the components and shifts them, so the same one is chosen.  Its norm must
    not depend on the order of its values: they are added in ascending order.  Of equal norms the
    first component counts.
    """
    spatial = x.ndim - 2
    each = slice(None), slice(None)
    parts = np.stack([x[each + tuple(slice(a, None, stride) for a in start)]
                      for start in product(range(stride), repeat=spatial)], axis=1)
    squares = np.square(parts.reshape(*parts.shape[:2], -1), dtype=np.float64)  # (N, s^d, values)
    norms = np.sort(squares, axis=2).cumsum(axis=2)[:, :, -1]
    chosen: Array = parts[np.arange(len(x)), norms.argmax(axis=1)]
    return chosen
