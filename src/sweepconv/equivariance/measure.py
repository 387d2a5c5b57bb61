"""`measure`: how far a function is from commuting with shifts, flips or quarter turns, on data.

    error = ||g f(x) - f(g x)|| / ||g f(x)||      for each sample x and each g but the identity

0 is equivariance, or invariance where the result has no spatial axes; unrelated maps of equal
norm have about sqrt(2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import Array
from sweepconv.geometry import Ints
from sweepconv.layers import Layer, Sequential

from .act import Border, Stride, elements
from .certify import certify
from .results import Measured, MeasuredLayers
from .tally import Margin, Region, Tally

Function: TypeAlias = "Callable[[Array], Array]"


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
    if isinstance(f, Layer) and (known := certify(f, x.shape[1:])).known:
        return known.stride
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
    part, y = Region(region, margin), np.asarray(f(x))
    tally = Tally(name, group, y, _stride(f, x, y, stride))
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
    images, part = _images(x), Region(region, margin)
    chosen = None if shifts is None else list(shifts)
    names = [f"{i} {type(layer).__name__}" for i, layer in enumerate(net.layers)]
    maps = list(_maps(net, images))
    if alone:
        before = [images, *maps[:-1]]
        return MeasuredLayers(tuple(
            _measure(name, layer, at, group, shifts=chosen, step=step, border=border, stride=None,
                     region=region, margin=margin)
            for name, layer, at in zip(names, net.layers, before, strict=True) if at.ndim > 2))
    tallies = [Tally(name, group, y, _stride(Sequential(*net.layers[:i + 1]), images, y, None))
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
