"""Polyphase components: what a stride keeps and what it throws away.

Component r of x is x[..., r::stride], one r for each residue of each axis.  A layer with a stride
is the same layer without it, and component 0 of that.  So a shift off the stride's lattice does not
shift the result: it permutes the components (`polyphase_shift` says how), and the one that is kept
is another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import Array
from sweepconv.geometry import Ints, per_axis


def divisors(verb: str, shape: tuple[int, ...], stride: Ints) -> tuple[int, ...]:
    """One stride per axis, each a divisor of the axis: components are equally long."""
    rank = len(shape) - 2
    if rank < 1:
        raise ValueError(f"{verb}: x must be (N, C, *spatial), got x.shape = {shape}")
    strides = per_axis(verb, "stride", stride, rank, 1)
    if any(n % s for n, s in zip(shape[2:], strides, strict=True)):
        raise ValueError(f"{verb}: stride must divide each spatial axis, since else components "
                         f"have different sizes, got stride={strides} for x.shape = {shape}")
    return strides


def places(at: Sequence[int], strides: Sequence[int]) -> tuple[slice, ...]:
    """Where the component of the residues `at` lies in (N, C, *spatial)."""
    return (slice(None), slice(None),
            *(slice(r, None, s) for r, s in zip(at, strides, strict=True)))


def polyphase(x: npt.ArrayLike, stride: Ints) -> Array:
    """All polyphase components of x.

    Parameters
    ----------
    x : (N, C, *spatial), of any dtype.
    stride : int or one per spatial axis, divisors of the axes.

    Returns
    -------
    components : (prod(stride), N, C, *spatial / stride), residues in row-major order.

    Examples
    --------
    >>> polyphase(np.arange(6).reshape(1, 1, 6), 2)[:, 0, 0]
    array([[0, 2, 4],
           [1, 3, 5]])
    """
    x = np.asarray(x)
    strides = divisors("polyphase", x.shape, stride)
    return np.stack([x[places(at, strides)] for at in np.ndindex(*strides)])


def polyphase_inverse(components: npt.ArrayLike, stride: Ints) -> Array:
    """The array whose polyphase components these are.

    `polyphase` moves elements and changes none, so this is its adjoint too.

    Parameters
    ----------
    components : (prod(stride), N, C, *spatial / stride).
    stride : int or one per spatial axis.

    Returns
    -------
    x : (N, C, *spatial)

    Examples
    --------
    >>> x = np.arange(12).reshape(1, 1, 2, 6)
    >>> bool((polyphase_inverse(polyphase(x, (1, 3)), (1, 3)) == x).all())
    True
    """
    parts = np.asarray(components)
    if parts.ndim < 4:
        raise ValueError("polyphase_inverse: components must be (prod(stride), N, C, *spatial), "
                         f"got components.shape = {parts.shape}")
    strides = per_axis("polyphase_inverse", "stride", stride, parts.ndim - 3, 1)
    if len(parts) != prod(strides):
        raise ValueError(f"polyphase_inverse: components must lead with {prod(strides)}, one for "
                         f"each residue of stride={strides}, got components.shape = {parts.shape}")
    size = (n * s for n, s in zip(parts.shape[3:], strides, strict=True))
    x = np.empty((*parts.shape[1:3], *size), parts.dtype)
    for part, at in zip(parts, np.ndindex(*strides), strict=True):
        x[places(at, strides)] = part
    return x


def polyphase_shift(shift: Ints, stride: Sequence[int]) -> list[tuple[int, tuple[int, ...]]]:
    """What a circular shift does to the components: which one each becomes, and how it is shifted.

    Parameters
    ----------
    shift : int or one per spatial axis, as `np.roll` takes it.
    stride : one per spatial axis.

    Returns
    -------
    sources : for each component of the shifted array, in order, which component of the array it
        is and by how much that is rolled: x[s*p + r - a] with r - a = r' - s*m is element p - m of
        component r'.

    Examples
    --------
    >>> polyphase_shift(1, (2,))
    [(1, (1,)), (0, (0,))]
    """
    strides = per_axis("polyphase_shift", "stride", stride, len(tuple(stride)), 1)
    shifts = per_axis("polyphase_shift", "shift", shift, len(strides), -2**62)
    sources = []
    for at in np.ndindex(*strides):
        moved = [divmod(r - a, s) for r, a, s in zip(at, shifts, strides, strict=True)]
        index = 0
        for (_, r), s in zip(moved, strides, strict=True):
            index = index * s + r
        sources.append((index, tuple(-m for m, _ in moved)))
    return sources
