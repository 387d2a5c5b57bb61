"""`aps`: adaptive polyphase sampling (Chaman & Dokmanic, "Truly Shift-Invariant Convolutional
Neural Networks", CVPR 2021), for any stride.

A stride keeps polyphase component 0, which after a shift off the lattice is another one.  `aps`
keeps the component of largest norm, which after any circular shift is the same one, rolled.  For
that to hold to the bit

- the norm depends on no order of summation: the greatest magnitude, or a sum that is rounded once;
- ties are decided by what shifts do not change.  Of components of equal norm the one whose sorted
  values come first is kept; then the one whose first circular shift in lexicographic order comes
  first; then that with the lowest index.  Components that tie to the end are shifts of one another,
  so whichever is kept, the result is the same but for a shift, and the same after a lattice shift.

Values are compared there as integers made of their bits: any order will do that is one for every
number, NaN and both zeros too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import Array, operands, require_shape
from sweepconv.geometry import Ints, as_shape

from .polyphase import divisors, places, polyphase

Norm: TypeAlias = "str | int"  # "max", 1 or 2
NORMS = ("max", 1, 2)


def checked_norm(verb: str, norm: Norm) -> Norm:
    if norm not in NORMS:
        raise ValueError(f"{verb}: norm must be one of {', '.join(map(repr, NORMS))}, got {norm!r}")
    return norm


def aps(x: npt.ArrayLike, stride: Ints = 2, *, norm: Norm = "max") -> tuple[Array, Array]:
    """The polyphase component of largest norm, of each sample.

    Parameters
    ----------
    x : (N, C, *spatial), float32 or float64.
    stride : int or one per spatial axis, divisors of the axes.
    norm : over all channels and positions: "max" for the greatest magnitude, 1 or 2 for the sum of
        magnitudes or of squares, added exactly and rounded once.  One that is not finite is the
        largest.

    Returns
    -------
    y : (N, C, *spatial / stride)
    index : (N,), which component was kept, in the order of `polyphase`.

    Notes
    -----
    f(x shifted) is f(x) shifted, to the bit, for every circular shift of x: by a / stride where
    that is whole, else by one of its two neighbours on each axis.  Norm "max" costs a comparison
    an element; ties cost a sort, and where sorting does not tell, up to n*n steps for components
    of n positions.

    Examples
    --------
    >>> x = np.array([[[1.0, 5.0, 2.0, 6.0]]])
    >>> aps(x)
    (array([[[5., 6.]]]), array([1]))
    >>> aps(np.roll(x, 1, 2))
    (array([[[6., 5.]]]), array([0]))
    """
    (x,) = operands("aps", x=x)
    checked_norm("aps", norm)
    divisors("aps", x.shape, stride)  # an error names this function
    parts = polyphase(x, stride)  # (prod(stride), N, C, *spatial / stride)
    index = np.array([_largest(parts[:, n], norm) for n in range(len(x))], np.intp)
    y = np.empty_like(x, shape=parts.shape[1:], subok=False)  # in the memory order of x
    y[...] = parts[index, np.arange(len(x))]
    return y, index


def aps_input_grad(dy: npt.ArrayLike, index: npt.ArrayLike, x_shape: Iterable[int],
                   stride: Ints = 2) -> Array:
    """Gradient of `aps` with respect to x: dy where the kept component was, zero elsewhere.

    Parameters
    ----------
    dy : (N, C, *spatial / stride).
    index : (N,), as `aps` returned it.
    x_shape : (N, C, *spatial).
    stride : as in `aps`.

    Returns
    -------
    dx : x_shape

    Examples
    --------
    >>> aps_input_grad(np.array([[[3.0, 4.0]]]), [1], (1, 1, 4))
    array([[[0., 3., 0., 4.]]])
    """
    verb = "aps_input_grad"
    (dy,) = operands(verb, dy=dy)
    shape = as_shape(verb, "x_shape", x_shape)
    strides = divisors(verb, shape, stride)
    out = (*shape[:2], *(n // s for n, s in zip(shape[2:], strides, strict=True)))
    require_shape(verb, "dy", dy, out, f"for x_shape = {shape}, stride={strides}")
    kept = np.asarray(index)
    if kept.dtype.kind not in "iu" or kept.shape != shape[:1] or not (
            (kept >= 0) & (kept < math.prod(strides))).all():
        raise ValueError(f"{verb}: index must be ({shape[0]},) integers from 0 to "
                         f"{math.prod(strides) - 1} for x_shape = {shape}, got {index!r}")
    dx = np.zeros_like(dy, shape=shape, subok=False)
    for n, flat in enumerate(kept):
        at = [int(r) for r in np.unravel_index(int(flat), strides)]
        dx[n:n + 1][places(at, strides)] = dy[n]
    return dx


def _largest(parts: Array, norm: Norm) -> int:
    """Which of the components (K, C, *out) of one image is kept."""
    sizes = _norms(parts.reshape(len(parts), -1), norm)
    tied = np.flatnonzero(sizes == sizes.max())
    if len(tied) == 1:
        return int(tied[0])
    bits = np.ascontiguousarray(parts[tied]).view(f"i{parts.itemsize}")
    if (bits == bits[:1]).all():
        return int(tied[0])
    keys = [tuple(np.sort(b, axis=None)) for b in bits]
    alike = [i for i, key in enumerate(keys) if key == min(keys)]
    if len(alike) > 1:
        first = [_first_shift(bits[i]) for i in alike]
        alike = [i for i, key in zip(alike, first, strict=True) if key == min(first)]
    return int(tied[alike[0]])


def _norms(parts: Array, norm: Norm) -> Array:
    """(K,) in float64 from (K, elements); the order of the elements changes no bit."""
    sizes = np.abs(parts).astype(np.float64)
    if norm != "max" and np.isfinite(sizes).all():
        # Scaled by a power of two, which rounds nothing, so that no square or sum overflows.
        _, exponent = np.frexp(sizes.max(initial=0.0))
        sizes = np.ldexp(sizes, -int(exponent))
        terms = sizes * sizes if norm == 2 else sizes
        return np.array([math.fsum(t) for t in terms])
    greatest: Array = np.where(np.isnan(sizes), np.inf, sizes).max(axis=1, initial=0.0)
    return greatest


def _first_shift(bits: Array) -> tuple[int, ...]:
    """The lexicographically first of all circular shifts of (C, *out), positions row-major."""
    channels, *size = bits.shape
    flat = bits.reshape(channels, -1)
    n = flat.shape[1]
    at = np.indices(size).reshape(len(size), -1)  # (axes, n): coordinates of position p
    shifts = at  # those still in the race: position p of shift q is element p + q
    word: list[int] = []
    for p in range(n):
        source = np.ravel_multi_index(
            tuple((shifts[a] + at[a, p]) % m for a, m in enumerate(size)), size)
        for c in range(channels):
            values = flat[c, source]
            least = values.min()
            word.append(int(least))
            left = values == least
            shifts, source = shifts[:, left], source[left]
    return tuple(word)
