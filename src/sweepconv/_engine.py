"""From a verb's arguments to the compiled sweep: one way for all families and directions.

    arguments -> Geometry (checked) -> phases -> Plan (cached) -> gather or reduce
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypedDict

import numpy as np

from . import _sweep, phases
from ._arrays import Array, operands, require_shape, result
from .geometry import Family, Geometry, Ints, Padding, as_shape, geometry, virtual_index
from .packing import PackedFilters
from .runtime import resolve_threads

ALGORITHMS = ("direct", "winograd", "fast")
GEOMETRY = ("stride", "padding", "dilation", "groups", "padding_mode")


class Sweep(TypedDict, total=False):
    """Keywords of every sweep; see `conv`."""

    stride: Ints
    padding: Padding
    dilation: Ints
    groups: int
    padding_mode: str
    algorithm: str
    out: Array | None
    n_threads: int | None


class Gradient(Sweep, total=False):
    """Keywords of every gradient."""

    accumulate: bool


# A plan holds for any number of images and channels; what is looked up first is a call's geometry.

@lru_cache(maxsize=512)
def _plan_of_axes(axes: tuple[phases.Axis, ...]) -> _sweep.Plan:
    return _sweep.Plan(phases.forward_sweep(axes))


@lru_cache(maxsize=4096)
def _forward_plan(g: Geometry) -> _sweep.Plan:
    return _plan_of_axes(phases.axes(g))


@lru_cache(maxsize=512)
def _input_grad_plan(axes: tuple[phases.Axis, ...], exact: bool) -> _sweep.Plan:
    return _sweep.Plan(phases.input_grad_sweep(axes, exact))


_input_grad_axes = lru_cache(maxsize=4096)(phases.input_grad_axes)


def split(verb: str, keywords: Any, *allowed: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keywords of the geometry, and the others with their defaults."""
    own = {"out": None, "n_threads": None, "algorithm": "direct", **dict.fromkeys(allowed, False)}
    shape = {}
    for name, value in keywords.items():
        if name in GEOMETRY:
            shape[name] = value
        elif name in own:
            own[name] = value
        else:
            raise TypeError(f"{verb}() got an unexpected keyword argument {name!r}")
    if own["algorithm"] not in ALGORITHMS:
        raise ValueError(f"{verb}: algorithm must be one of {', '.join(map(repr, ALGORITHMS))}, "
                         f"got {own['algorithm']!r}")
    if own["algorithm"] == "winograd" and not verb.startswith("conv"):
        raise ValueError(f"{verb}: algorithm='winograd' needs one filter for all positions, as "
                         "`conv` has")
    return shape, own


def filters_of(verb: str, w: Any, keywords: dict[str, Any]) -> tuple[Any, PackedFilters | None]:
    """The weights' array, and the handle if `w` is one packed for this verb and keywords."""
    if isinstance(w, PackedFilters):
        w.require(verb, keywords)
        return w.w, w
    return w, None


def forward(verb: str, family: Family, x: Any, w: Any, b: Any, keywords: Sweep) -> Array:
    """y of any family; see `conv`."""
    shape, own = split(verb, keywords)
    w, packed = filters_of(verb, w, shape)
    x, w, *bias = operands(verb, x=x, w=w, b=b)
    g = geometry(verb, family, x.shape, w.shape, **shape)
    if bias:
        require_shape(verb, "b", bias[0], g.b_shape, f"for w.shape = {w.shape}")
    y, (x, w, *bias) = result(verb, g.y_shape, x, own["out"], (x, w, *bias))
    plan = _forward_plan(g)
    threads = resolve_threads(verb, own["n_threads"])
    _sweep.gather(plan, x, w, bias[0] if bias else None, y, g.groups, False, False, threads,
                  packed.panels(plan, g.groups, False, threads) if packed else None)
    return y


def input_grad(verb: str, family: Family, dy: Any, w: Any, x_shape: Any,
               keywords: Gradient) -> Array:
    """dx of any family; see `conv_input_grad`."""
    shape, own = split(verb, keywords, "accumulate")
    w, packed = filters_of(verb, w, shape)
    dy, w = operands(verb, dy=dy, w=w)
    g = geometry(verb, family, as_shape(verb, "x_shape", x_shape), w.shape, **shape)
    require_shape(verb, "dy", dy, g.y_shape, f"for x_shape = {g.x_shape}, w.shape = {w.shape}")
    dx, (dy, w) = result(verb, g.x_shape, dy, own["out"], (dy, w), own["accumulate"])
    threads = resolve_threads(verb, own["n_threads"])
    return transposed_sweep(g, dy, w, None, dx, own["accumulate"], threads, packed)


def transposed_sweep(g: Geometry, dy: Array, w: Array, b: Array | None, dx: Array,
                     accumulate: bool, threads: int, packed: PackedFilters | None) -> Array:
    """dx (+)= b + the adjoint of the forward sweep, for dy; b is of `conv_transpose`."""
    axes, folds = _input_grad_axes(g)

    def sweep(bias: Array | None, target: Array, accumulate: bool) -> None:
        """With weights that are not all finite, 0 * Inf must not leave the receptive field."""
        for exact in (False, True):
            plan = _input_grad_plan(axes, exact)
            panels = packed.panels(plan, g.groups, True, threads) if packed else None
            if _sweep.gather(plan, dy, w, bias, target, g.groups, True, accumulate, threads,
                             panels, not exact):
                return

    if not any(map(any, folds)):
        sweep(b, dx, accumulate)
        return dx
    padded = np.empty_like(dx, shape=(*dx.shape[:2], *(a.size for a in axes)), subok=False)
    sweep(None, padded, False)
    image = fold_padding(padded, g, folds)
    with np.errstate(all="ignore"):
        if b is not None:
            image += b.reshape(-1, *(1,) * g.rank)
        if accumulate:
            image += dx
    dx[...] = image
    return dx


@np.errstate(all="ignore")  # Inf - Inf is a result, not news
def fold_padding(padded: Array, g: Geometry, folds: tuple[phases.Fold, ...]) -> Array:
    """The image inside `padded`, with each border element added to the one it is a copy of."""
    for axis, (n, fold) in enumerate(zip(g.in_size, folds, strict=True)):
        if not any(fold):
            continue
        along = np.moveaxis(padded, axis + 2, 0)
        image = along[fold.low:fold.low + n]
        border = [u for u in range(-fold.low, n + fold.high) if not 0 <= u < n]
        for u, i in zip(border, virtual_index(np.array(border), n, g.mode), strict=True):
            image[i] += along[u + fold.low]
        padded = np.moveaxis(image, 0, axis + 2)
    return padded


def weight_grad(verb: str, family: Family, x: Any, dy: Any, w_shape: Any,
                keywords: Gradient) -> Array:
    """dw of any family; see `conv_weight_grad`."""
    shape, own = split(verb, keywords, "accumulate")
    x, dy = operands(verb, x=x, dy=dy)
    g = geometry(verb, family, x.shape, as_shape(verb, "w_shape", w_shape), **shape)
    require_shape(verb, "dy", dy, g.y_shape, f"for x.shape = {x.shape}, w_shape = {g.w_shape}")
    # A new dw is in C order: that is how weights are kept, whatever the order of the data.
    dw, (x, dy) = result(verb, g.w_shape, np.empty(0, x.dtype), own["out"], (x, dy),
                         own["accumulate"])
    unused = any(p > n for p, n in zip(g.period, g.out_size, strict=True))
    if unused and not own["accumulate"]:
        dw[...] = 0  # filters of a period that is longer than the output serve no position
    _sweep.reduce(_forward_plan(g), x, dy, dw, g.groups, own["accumulate"],
                  resolve_threads(verb, own["n_threads"]))
    return dw
