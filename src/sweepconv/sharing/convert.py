"""From one family to another: up the ladder exactly, down it to the nearest layer.

    conv  ->  tiled  ->  local  ->  dense        more parameters, less sharing

Sweeps of the same geometry differ in their bank alone: a bank of period s is one of period t if t
is a multiple of s, and a local bank has a filter for each position.  Down means the least-squares
projection of the dense weights, which is a mean of the filters that become one, tap by tap, where
each tap is weighted by how often it reads the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from sweepconv.geometry import Geometry, Ints, as_shape, geometry, per_axis
from sweepconv.layers import Conv, Dense, Layer, LocalConv, LowRankLocal, TiledConv

from .axis import at_each_position, sum_by_filter
from .base import Array, Shape
from .low_rank import mixed
from .pattern import Sweep, along_taps

SWEEPS = {"conv": Conv, "tiled": TiledConv, "local": LocalConv}
FAMILIES = (*SWEEPS, "low_rank", "dense")
EXACT = 16  # eps: relative residual up to which a conversion counts as exact


class Bank(NamedTuple):
    """A sweep's weights, (*period, O, C/groups, *kernel), and biases (*period, O), if any."""

    g: Geometry
    w: Array
    b: Array | None

    @property
    def period(self) -> Shape:
        return self.w.shape[:self.g.rank]

    def local(self) -> Bank:
        """The same layer with a filter for each position."""
        g = replace(self.g, family="local", bank=self.g.out_size)
        return Bank(g, at_each_position(self.w, g.out_size),
                    None if self.b is None else at_each_position(self.b, g.out_size))


def convert(layer: Layer, to: str, *, x_shape: Sequence[int] | None = None,
            period: Ints | None = None, rank: int | None = None, strict: bool = False,
            **sweep: Any) -> Layer:
    """The layer of family `to` that computes the same, or comes nearest to it.

    Up the ladder conv - tiled - local - dense it computes the same; down, its dense weights are the
    least-squares projection onto the family, and the attribute `residual` of the result says how
    far away they are.

    Parameters
    ----------
    layer : Conv, TiledConv, LocalConv, LowRankLocal or Dense.
    to : "conv", "tiled", "local", "low_rank" or "dense".
    x_shape : (C, *spatial) of the input; not needed after a call of the layer, nor for families
        that know it.
    period : of "tiled", an int or one per spatial axis.
    rank : of "low_rank"; all that the filters have if not given.
    strict : raise where the result would not compute the same.
    **sweep : for a layer that was Dense: kernel_size, and stride, padding, dilation, groups and
        padding_mode of the result.  Its outputs are in the order (O, *out).

    Returns
    -------
    layer : with weights and biases of its own, and `residual`: ||W - W'|| / ||W|| over dense
        weights and biases.

    Raises
    ------
    ValueError
        Where `strict` and the residual is more than rounding, or shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from sweepconv.layers import Conv
    >>> conv = Conv(1, 2, 3, padding=1, rng=0)
    >>> dense = convert(conv, "dense", x_shape=(1, 4, 4))
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> bool(np.allclose(dense(x), conv(x).reshape(1, -1)))
    True
    >>> back = convert(dense, "conv", kernel_size=(3, 3), padding=1, strict=True)
    >>> bool(np.array_equal(back.params["w"], conv.params["w"]))
    True
    """
    if to not in FAMILIES:
        raise ValueError(f"convert: to must be one of {', '.join(map(repr, FAMILIES))}, "
                         f"got {to!r}")
    if sweep and not isinstance(layer, Dense):
        raise TypeError(f"convert: {', '.join(sweep)} are for layers that were Dense; "
                        f"{type(layer).__name__} brings its own")
    made, residual = _convert(layer, to, _input(layer, x_shape), period, rank, sweep)
    dtype = next(iter(layer.params.values())).dtype
    if strict and residual > EXACT * np.finfo(dtype).eps:
        raise ValueError(f"convert: {layer!r} is no {to} layer: the nearest one has a relative "
                         f"residual of {residual:.3g}")
    made.residual = residual
    return made


def _input(layer: Layer, x_shape: Sequence[int] | None) -> Shape:
    if x_shape is not None:
        return as_shape("convert", "x_shape", x_shape)
    if isinstance(layer, Dense):
        return layer.params["w"].shape[1:]
    if isinstance(layer, (LocalConv, LowRankLocal)):
        w, groups = layer.params["w"], layer.geometry["groups"]
        spatial = len(layer.bank) if isinstance(layer, LocalConv) else w.ndim - 3
        return (w.shape[-spatial - 1] * groups,
                *per_axis("convert", "input_size", layer.sizes, spatial, 1))
    if layer._x is None:
        raise ValueError("convert: x_shape, the (C, *spatial) of the input, is needed for a "
                         f"{type(layer).__name__} that was not called yet")
    return layer._x.shape[1:]


def _convert(layer: Layer, to: str, x_shape: Shape, period: Ints | None, rank: int | None,
             sweep: dict[str, Any]) -> tuple[Layer, float]:
    if isinstance(layer, Dense):
        if to == "dense":
            return _dense(layer.params["w"].copy(), layer.params.get("b")), 0.0
        return _from_dense(layer, to, x_shape, period, rank, dict(sweep))
    bank = _bank_of(layer, x_shape)
    if to == "dense":
        return _to_dense(bank), 0.0
    return _between(bank, to, period, rank)


def _bank_of(layer: Layer, x_shape: Shape) -> Bank:
    if isinstance(layer, LowRankLocal):
        w, b = mixed(layer.params["mix"], layer.params["w"]), layer.params.get("b")
        g = geometry("convert", "local", (1, *x_shape), w.shape, **layer.geometry)
        return Bank(g, w, None if b is None else np.broadcast_to(b, g.b_shape))
    if not isinstance(layer, (Conv, TiledConv, LocalConv)):
        raise TypeError(f"convert: layer must be Conv, TiledConv, LocalConv, LowRankLocal or "
                        f"Dense, got {type(layer).__name__}")
    w, b = layer.params["w"], layer.params.get("b")
    g = geometry("convert", layer.family, (1, *x_shape), w.shape,  # type: ignore[arg-type]
                 **layer.geometry)
    one = g.period + w.shape[len(g.bank):]
    return Bank(g, w.reshape(one), None if b is None else b.reshape(*g.period, g.out_channels))


def _target_period(g: Geometry, to: str, period: Ints | None) -> Shape:
    if to == "tiled":
        if period is None:
            raise ValueError("convert: to='tiled' needs period")
        return per_axis("convert", "period", period, g.rank, 1)
    if period is not None:
        raise ValueError(f"convert: period is for to='tiled', got to={to!r}")
    return g.out_size if to == "local" else (1,) * g.rank


def _between(bank: Bank, to: str, period: Ints | None, rank: int | None) -> tuple[Layer, float]:
    """From one bank to another of the same geometry."""
    if to == "low_rank":
        return _low_rank(bank, rank)
    g = bank.g
    t = _target_period(g, to, period)
    if to == "local" or all(n % s == 0 for n, s in zip(t, bank.period, strict=True)):
        b = None if bank.b is None else at_each_position(bank.b, t)
        return _layer(g, to, t, at_each_position(bank.w, t), b), 0.0
    local = bank.local()
    near = Bank(g, *nearest(local, t))
    return _layer(g, to, t, near.w, near.b), distance(local, near.local())


def nearest(local: Bank, t: Shape) -> tuple[Array, Array | None]:
    """The bank of period t whose dense weights are nearest, and its biases."""
    g = replace(local.g, family="tiled", bank=t)
    shared = sum_by_filter(weighted(local), t)
    w = Sweep(g)._solve(shared).astype(local.w.dtype)
    if local.b is None:
        return w, None
    places = sum_by_filter(np.ones((*g.out_size, 1)), t)
    b = sum_by_filter(local.b.astype(np.float64), t) / np.maximum(places, 1)
    return w, b.astype(local.b.dtype)


def weighted(local: Bank) -> Array:
    """P transposed P w of a local bank, in float64: each tap as often as it reads the image."""
    return along_taps(local.w.astype(np.float64), [axis.gram for axis in Sweep(local.g).axes])


def distance(a: Bank, b: Bank) -> float:
    """||A - B|| / ||A|| over the dense weights and biases of two local banks."""
    biases = None if a.b is None or b.b is None else a.b.astype(np.float64) - b.b
    apart, whole = _square(Bank(a.g, a.w.astype(np.float64) - b.w, biases)), _square(a)
    return math.sqrt(max(apart, 0) / whole) if whole else 0.0


def _square(local: Bank) -> float:
    biases = 0.0 if local.b is None else float(np.square(local.b, dtype=np.float64).sum())
    return float((weighted(local) * local.w).sum()) + biases


def _layer(g: Geometry, to: str, t: Shape, w: Array, b: Array | None) -> Layer:
    """A new layer of a family with the given parameters, w (*t, O, C/groups, *kernel)."""
    own: dict[str, Any] = {"tiled": {"period": t}, "local": {"input_size": g.in_size}}.get(to, {})
    made: Layer = SWEEPS[to](g.in_channels, g.out_channels, g.kernel, **own, **_keywords(g),
                             bias=b is not None, dtype=w.dtype)
    _fill(made, w=w, b=b)
    return made


def _keywords(g: Geometry) -> dict[str, Any]:
    return {"stride": g.stride, "padding": g.pads, "dilation": g.dilation, "groups": g.groups,
            "padding_mode": g.mode}


def _fill(layer: Layer, **params: Array | None) -> None:
    for name, value in params.items():
        if value is not None:
            layer.params[name][...] = value.reshape(layer.params[name].shape)


def _low_rank(bank: Bank, rank: int | None) -> tuple[Layer, float]:
    """By the singular value decomposition of the filters of all positions, (L, O * C/groups * K):
    nearest as filters, so that a tap counts alike wherever it is."""
    local = bank.local()
    g, places = local.g, math.prod(local.g.out_size)
    u, s, v = np.linalg.svd(local.w.reshape(places, -1).astype(np.float64), full_matrices=False)
    if rank is None:
        rank = max(int((s > s.max(initial=0) * len(s) * np.finfo(local.w.dtype).eps).sum()), 1)
    made = LowRankLocal(g.in_channels, g.out_channels, g.kernel, rank=rank, input_size=g.in_size,
                        **_keywords(g), bias=local.b is not None, dtype=local.w.dtype)
    mix, w = np.zeros((places, rank)), np.zeros((rank, v.shape[1]))
    kept = min(rank, len(s))
    root = np.sqrt(s[:kept])
    mix[:, :kept], w[:kept] = u[:, :kept] * root, root[:, None] * v[:kept]
    b = None if local.b is None else local.b.reshape(places, -1).mean(0)
    _fill(made, w=w, mix=mix, b=b)
    return made, distance(local, _bank_of(made, (g.in_channels, *g.in_size)))


def _to_dense(bank: Bank) -> Layer:
    g = bank.g
    w = Sweep(g)._expand(bank.w.reshape(g.w_shape))
    b = None
    if bank.b is not None:
        b = np.moveaxis(at_each_position(bank.b, g.out_size), -1, 0).reshape(-1)
    return _dense(w.reshape(-1, g.in_channels, *g.in_size), b)


def _dense(w: Array, b: Array | None) -> Layer:
    made = Dense(w.shape[1:], len(w), bias=b is not None, dtype=w.dtype)
    _fill(made, w=w, b=b)
    return made


def _from_dense(layer: Dense, to: str, x_shape: Shape, period: Ints | None, rank: int | None,
                sweep: dict[str, Any]) -> tuple[Layer, float]:
    """Through the local layer, which holds all sweeps of its geometry."""
    w, b = layer.params["w"], layer.params.get("b")
    g = _geometry_of_dense(len(w), x_shape, sweep)
    dense = w.reshape(g.out_channels, *g.out_size, *x_shape)
    bank, residual = Sweep(g).project(dense)
    if b is not None:
        b = np.moveaxis(b.reshape(g.out_channels, *g.out_size), 0, -1)
    local = Bank(g, bank, b)
    made, further = _between(local, to, period, rank) if to != "local" else (
        _layer(g, "local", g.out_size, bank, b), 0.0)
    # What no local layer holds is at right angles to what is lost between local layers.
    lost = residual**2 * float(np.square(dense, dtype=np.float64).sum())
    lost += further**2 * _square(local)
    whole = sum(float(np.square(a, dtype=np.float64).sum()) for a in (dense, b) if a is not None)
    return made, math.sqrt(lost / whole) if whole else 0.0


def _geometry_of_dense(outputs: int, x_shape: Shape, sweep: dict[str, Any]) -> Geometry:
    """Geometry of the local layer that a dense one is projected to."""
    if len(x_shape) < 2 or "kernel_size" not in sweep:
        raise ValueError("convert: from Dense it takes kernel_size, and an input (C, *spatial), "
                         f"got {', '.join(sweep) or 'no keywords'} and x_shape = {x_shape}")
    kernel = per_axis("convert", "kernel_size", sweep.pop("kernel_size"), len(x_shape) - 1, 1)
    groups = sweep.get("groups", 1)
    one = geometry("convert", "conv", (1, *x_shape), (groups, x_shape[0] // groups, *kernel),
                   **sweep)
    places = math.prod(one.out_size)
    if outputs % (places * groups):
        raise ValueError(f"convert: {outputs} outputs are no whole number of maps of "
                         f"{one.out_size} in {groups} groups, for x_shape = {x_shape}, "
                         f"kernel_size = {kernel}")
    return replace(one, family="local", out_channels=outputs // places, bank=one.out_size)
