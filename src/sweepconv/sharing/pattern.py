"""The sharing map of a layer: from its stored weights to the dense layer that does the same.

    y = W vec(x),    W = P w

P has a row for each dense weight and a column for each stored one, a 1 where the stored weight
stands in for the dense one.  It is never made: `expand` is P, `reduce` is P transposed, tap by tap,
and the shared gradient is `reduce` of the dense layer's gradient, since a weight that stands in
many places receives the sum of their gradients.  Families, in the order of more sharing: dense,
local, tiled, conv; each holds all that come after it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from sweepconv.geometry import Family, Geometry, as_shape, geometry

from .axis import at_each_position, axes_of, sum_by_filter
from .base import Array, Map, Shape


class Sweep(Map):
    """The map of conv, tiled and local.  `g` is the geometry of one image."""

    def __init__(self, g: Geometry) -> None:
        self.g = g
        self.axes = axes_of(g)
        self.w_shape = g.w_shape
        self.dense_shape = (g.out_channels, *g.out_size, g.in_channels, *g.in_size)

    def _blocks(self, dense: Array) -> Array:
        """(groups, O/groups, *out, C/groups, *spatial): the part of a dense array in which each
        group meets itself, as a view."""
        g, rank = self.g, self.g.rank
        apart = dense.reshape(g.groups, g.out_channels // g.groups, *g.out_size,
                              g.groups, g.in_channels // g.groups, *g.in_size)
        return np.moveaxis(np.diagonal(apart, axis1=0, axis2=2 + rank), -1, 0)

    def _taps(self) -> Iterator[tuple[Any, Any, Any]]:
        """(tap, outputs, blocks): the outputs at which it reads the image, as open index arrays,
        and the index of what it reads in `_blocks`: (*outputs, groups, O/groups, C/groups), since
        index arrays with a slice between them come first."""
        every = slice(None)
        for tap in product(*map(range, self.g.kernel)):
            sources = [axis.source[:, t] for axis, t in zip(self.axes, tap, strict=True)]
            there = [np.flatnonzero(s >= 0) for s in sources]
            outputs = np.ix_(*there)
            elements = np.ix_(*(s[o] for s, o in zip(sources, there, strict=True)))
            yield tap, outputs, (every, every, *outputs, every, *elements)

    def _with_bank(self, w: Array) -> Array:
        """(*period, O, C/groups, *kernel): the bank of conv is one filter."""
        g = self.g
        return w.reshape(*g.period, g.out_channels, g.in_channels // g.groups, *g.kernel)

    def _expand(self, w: Array) -> Array:
        g, dense = self.g, np.zeros(self.dense_shape, w.dtype)
        blocks, bank = self._blocks(dense), self._with_bank(w)
        blocks.flags.writeable = True  # a view of what was made here
        for tap, outputs, at in self._taps():
            filters = at_each_position(bank[(..., *tap)], g.out_size)[outputs]
            # A tap reads one element for an output, so that no place is met twice here.
            blocks[at] += filters.reshape(*filters.shape[:g.rank], g.groups,
                                          g.out_channels // g.groups, filters.shape[-1])
        return dense

    def _reduce(self, dense: Array) -> Array:
        g, blocks = self.g, self._blocks(dense)
        bank = np.zeros(self._with_bank(np.empty(self.w_shape, bool)).shape, dense.dtype)
        for tap, outputs, at in self._taps():
            found = np.zeros((*g.out_size, *bank.shape[g.rank:g.rank + 2]), dense.dtype)
            part = blocks[at]
            found[outputs] = part.reshape(*part.shape[:g.rank], *found.shape[g.rank:])
            bank[(..., *tap)] = sum_by_filter(found, g.period)
        return bank.reshape(self.w_shape)

    def entries(self, w: Array) -> Iterator[tuple[Array, Array, Array]]:
        """(rows, columns, weights) of the matrix (O * prod(out), C * prod(spatial)), tap by tap;
        they broadcast.  Places that several taps share come several times."""
        g, bank = self.g, self._with_bank(w)
        o = np.arange(g.out_channels).reshape(g.groups, -1, 1) * math.prod(g.out_size)
        c = np.arange(g.in_channels).reshape(g.groups, 1, -1) * math.prod(g.in_size)
        for tap, outputs, at in self._taps():
            place, element = (
                _flat(index, size)[..., None, None, None]
                for index, size in ((outputs, g.out_size), (at[-g.rank:], g.in_size)))
            filters = at_each_position(bank[(..., *tap)], g.out_size)[outputs]
            yield (place + o, element + c,
                   filters.reshape(*filters.shape[:g.rank], g.groups,
                                   g.out_channels // g.groups, filters.shape[-1]))

    def _solve(self, w: Array) -> Array:
        if all(axis.one_each for axis in self.axes):
            m = self.multiplicity
            return np.divide(w, m, out=np.zeros_like(w), where=m > 0)
        solved = along_taps(self._with_bank(w), [axis.inverse for axis in self.axes])
        return solved.reshape(self.w_shape)

    @property
    def multiplicity(self) -> Array:
        rank, uses = self.g.rank, np.ones(1, np.int64)
        for axis in self.axes:  # (*periods, *kernels) in the end
            uses = np.multiply.outer(uses, axis.uses)
        order = (*range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2))
        bank = np.squeeze(uses, 0).transpose([i - 1 for i in order])
        bank = bank.reshape(*bank.shape[:rank], 1, 1, *bank.shape[rank:])
        full = (*bank.shape[:rank], *self._with_bank(np.empty(self.w_shape, bool)).shape[rank:])
        return np.broadcast_to(bank, full).reshape(self.w_shape)


def _flat(index: Any, size: Shape) -> Array:
    """Row-major numbers of the elements that open index arrays name."""
    number: Array = np.zeros((1,) * len(size), np.intp)
    for i, n in zip(index, size, strict=True):
        number = number * n + i
    return number


def along_taps(bank: Array, matrices: Sequence[Array]) -> Array:
    """(*period, O, C/groups, *kernel), with the taps of axis i multiplied by matrices[i],
    (period, kernel, kernel)."""
    rank = len(matrices)
    for i, matrix in enumerate(matrices):
        turned = np.moveaxis(bank, (i, rank + 2 + i), (-2, -1))  # (..., period, kernel)
        turned = np.einsum("...fk,fjk->...fj", turned, matrix)
        bank = np.moveaxis(turned, (-2, -1), (i, rank + 2 + i))
    return bank


class Dense(Map):
    """Nothing shared: the stored weights are the dense ones."""

    def __init__(self, shape: Shape) -> None:
        self.w_shape = self.dense_shape = shape

    def _expand(self, w: Array) -> Array:
        return w.copy()

    def _reduce(self, dense: Array) -> Array:
        return dense.copy()

    def _solve(self, w: Array) -> Array:
        return w

    @property
    def multiplicity(self) -> Array:
        return np.broadcast_to(np.int64(1), self.w_shape)


class Drawn(Map):
    """Any sharing: `index` says which stored weight stands at each place, -1 for none."""

    def __init__(self, index: Array, w_shape: Shape) -> None:
        self.index, self.w_shape, self.dense_shape = index, w_shape, index.shape

    def _expand(self, w: Array) -> Array:
        return np.where(self.index < 0, w.dtype.type(0), w.reshape(-1)[self.index])

    def _reduce(self, dense: Array) -> Array:
        there = self.index >= 0
        return np.bincount(self.index[there], dense[there],
                           self.n_params).reshape(self.w_shape)

    def _solve(self, w: Array) -> Array:
        m = self.multiplicity
        return np.divide(w, m, out=np.zeros_like(w), where=m > 0)

    @property
    def multiplicity(self) -> Array:
        return np.bincount(self.index[self.index >= 0], minlength=self.n_params
                           ).reshape(self.w_shape)


def _sweep(family: Family, x_shape: Sequence[int], w_shape: Sequence[int],
           keywords: dict[str, Any]) -> Sweep:
    verb = f"Pattern.{family}"
    x, w = as_shape(verb, "x_shape", x_shape), as_shape(verb, "w_shape", w_shape)
    return Sweep(geometry(verb, family, (1, *x), w, **keywords))


class Pattern:
    """Makers of sharing maps; all have the methods of `Map`: expand, reduce, project, contains,
    index_map, multiplicity, nnz, n_params, n_used.

    Examples
    --------
    >>> import numpy as np
    >>> shared = Pattern.conv((1, 4), (1, 1, 2))
    >>> shared.expand(np.array([[[1.0, 2.0]]]))[0, :, 0]
    array([[1., 2., 0., 0.],
           [0., 1., 2., 0.],
           [0., 0., 1., 2.]])
    >>> shared.reduce(np.arange(12.0).reshape(1, 3, 1, 4))
    array([[[15., 18.]]])
    >>> shared.multiplicity
    array([[[3, 3]]])
    """

    @staticmethod
    def conv(x_shape: Sequence[int], w_shape: Sequence[int], **geometry: Any) -> Map:
        """x_shape (C, *spatial), w_shape (O, C/groups, *kernel); stride, padding, dilation, groups
        and padding_mode as in `conv`."""
        return _sweep("conv", x_shape, w_shape, geometry)

    @staticmethod
    def tiled(x_shape: Sequence[int], w_shape: Sequence[int], **geometry: Any) -> Map:
        """w_shape (*period, O, C/groups, *kernel), the rest as in `conv`."""
        return _sweep("tiled", x_shape, w_shape, geometry)

    @staticmethod
    def local(x_shape: Sequence[int], w_shape: Sequence[int], **geometry: Any) -> Map:
        """w_shape (*out, O, C/groups, *kernel), the rest as in `conv`."""
        return _sweep("local", x_shape, w_shape, geometry)

    @staticmethod
    def low_rank(x_shape: Sequence[int], w_shape: Sequence[int], mix: npt.ArrayLike,
                 **geometry: Any) -> Map:
        """Local filters that are sums of a few: w_shape (R, O, C/groups, *kernel), and position p
        takes sum over r of mix[p, r] * w[r], mix (*out, R).  Linear in w for a given mix."""
        from .low_rank import Mixed
        return Mixed.of(x_shape, w_shape, mix, geometry)

    @staticmethod
    def dense(x_shape: Sequence[int], w_shape: Sequence[int]) -> Map:
        """w_shape (O, C, *spatial), or (O, *out, C, *spatial) to compare it with a sweep."""
        x, w = (as_shape("Pattern.dense", name, s)
                for name, s in (("x_shape", x_shape), ("w_shape", w_shape)))
        if len(w) <= len(x) or w[-len(x):] != x:
            raise ValueError(f"Pattern.dense: w_shape must end with x_shape = {x}, got {w}")
        return Dense(w)

    @staticmethod
    def from_index_map(index: npt.ArrayLike, w_shape: Sequence[int] | None = None) -> Map:
        """Any sharing.  `index` has the shape of the dense weights and says which stored weight
        stands at each place, -1 for none; w_shape is (greatest index + 1,) if not given.

        Examples
        --------
        >>> Pattern.from_index_map([[0, 1], [1, 0]]).expand([5.0, 7.0])
        array([[5., 7.],
               [7., 5.]])
        """
        array = np.asarray(index)
        if not np.issubdtype(array.dtype, np.integer):
            raise TypeError(f"from_index_map: index must hold integers, got {array.dtype}")
        shape = ((int(array.max(initial=-1)) + 1,) if w_shape is None
                 else as_shape("from_index_map", "w_shape", w_shape))
        if array.min(initial=0) < -1 or array.max(initial=-1) >= math.prod(shape):
            raise ValueError(f"from_index_map: index must lie between -1 and {math.prod(shape) - 1}"
                             f" for w_shape {shape}, got {array.min()} to {array.max()}")
        return Drawn(array.astype(np.intp), shape)

    @staticmethod
    def from_orbits(dense_shape: Sequence[int],
                    moves: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]]) -> Map:
        """One stored weight for each orbit of a group that moves outputs and inputs.

        Parameters
        ----------
        dense_shape : (outputs, inputs)
        moves : pairs of permutations (of the outputs, of the inputs) that generate the group;
            weight (o, i) is shared with weight (outputs[o], inputs[i]).

        Examples
        --------
        All cyclic shifts of 4 elements leave 4 weights, those of a circular convolution:

        >>> shift = [1, 2, 3, 0]
        >>> Pattern.from_orbits((4, 4), [(shift, shift)]).index_map()
        array([[0, 1, 2, 3],
               [3, 0, 1, 2],
               [2, 3, 0, 1],
               [1, 2, 3, 0]])
        """
        shape = as_shape("from_orbits", "dense_shape", dense_shape)
        if len(shape) != 2:
            raise ValueError(f"from_orbits: dense_shape must be (outputs, inputs), got {shape}")
        pairs = [tuple(_permutation(m, n) for m, n in zip(move, shape, strict=True))
                 for move in moves]
        label = np.arange(math.prod(shape)).reshape(shape)
        before = None
        while before is None or (label != before).any():  # the least label goes round each orbit
            before = label.copy()
            for outputs, inputs in pairs:
                moved = np.ix_(outputs, inputs)
                label[moved] = np.minimum(label, label[moved])
                label = np.minimum(label, label[moved])
        return Pattern.from_index_map(np.unique(label, return_inverse=True)[1].reshape(shape))


def _permutation(move: npt.ArrayLike, n: int) -> Array:
    array = np.asarray(move)
    if array.shape != (n,) or not np.array_equal(np.sort(array), np.arange(n)):
        raise ValueError(f"from_orbits: a move must be a permutation of 0 to {n - 1}, "
                         f"got {move!r}")
    return array
