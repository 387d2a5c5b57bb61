"""A term for the loss that slides a local layer towards a shared one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import operands
from sweepconv.geometry import per_axis

from .axis import at_each_position, sum_by_filter
from .base import Array


def sharing_penalty(w: npt.ArrayLike, period: int | Sequence[int] = 1) -> tuple[float, Array]:
    """How far a local bank is from a shared one, as a term for the loss.

        value = 1/2 sum over p of ||w[p] - mean of w over the positions congruent to p||^2

    Its gradient pulls each position's filter towards the mean of those that would share with it:
    a local layer slides towards tiled of that period, for period 1 towards conv.

    Parameters
    ----------
    w : (*out, O, C/groups, *kernel)
    period : an int or one per spatial axis.

    Returns
    -------
    value : float
    gradient : shape of w

    Examples
    --------
    >>> import numpy as np
    >>> sharing_penalty(np.array([1.0, 3.0]).reshape(2, 1, 1, 1))[0]
    1.0
    """
    (array,) = operands("sharing_penalty", w=w)
    rank, odd = divmod(array.ndim - 2, 2)
    if odd or not 1 <= rank <= 3:
        raise ValueError("sharing_penalty: w must be (*out, O, C/groups, *kernel), "
                         f"got w.shape = {array.shape}")
    out, t = array.shape[:rank], per_axis("sharing_penalty", "period", period, rank, 1)
    total = sum_by_filter(array.astype(np.float64), t)
    places = sum_by_filter(np.ones((*out, *(1,) * (array.ndim - rank))), t)
    apart = array - at_each_position(total / np.maximum(places, 1), out)
    return 0.5 * float(np.square(apart).sum()), apart.astype(array.dtype)
