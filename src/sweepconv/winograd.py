"""Winograd's F(m, 3), m outputs of 3 taps from m + 2 inputs: `algorithm="winograd"` and `"fast"`.

On one axis, y = A^T [(G w) (B^T x)], and on more axes the same along each in turn.  F(2, 3):

          1  0 -1  0           1    0    0
    B^T = 0  1  1  0      G = 1/2  1/2  1/2     A^T = 1  1  1  0
          0 -1  1  0          1/2 -1/2  1/2           0  1 -1 -1
          0  1  0 -1           0    0    1

and F(4, 3) has the points 0, 1, -1, 1/2, -2 and infinity (ext/kernels/blend.inc.h).  An image
becomes tiles of (m + 2)**rank positions in steps of m, V = B^T x, and a filter U = G w; the
products of a position, summed over channels, need that position of U alone.  y and dx are made by
the compiled sweep (ext/sweepconv/_winograd.pxd), dx with the taps of its phases, which are flipped.

- "winograd": F(2, 3) on every axis.  All is sums and halves, so small integers come out exactly.
- "fast": F(4, 3), or F(2, 3), on the axes of 3 taps where that is estimated to be faster than the
  direct sweep, which it is elsewhere.  The choice follows from the filters and one image.

Multiply-adds for each output and channel: ((m + 2)/m)**rank in the place of 3**rank, and the
transforms.  `pack` keeps U: made anew, it costs as much as a small image.

The weight gradient of "winograd", which gains least, is NumPy around a tile-shared sweep of one
tap:

    dw = G^T dU,  dU = sum over images and tiles of (A dy) V

Error: a term of y or dx by F(2, 3) passes through at most n + 5*rank + 2 roundings, n the channels
of a group, and those of folding padding back.  Terms that cancel are formed too: in the place of
direct's sum of |w x| stands

    2**rank * sum over c of (sum over t of |w|) * (sum over the receptive field of |x|)

at most; more than 128 channels are summed in blocks.  For N(0, 1) data, 3x3, padding 1, float32,
the root mean square error over that of the result is

    channels    direct     F(2, 3)    F(4, 3)
    64          4.2e-7     2.6e-7     1.1e-6
    128         4.2e-7     3.6e-7     1.5e-6
    1024        4.3e-7     3.7e-7     1.6e-6

NaN and Inf of x, or of dy in the input gradient, reach their receptive field and no more with
F(2, 3), though Inf can become NaN there; with F(4, 3) they reach their tiles.  Filters that are not
all finite take the direct sweep.  Sums can overflow where direct does not.

Bits depend neither on threads nor on how a batch is split.  Outputs at different places of a tile
are summed in different ways, so circular padding is shift-equivariant up to rounding only.

Workspace: see docs/engine.md.  That of the weight gradient: images, or where one is large its rows
of tiles, are taken in slabs; V and the products of a slab have no more than SLAB_BYTES, or U, or
one row of tiles, whichever is most; what they are made from, less than that again.  U has
4**rank * O * C/groups elements and is held three times.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce
from itertools import pairwise, product
from typing import Any

import numpy as np

from . import _engine
from ._arrays import Array
from .geometry import Geometry, virtual_index
from .phases import Axis, axes

DATA = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])  # B^T
FILTER = np.array([[1, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 1]])  # G without its halves
HALVES = np.array([1, 0.5, 0.5, 1])
OUTPUT = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])  # A^T

SLAB_BYTES = 4 << 20  # measured: from 2 to 8 MiB much alike, more leaves the caches

# Arrays here are (*space, n, c) in C order, whatever the operands' order, so that whole rows of
# channels are added.  Positions of a tile become axes in front: (*(4,) * rank, *tiles, n, c).


def _part(a: Array, axis: int, first: int, step: int, count: int) -> Array:
    """`count` elements of one axis, which is counted from the last."""
    index: Any = (..., slice(first, first + step * count, step), *(slice(None),) * (-1 - axis))
    part: Array = a[index]
    return part


def _sums(matrix: Array, terms: Any, results: Any) -> None:
    """results = matrix @ terms, for entries 0, 1 and -1, without a product."""
    for row, to in zip(matrix, results, strict=True):
        plus, minus = ([t for m, t in zip(row, terms, strict=True) if m == sign]
                       for sign in (1, -1))
        total = plus.pop(0) if plus else 0
        for add, more in ((np.add, plus), (np.subtract, minus)):
            for term in more:
                total = add(total, term, out=to)
        if total is not to:
            to[...] = total


def _to_positions(matrix: Array, a: Array, rank: int) -> Array:
    """`matrix` along each axis of `a`, on windows as wide as it in steps of 2."""
    rows, width = matrix.shape
    for axis in range(-2 - rank, -2):
        count = (a.shape[axis] - width) // 2 + 1
        terms = [_part(a, axis, j, 2, count) for j in range(width)]
        a = np.empty((rows, *terms[0].shape), a.dtype)
        _sums(matrix, terms, a)
    return a


def _from_positions(matrix: Array, a: Array, rank: int) -> Array:
    """`matrix` on the positions of each axis, its rows side by side along that axis."""
    rows = len(matrix)
    for axis in range(-3, -3 - rank, -1):
        count = a.shape[axis]
        to = np.empty((*a.shape[1:axis], rows * count, *a.shape[axis + 1:]), a.dtype)
        _sums(matrix, a, [_part(to, axis, i, rows, count) for i in range(rows)])
        a = to
    return a


def _halved(u: Array, rank: int) -> Array:
    """The halves of G on every axis, in place: the position axes of `u` lead."""
    scale = reduce(np.multiply.outer, [HALVES] * rank).astype(u.dtype)
    u *= scale.reshape(*scale.shape, *(1,) * (u.ndim - rank))
    return u


def _space_first(a: Array) -> Array:
    return np.moveaxis(a, (0, 1), (-2, -1))


def _as_image(a: Array, rank: int) -> Array:
    """(*positions, *tiles, n, c) as (n, c, positions, tiles), which the engine sweeps over."""
    return a.reshape(4**rank, math.prod(a.shape[rank:-2]), *a.shape[-2:]).transpose(2, 3, 0, 1)


def _indices(reads: tuple[Axis, ...]) -> list[Array]:
    """What the tiles of each axis read: two elements a tile and two more; zeros, -1, at the end
    where half of the last tile is no output."""
    indices = [virtual_index(np.arange(a.out + a.out % 2 + 2) - a.low, a.size, a.mode)
               for a in reads]
    for a, index in zip(reads, indices, strict=True):
        index[a.out + 2:] = -1
    return indices


def _read(a: Array, indices: list[Array]) -> Array:
    """The elements of `a`, (*space, n, c), at the indices of each axis, zeros at -1."""
    read = np.zeros((*map(len, indices), *a.shape[-2:]), a.dtype)
    pieces = []  # of each axis: runs in which the index goes up in steps of one
    for index in indices:
        cuts = np.flatnonzero((np.diff(index) != 1) | (index[:-1] < 0)) + 1
        pieces.append([(slice(i, j), slice(index[i], index[i] + j - i))
                       for i, j in pairwise((0, *cuts, len(index))) if index[i] >= 0])
    for piece in product(*pieces):
        read[tuple(to for to, _ in piece)] = a[tuple(of for _, of in piece)]
    return read


def _slabs(batch: int, out: tuple[int, ...], channels: int, filters: Array
           ) -> Iterator[tuple[slice, slice]]:
    """Images, and rows of tiles on the first axis, that are worked on at once.

    Not less than the filters, U or dU, have: each slab reads all of them.
    """
    rows, *rest = (-(-n // 2) for n in out)
    row_bytes = max(4**len(out) * math.prod(rest) * channels * filters.itemsize, 1)
    most = max(SLAB_BYTES, filters.nbytes)
    parts = -(-rows // max(most // row_bytes, 1))
    part, images = -(-rows // parts), max(most // (row_bytes * rows), 1)
    for n in range(0, batch, images):
        for r in range(0, rows, part):
            yield slice(n, n + images), slice(r, r + part)


def _check(verb: str, g: Geometry) -> None:
    shapes = f"(x.shape = {g.x_shape}, w.shape = {g.w_shape})"
    for name, values, needed in (("kernel", g.kernel, 3), ("stride", g.stride, 1),
                                 ("dilation", g.dilation, 1)):
        if any(v != needed for v in values):
            raise ValueError(f"{verb}: algorithm='winograd' needs {name}={needed} on each axis, "
                             f"got {name}={values} {shapes}")


TRANSFORM = 12  # multiply-adds in the time that a position of a tile takes in and out of it
GAIN = 1.15     # estimated, from which on the direct sweep is left
LEAST = 32      # channels of a group on both sides


def _cost(g: Geometry, m: int) -> float:
    """Multiply-adds for one image and group by F(m, 3), 0: directly, and the time of transforms in
    their terms."""
    o, c = g.out_channels // g.groups, g.w_shape[1]
    if not m:
        return math.prod(g.out_size) * math.prod(g.kernel) * o * c
    edges = [m if k == 3 else 1 for k in g.kernel]
    tiles = math.prod(-(-n // e) for n, e in zip(g.out_size, edges, strict=True))
    places = math.prod(e + 2 if e > 1 else 1 for e in edges)
    return tiles * places * (o * c + TRANSFORM * (o + c))


def _fastest(g: Geometry) -> int:
    """m of the F(m, 3) that takes least, or 0: by the geometry of one image alone, so that bits
    depend neither on the batch nor on threads.  F(4, 3) on three axes would lose too many."""
    if min(g.out_channels // g.groups, g.w_shape[1]) < LEAST:
        return 0
    least = min((2, 4) if g.rank < 3 else (2,), key=lambda m: _cost(g, m))
    return least if GAIN * _cost(g, least) < _cost(g, 0) else 0


@np.errstate(all="ignore")
def _weight_grad(g: Geometry, x: Array, dy: Array, dw: Array, accumulate: bool,
                 threads: int) -> None:
    channels = g.w_shape[:2]
    du = np.zeros((4**g.rank, 1, *channels, 1, 1), x.dtype)
    x, dy, read = _space_first(x), _space_first(dy), _indices(axes(g))
    pairs = [np.where((i := np.arange(n + n % 2)) < n, i, -1) for n in g.out_size]
    for images, rows in _slabs(g.batch, g.out_size, g.in_channels + g.out_channels, du):
        first, last = 2 * rows.start, 2 * rows.stop
        v = _read(x[..., images, :], [read[0][first:last + 2], *read[1:]])
        m = _read(dy[..., images, :], [pairs[0][first:last], *pairs[1:]])
        v, m = _to_positions(DATA, v, g.rank), _to_positions(OUTPUT.T, m, g.rank)
        _engine.weight_grad("tiled_conv_weight_grad", "tiled", _as_image(v, g.rank),
                            _as_image(m, g.rank), du.shape, {
                                "groups": g.groups, "out": du, "accumulate": True,
                                "n_threads": threads})
    du = _halved(du.reshape(*(4,) * g.rank, *(1,) * g.rank, *channels), g.rank)
    made = np.moveaxis(_from_positions(FILTER.T, du, g.rank), (-2, -1), (0, 1))
    dw[...] = made + dw if accumulate else made


WINOGRAD = _engine.Algorithm("winograd", _check, lambda g: 2, _weight_grad)
FAST = _engine.DIRECT._replace(name="fast", winograd=_fastest)
