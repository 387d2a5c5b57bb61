"""Detection maps: where several weak filters find their parts in the places they belong.

    r_i[n, q] = sum over c, t of w_i[c, t] * x[n, c, q + t] / ||w_i||^2      filter i, swept
    map[n, p] = combine over i of r_i[n, p + offset_i]                       the pattern at p

A response is 1 where the image holds the filter itself, and in white noise of deviation sigma it
has deviation sigma / ||w_i||.  p is the place of the pattern's first corner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import operands
from sweepconv.conv import conv
from sweepconv.pool import max_pool

Array: TypeAlias = "npt.NDArray[Any]"
Combine: TypeAlias = Literal["min", "sum", "product"]
Offset: TypeAlias = "tuple[int, ...]"


class Parts(NamedTuple):
    """A pattern in parts: filters (*kernel) or (C, *kernel), each with its own size, and where the
    first corner of each lies in the pattern, one whole number from 0 per spatial axis."""

    filters: dict[str, Array]
    offsets: dict[str, Offset]


def parts_of(named: Mapping[str, tuple[int, int, npt.ArrayLike]]) -> Parts:
    """Parts from name -> (row, column, mask), as of `datasets.SEMICIRCLE` and `datasets.ANGLE`.

    Examples
    --------
    >>> parts_of({"dot": (3, 4, [[True]])}).offsets
    {'dot': (3, 4)}
    """
    return Parts({name: np.asarray(mask, np.float64) for name, (_, _, mask) in named.items()},
                 {name: (int(row), int(column)) for name, (row, column, _) in named.items()})


def cut(pattern: npt.ArrayLike, pieces: int | Sequence[int]) -> Parts:
    """A pattern cut into blocks, as nearly equal as whole elements allow; blocks of nothing but 0
    are left out, as a filter of zeros finds nothing.

    Parameters
    ----------
    pattern : (*size)
    pieces : blocks per axis, an int for all or one each.

    Examples
    --------
    >>> parts = cut([[1, 1, 0], [0, 0, 0], [0, 0, 1]], 2)
    >>> parts.offsets
    {'0,0': (0, 0), '1,1': (2, 2)}
    >>> parts.filters["0,0"]
    array([[1., 1.],
           [0., 0.]])
    """
    whole = np.asarray(pattern, np.float64)
    many = (pieces,) * whole.ndim if isinstance(pieces, int) else tuple(pieces)
    if len(many) != whole.ndim or any(not 1 <= m <= n for m, n in zip(many, whole.shape,
                                                                      strict=True)):
        raise ValueError(f"cut: pieces must be from 1 to the size on each axis of "
                         f"pattern.shape = {whole.shape}, got {pieces}")
    # ceil, so that of unequal blocks the first are the larger
    ends = [[-(-i * n // m) for i in range(m + 1)] for n, m in zip(whole.shape, many, strict=True)]
    filters, offsets = {}, {}
    for at in product(*map(range, many)):
        corner = tuple(e[i] for e, i in zip(ends, at, strict=True))
        block = whole[tuple(slice(e[i], e[i + 1]) for e, i in zip(ends, at, strict=True))]
        if block.any():
            name = ",".join(map(str, at))
            filters[name], offsets[name] = block, corner
    return Parts(filters, offsets)


def responses(x: npt.ArrayLike, w: npt.ArrayLike) -> Array:
    """One filter swept over the images, so scaled that it answers 1 to itself: (N, *out).

    Parameters
    ----------
    x : (N, C, *spatial)
    w : (*kernel) for one channel, or (C, *kernel).

    Examples
    --------
    >>> responses([[[0.0, 2.0, 1.0, 0.0]]], [2.0, 1.0])
    array([[0.4, 1. , 0.4]])
    """
    (images,) = operands("responses", x=x)
    return _responses("responses", images, "w", w)


def _responses(verb: str, x: Array, name: str, w: npt.ArrayLike) -> Array:
    bank = np.asarray(w, x.dtype)
    bank = bank[None] if bank.ndim == x.ndim - 2 else bank
    if bank.ndim != x.ndim - 1 or len(bank) != x.shape[1]:
        raise ValueError(f"{verb}: {name} must be (*kernel) or (C, *kernel) for "
                         f"x.shape = {x.shape}, got shape {np.shape(w)}")
    energy = float(np.square(bank, dtype=np.float64).sum())
    if not energy:
        raise ValueError(f"{verb}: {name} must not be all 0: it would find nothing")
    swept: Array = conv(x, bank[None])[:, 0]
    swept /= x.dtype.type(energy)
    return swept


def detection_map(x: npt.ArrayLike, filters: Mapping[str, npt.ArrayLike],
                  offsets: Mapping[str, Sequence[int]], combine: Combine = "min") -> Array:
    """Where the images hold a pattern, from weak filters for its parts.

    Each filter is swept, its map moved by the part's offset, and the maps combined.

    Parameters
    ----------
    x : (N, C, *spatial)
    filters : name -> (*kernel) or (C, *kernel).
    offsets : name -> where the part's first corner lies in the pattern.
    combine : "min", the worst part's response: all must be there; "product", of responses, those
        below 0 taken as 0; "sum", their mean weighted by ||w||^2, which is the response of the
        whole pattern as one filter, with as much tolerance for a missing part.

    Returns
    -------
    map : (N, *places), places of the pattern's first corner at which all of it is in the image;
        1 for a perfect match, whichever way they are combined.

    Examples
    --------
    A rise, and three elements later a fall:

    >>> x = np.array([[[0.0, 1, 2, 0, 2, 1, 0]]])
    >>> detection_map(x, {"rise": [1.0, 2.0], "fall": [2.0, 1.0]}, {"rise": (0,), "fall": (3,)})
    array([[0.4, 1. , 0.4]])
    """
    (images,) = operands("detection_map", x=x)
    where = _places(images, filters, offsets)
    maps = []
    for name, w in filters.items():
        swept = _responses("detection_map", images, f"filters[{name!r}]", w)
        maps.append(swept[(slice(None), *where[name])])
    energy = [float(np.square(w, dtype=np.float64).sum()) for w in filters.values()]
    return _combined(maps, energy, combine)


def _combined(maps: list[Array], energy: list[float], combine: str) -> Array:
    together: Array = maps[0]
    if combine == "min":
        together = np.minimum.reduce(maps)
    elif combine == "product":
        together = np.multiply.reduce([np.maximum(m, 0) for m in maps])
    elif combine == "sum":
        together = np.add.reduce([m * m.dtype.type(e / sum(energy))
                                  for m, e in zip(maps, energy, strict=True)])
    else:
        raise ValueError("detection_map: combine must be 'min', 'sum' or 'product', "
                         f"got {combine!r}")
    return together


def _places(x: Array, filters: Mapping[str, npt.ArrayLike], offsets: Mapping[str, Sequence[int]]
            ) -> dict[str, tuple[slice, ...]]:
    """The part of each filter's map that belongs to the places of the pattern."""
    rank = x.ndim - 2
    if not filters or filters.keys() != offsets.keys():
        raise ValueError("detection_map: offsets must name the same parts as filters, at least "
                         f"one, got {sorted(filters)} and {sorted(offsets)}")
    corners = {name: tuple(map(int, offset)) for name, offset in offsets.items()}
    for name, corner in corners.items():
        if len(corner) != rank or min(corner) < 0:
            raise ValueError(f"detection_map: offsets[{name!r}] must be {rank} numbers from 0, "
                             f"got {offsets[name]!r}")
    ends = [[a + n for a, n in zip(corners[name], np.shape(w)[-rank:], strict=True)]
            for name, w in filters.items()]
    pattern = tuple(max(e) for e in zip(*ends, strict=True))
    free = [n - m + 1 for n, m in zip(x.shape[2:], pattern, strict=True)]
    if min(free) < 1:
        raise ValueError(f"detection_map: the pattern of size {pattern} does not fit into "
                         f"x.shape = {x.shape}")
    return {name: tuple(slice(a, a + m) for a, m in zip(corner, free, strict=True))
            for name, corner in corners.items()}


def pooled(maps: Array) -> Array:
    """The greatest value of each map (N, *places): what was found, without where, (N,).

    Examples
    --------
    >>> pooled(np.array([[0.25, 1.0, 0.5]]))
    array([1.])
    """
    return max_pool(maps[:, None], maps.shape[1:]).reshape(len(maps))
