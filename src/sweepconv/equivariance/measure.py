"""`measure`: how far a function is from commuting with shifts, flips or quarter turns, on data.

    error = ||g f(x) - f(g x)|| / ||g f(x)||      for each sample x and each g but the identity

0 is equivariance, or invariance where the result has no spatial axes; unrelated maps of equal
norm have about sqrt(2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Any, Literal, TypeAlias, cast, overload

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import Array
from sweepconv.geometry import Ints, per_axis
from sweepconv.layers import Layer, Sequential
from sweepconv.sharing.table import Shown, Table

from .act import Border, Element, Shift, Stride, elements
from .certify import Pairs, certify

Function: TypeAlias = "Callable[[Array], Array]"
Margin: TypeAlias = "Ints | Sequence[tuple[int, int]] | Callable[[tuple[int, ...]], Pairs]"


@dataclass(frozen=True, repr=False)
class Measured(Shown):
    """How far one function is from commuting with a group, over samples and group elements.

    Attributes
    ----------
    name : of the function, or place and class of a layer.
    group : "shifts", "flips" or "turns".
    mean_error, largest_error : of ||g f(x) - f(g x)|| / ||g f(x)||; 0/0 counts as 0.
    largest_difference : absolute, of one value.
    bit_equal : share of values of f(g x) with the bits that g f(x) has.
    consistency : for results (N, K) P(argmax f(g x) = argmax f(h x)) for g and h drawn
        independently from the group, the identity among them; None for maps.
    worst : (element of the group, sample) of the largest error, None if all are 0.
    elements, samples : how many.
    result : shape of f(x).
    """

    name: str
    group: str
    mean_error: float
    largest_error: float
    largest_difference: float
    bit_equal: float
    consistency: float | None
    worst: tuple[Element, int] | None
    elements: int
    samples: int
    result: tuple[int, ...]

    @property
    def exact(self) -> bool:
        """Whether all bits are equal."""
        return self.bit_equal == 1

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries."""
        worst = None if self.worst is None else [str(self.worst[0]), self.worst[1]]
        return vars(self) | {"worst": worst, "result": list(self.result)}

    def _table(self) -> Table:
        return _table((self,))


@dataclass(frozen=True, repr=False)
class MeasuredLayers(Shown, Sequence[Measured]):
    """One `Measured` for each layer of a net."""

    rows: tuple[Measured, ...]

    @overload
    def __getitem__(self, index: int) -> Measured: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Measured, ...]: ...
    def __getitem__(self, index: int | slice) -> Measured | tuple[Measured, ...]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def first_break(self, above: float = 0.0) -> Measured | None:
        """The first layer whose largest error is above `above`."""
        return next((r for r in self.rows if r.largest_error > above), None)

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries."""
        return {"layers": [r.to_dict() for r in self.rows]}

    def _table(self) -> Table:
        return _table(self.rows)


def _table(rows: Sequence[Measured]) -> Table:
    first = rows[0]
    cells = [(r.name, str(r.result[1:]), _short(r.mean_error), _short(r.largest_error),
              f"{r.bit_equal:.1%}", "-" if r.consistency is None else f"{r.consistency:.1%}",
              "-" if r.worst is None else f"{r.worst[0]}, sample {r.worst[1]}") for r in rows]
    return Table(f"{first.elements} {first.group}, {first.samples} samples",
                 ("layer", "result", "mean error", "largest", "bit-equal", "consistency", "worst"),
                 cells, left=2)


def _short(error: float) -> str:
    return "0" if error == 0 else f"{error:.2g}"


class _Tally:
    """What is added up over the elements of a group."""

    def __init__(self, name: str, group: str, y: Array, stride: Stride) -> None:
        self.name, self.group, self.y, self.stride = name, group, y, stride
        self.errors: list[Array] = []  # (N,) for each element
        self.elements: list[Element] = []
        self.equal = self.values = 0
        self.difference = 0.0
        self.votes = [y.argmax(axis=1)] if y.ndim == 2 and y.shape[1] else []

    def add(self, g: Element, moved: Array, region: _Region) -> None:
        """`moved` is f(g x)."""
        if moved.shape != self.y.shape:
            raise ValueError(f"measure: f must give one shape, got {self.y.shape} for x and "
                             f"{moved.shape} for {g} of x")
        if self.votes:
            self.votes.append(moved.argmax(axis=1))
        box = region(g, self.y.shape)
        expected, found = g.of_result(self.y, self.stride)[box], moved[box]
        self.equal += _bit_equal(expected, found)
        self.values += expected.size
        self.elements.append(g)
        shape = (len(expected), -1) if expected.size else (len(expected), 0)
        a, b = (v.reshape(shape).astype(np.float64) for v in (expected, found))
        with np.errstate(invalid="ignore"):  # of Inf - Inf
            apart = np.where(a == b, 0.0, a - b)
        self.difference = max(self.difference, float(np.abs(apart).max(initial=0.0)))
        over, under = np.linalg.norm(apart, axis=1), np.linalg.norm(a, axis=1)
        self.errors.append(np.array([0.0 if o == 0 else o / u if u else inf
                                     for o, u in zip(over, under, strict=True)]))

    def result(self) -> Measured:
        errors = np.array(self.errors).reshape(len(self.errors), len(self.y))  # (elements, N)
        worst = None
        if errors.size and errors.max() > 0:
            at, sample = np.unravel_index(int(errors.argmax()), errors.shape)
            worst = self.elements[at], int(sample)
        return Measured(
            self.name, self.group, float(errors.mean()) if errors.size else 0.0,
            float(errors.max(initial=0.0)), self.difference,
            self.equal / self.values if self.values else 1.0, self._consistency(), worst,
            len(self.errors), len(self.y), self.y.shape)

    def _consistency(self) -> float | None:
        """Of each sample: sum over classes of (share of the group's elements that vote for it)^2.
        """
        if not self.votes or not len(self.y):
            return None
        votes = np.array(self.votes)  # (elements + 1, N)
        shares = (np.unique(column, return_counts=True)[1] / len(votes) for column in votes.T)
        return float(np.mean([np.square(share).sum() for share in shares]))


def _bit_equal(a: Array, b: Array) -> int:
    """How many values have the same bits."""
    if a.dtype != b.dtype:
        raise TypeError(f"measure: f must give one dtype, got {a.dtype} and {b.dtype}")
    if not a.size:
        return 0
    each = (np.ascontiguousarray(v).reshape(-1).view(np.uint8) for v in (a, b))
    first, second = each
    return int((first == second).reshape(a.size, -1).all(axis=1).sum())


class _Region:
    """Which values of a result are compared."""

    def __init__(self, region: str, margin: Margin) -> None:
        if region not in ("full", "interior"):
            raise ValueError(f"measure: region must be 'full' or 'interior', got {region!r}")
        self.interior, self.margin = region == "interior", margin

    def __call__(self, g: Element, shape: tuple[int, ...]) -> tuple[slice, ...]:
        rank = len(shape) - 2
        if not self.interior or rank == 0:
            return (slice(None),) * len(shape)
        pairs = self._pairs(g, rank)
        if any(low < 0 or high < 0 for low, high in pairs):
            raise ValueError(f"measure: margin must not be negative, got {pairs}")
        cut = (slice(low, max(n - high, low))
               for (low, high), n in zip(pairs, shape[2:], strict=True))
        return (slice(None), slice(None), *cut)

    def _pairs(self, g: Element, rank: int) -> Sequence[tuple[int, int]]:
        margin = self.margin
        if callable(margin):
            if not isinstance(g, Shift):
                raise TypeError("measure: margin can be a function for group='shifts' alone")
            return margin(g.amounts)
        if isinstance(margin, Sequence) and margin and isinstance(margin[0], Sequence):
            pairs = [cast("tuple[int, int]", tuple(pair)) for pair in cast("Pairs", margin)]
            if len(pairs) != rank or any(len(pair) != 2 for pair in pairs):
                raise ValueError(f"measure: margin must be an int, {rank} ints or {rank} (low, "
                                 f"high) pairs, got {margin!r}")
            return pairs
        return [(m, m) for m in per_axis("measure", "margin", margin, rank, 0)]


def _stride(f: Function | Layer, x: Array, y: Array, stride: Any) -> Stride:
    """Input elements from one output to the next; as given, of a layer, or by the sizes."""
    rank = x.ndim - 2
    if y.ndim == 2:
        return ()
    if y.ndim != x.ndim:
        raise ValueError(f"measure: f must give (N, O, *spatial) with the axes of x, or (N, K), "
                         f"got {y.shape} for x.shape = {x.shape}")
    if stride is not None:
        given = stride if isinstance(stride, Sequence) else (stride,) * rank
        if len(given) != rank or any(s <= 0 for s in given):
            raise ValueError(f"measure: stride must be one positive number or {rank}, one per "
                             f"spatial axis, got {stride!r}")
        return tuple(map(Fraction, given))
    if isinstance(f, Layer):
        return certify(f, x.shape[1:]).stride
    return tuple(_inferred(n, out) for n, out in zip(x.shape[2:], y.shape[2:], strict=True))


def _inferred(n: int, out: int) -> Fraction:
    """The ratio of the sizes if one is a multiple of the other; 1 if no other stride has room."""
    if out and n and (n % out == 0 or out % n == 0):
        return Fraction(n, out)
    if 1 < out < n and (n - 1) // (out - 1) == 1:
        return Fraction(1)
    raise ValueError(f"measure: stride does not follow from the sizes, {n} elements in and {out} "
                     "out: give it")


@overload
def measure(f: Function | Layer, x: npt.ArrayLike, group: str = ..., *,
            shifts: Iterable[Ints] | None = ..., step: Ints = ..., border: Border = ...,
            stride: Any = ..., region: str = ..., margin: Margin = ...,
            per_layer: Literal[False] = ...) -> Measured: ...
@overload
def measure(f: Function | Layer, x: npt.ArrayLike, group: str = ..., *,
            shifts: Iterable[Ints] | None = ..., step: Ints = ..., border: Border = ...,
            stride: Any = ..., region: str = ..., margin: Margin = ...,
            per_layer: Literal[True]) -> MeasuredLayers: ...
def measure(f: Function | Layer, x: npt.ArrayLike, group: str = "shifts", *,
            shifts: Iterable[Ints] | None = None, step: Ints = 1, border: Border = "circular",
            stride: Any = None, region: str = "full", margin: Margin = 0,
            per_layer: bool = False) -> Measured | MeasuredLayers:
    """How far f is from commuting with shifts, flips or quarter turns.

    Parameters
    ----------
    f : function of arrays (N, C, *spatial) that gives (N, O, *out), or (N, K) and should then be
        invariant; or a layer.
    x : (N, C, *spatial), 1, 2 or 3 spatial axes.
    group : "shifts"; "flips" of every set of spatial axes; "turns" by quarters in the plane of the
        last two, which must be of one size.
    shifts : which, an int or one per axis each; default all, in steps of `step`.
    step : int or one per axis, so that only a lattice is tried.
    border : "circular" for np.roll, "zeros" if zeros come in where the image leaves.
    stride : the result moves by shift / stride, rounded down; one number or one per axis, a
        Fraction where the result is larger than x.  Default: that of the layer, else the ratio
        of the sizes where one divides the other, or 1 where nothing else fits.
    region : "full", or "interior": without the `margin`.
    margin : outputs left out at the ends of each axis: an int, one per axis, (low, high) pairs, or
        a function of the shift, such as `certificate.margin`.
    per_layer : one result after each layer of a `Sequential`; see `measure_layers`.

    Returns
    -------
    Measured, or MeasuredLayers
        `str(...)` is a table.

    Examples
    --------
    >>> from sweepconv.layers import Conv
    >>> x = np.random.default_rng(0).standard_normal((2, 1, 8, 8))
    >>> ring = Conv(1, 3, 3, padding=1, padding_mode="circular", dtype=np.float64, rng=0)
    >>> measure(ring, x).exact
    True
    >>> zeros = Conv(1, 3, 3, padding=1, dtype=np.float64, rng=0)
    >>> found = measure(zeros, x, shifts=[(0, 1), (1, 0)])
    >>> found.exact, measure(zeros, x, shifts=[(0, 1), (1, 0)], region="interior",
    ...                      margin=2).exact
    (False, True)
    """
    given: dict[str, Any] = {"shifts": shifts, "step": step, "border": border, "stride": stride,
                             "region": region, "margin": margin}
    if per_layer:
        if not isinstance(f, Sequential):
            raise TypeError("measure: per_layer=True needs a Sequential, "
                            f"got {type(f).__name__}")
        return measure_layers(f, x, group, **given)
    name = type(f).__name__ if isinstance(f, Layer) else getattr(f, "__name__", "f")
    return _measure(name, f, _images(x), group, **given)


def _images(x: npt.ArrayLike) -> Array:
    images = np.asarray(x)
    if images.ndim < 3:
        raise ValueError(f"measure: x must be (N, C, *spatial), got x.shape = {images.shape}")
    return images


def _checked(border: str) -> None:
    if border not in ("circular", "zeros"):
        raise ValueError(f"measure: border must be 'circular' or 'zeros', got {border!r}")


def _measure(name: str, f: Function | Layer, x: Array, group: str, *,
             shifts: Iterable[Ints] | None, step: Ints, border: Border, stride: Any,
             region: str, margin: Margin) -> Measured:
    _checked(border)
    part, y = _Region(region, margin), np.asarray(f(x))
    tally = _Tally(name, group, y, _stride(f, x, y, stride))
    for g in elements(group, x.shape[2:], shifts=shifts, step=step, border=border):
        tally.add(g, np.asarray(f(g(x))), part)
    return tally.result()


def measure_layers(net: Sequential, x: npt.ArrayLike, group: str = "shifts", *,
                   alone: bool = False, shifts: Iterable[Ints] | None = None, step: Ints = 1,
                   border: Border = "circular", stride: Any = None, region: str = "full",
                   margin: Margin = 0) -> MeasuredLayers:
    """`measure` after each layer of a net, so that the layer that breaks a law is named.

    Parameters
    ----------
    net : Sequential
    alone : False: the whole net up to and with each layer, so that errors of layers above go on.
        True: each layer by itself, moved copies of the map that reaches it; layers that get no
        map are left out.
    stride : not to be given here: each layer has its own.
    x, group, shifts, step, border, region, margin : as in `measure`.

    Returns
    -------
    MeasuredLayers
        A sequence of `Measured`; `first_break()` is the first with an error.

    Examples
    --------
    >>> from sweepconv.layers import Conv, ReLU
    >>> ring = {"padding": 1, "padding_mode": "circular", "dtype": np.float64, "rng": 0}
    >>> net = Sequential(Conv(1, 3, 3, **ring), ReLU(), Conv(3, 2, 3, dtype=np.float64, rng=0))
    >>> x = np.random.default_rng(0).standard_normal((2, 1, 8, 8))
    >>> found = measure_layers(net, x)
    >>> [row.largest_error > 0 for row in found], found.first_break().name
    ([False, False, True], '2 Conv')
    """
    if stride is not None:
        raise ValueError("measure_layers: stride must be None, since each layer has its own, "
                         f"got {stride!r}")
    _checked(border)
    images, part = _images(x), _Region(region, margin)
    chosen = None if shifts is None else list(shifts)
    names = [f"{i} {type(layer).__name__}" for i, layer in enumerate(net.layers)]
    maps = list(_maps(net, images))
    if alone:
        before = [images, *maps[:-1]]
        return MeasuredLayers(tuple(
            _measure(name, layer, at, group, shifts=chosen, step=step, border=border, stride=None,
                     region=region, margin=margin)
            for name, layer, at in zip(names, net.layers, before, strict=True) if at.ndim > 2))
    tallies = [_Tally(name, group, y, _stride(Sequential(*net.layers[:i + 1]), images, y, None))
               for i, (name, y) in enumerate(zip(names, maps, strict=True))]
    for g in elements(group, images.shape[2:], shifts=chosen, step=step, border=border):
        for tally, moved in zip(tallies, _maps(net, g(images)), strict=True):
            tally.add(g, moved, part)
    return MeasuredLayers(tuple(tally.result() for tally in tallies))


def _maps(net: Sequential, x: Array) -> Iterator[Array]:
    """What each layer makes of x, in order."""
    for layer in net.layers:
        x = layer(x)
        yield x
