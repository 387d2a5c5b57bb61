"""From a verb's arguments to the compiled sweep: one way for all families and directions.

    arguments -> Geometry (checked) -> phases -> Plan (cached) -> gather or reduce
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from . import _interleave as interleave
from . import _sweep, phases
from ._arrays import Array, operands, require_shape, result
from ._keywords import GEOMETRY, Gradient, Sweep, WeightGradient, defaults
from ._known import Operands, remember, repeat
from ._recall import recall
from .geometry import (
    Family,
    Geometry,
    as_shape,
    geometry,
    transposed_geometry,
    virtual_index,
)
from .packing import PackedFilters
from .runtime import resolve_threads

Handle: TypeAlias = PackedFilters | None
Axes: TypeAlias = "tuple[phases.Axis, ...]"


class Algorithm(NamedTuple):
    """The arithmetic of a sweep, once all arguments are checked and there is an array to write."""

    name: str
    # (verb, geometry): raises where the algorithm cannot apply
    check: Callable[[str, Geometry], None]
    # geometry -> m of Winograd's F(m, 3) for y and dx, or 0: the direct sweep
    winograd: Callable[[Geometry], int]
    # (geometry, x, dy, dw, accumulate, threads)
    weight_grad: Callable[[Geometry, Array, Array, Array, bool, int], None]


class Call(NamedTuple):
    """The keywords of a call, sorted."""

    geometry: dict[str, Any]
    algorithm: Algorithm
    out: Array | None
    accumulate: bool
    threads: int
    reduce: str

    @property
    def of_filters(self) -> dict[str, Any]:
        """The keywords that packed filters depend on."""
        return self.geometry | {"algorithm": self.algorithm.name}


class _Plans:
    """The plans last used, up to a number of bytes: those of long signals are large.

    A plan holds for any number of images and channels, and handles keep panels by plan: so plans
    are found by their axes alone.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most, self._bytes, self._lock = most_bytes, 0, Lock()
        self._found: dict[Any, tuple[_sweep.Plan, bool]] = {}  # the last used stand last

    def get(self, axes: Axes, *exact: bool) -> tuple[_sweep.Plan, bool]:
        """The plan, and whether it covers all of its target.

        Without `exact` the axes are those of y over x, with it those of dx over dy.
        """
        key = (axes, exact)
        with self._lock:
            if (found := self._found.pop(key, None)) is not None:
                self._found[key] = found
                return found
        cut = phases.input_grad_sweep(axes, *exact) if exact else phases.forward_sweep(axes)
        made = _sweep.Plan(cut), phases.cover(cut, tuple(a.size for a in axes)) if exact else True
        with self._lock:
            if (first := self._found.setdefault(key, made)) is made:
                self._bytes += made[0].nbytes
            while self._bytes > self._most and len(self._found) > 1:
                self._bytes -= self._found.pop(next(iter(self._found)))[0].nbytes
        return first


_plans = _Plans(16 << 20)
_forward_axes = lru_cache(maxsize=1024)(phases.axes)
_input_grad_axes = lru_cache(maxsize=1024)(phases.input_grad_axes)


def _gather(plan: _sweep.Plan, source: Array, w: Array, b: Array | None, target: Array, groups: int,
            transposed: bool, accumulate: bool, threads: int, handle: Handle, only_finite: bool,
            winograd: int) -> bool:
    panels = handle.panels(plan, groups, transposed, threads, source.strides[1] == source.itemsize,
                           winograd) if handle else None
    return _sweep.gather(plan, source, w, b, target, groups, transposed, accumulate, threads,
                         panels, only_finite, winograd)


def _winograd(g: Geometry, plan: _sweep.Plan, call: Call) -> int:
    """m of F(m, 3), or 0: the direct sweep."""
    return call.algorithm.winograd(g) if plan.winograd() else 0


def _forward(g: Geometry, x: Array, w: Array, b: Array | None, y: Array, call: Call,
             handle: Handle) -> None:
    """Winograd's transforms would spread NaN and Inf of the weights: such are left to the direct
    sweep."""
    plan, _ = _plans.get(_forward_axes(g))
    m = _winograd(g, plan, call)
    if not (m and _gather(plan, x, w, b, y, g.groups, False, False, call.threads, handle, True, m)):
        _gather(plan, x, w, b, y, g.groups, False, False, call.threads, handle, False, 0)


def _input_grad(g: Geometry, axes: Axes, dy: Array, w: Array, b: Array | None, dx: Array,
                accumulate: bool, call: Call, handle: Handle) -> None:
    """With weights that are not all finite, 0 * Inf must not leave the receptive field."""
    for exact in (False, True):
        plan, covers = _plans.get(axes, exact)
        if not covers and not accumulate:
            dx[...] = 0 if b is None else b.reshape(-1, *(1,) * g.rank)
        m = 0 if exact else _winograd(g, plan, call)
        only_finite = m > 0 or (plan.reads_zeros and not exact)
        if _gather(plan, dy, w, b, dx, g.groups, True, accumulate, call.threads, handle,
                   only_finite, m):
            return


def _unused(g: Geometry) -> bool:
    """Whether some filters, of a period that is longer than the output, serve no position."""
    return any(p > n for p, n in zip(g.period, g.out_size, strict=True))


def direct_weight_grad(g: Geometry, x: Array, dy: Array, dw: Array, accumulate: bool,
                        threads: int) -> None:
    if _unused(g) and not accumulate:
        dw[...] = 0
    plan, _ = _plans.get(_forward_axes(g))
    _sweep.reduce(plan, x, dy, dw, g.groups, accumulate, threads)


def _never(g: Geometry) -> int:
    return 0


DIRECT = Algorithm("direct", lambda *_: None, _never, direct_weight_grad)
# Nothing beats the direct sweep where filters are not shared; for `conv` see winograd.py.
ALGORITHMS = {"direct": DIRECT, "fast": DIRECT._replace(name="fast")}


def sort_keywords(verb: str, keywords: Any, algorithms: dict[str, Algorithm],
                  kind: type = Sweep) -> Call:
    """`kind`: the keywords that the verb takes."""
    own = dict(defaults(kind))
    for name, value in keywords.items():
        if name not in own:
            raise TypeError(f"{verb}() got an unexpected keyword argument {name!r}")
        own[name] = value
    shape = {name: own[name] for name in GEOMETRY}
    try:
        algorithm = algorithms[own["algorithm"]]
    except (KeyError, TypeError):
        raise ValueError(f"{verb}: algorithm must be one of {', '.join(map(repr, algorithms))}, "
                         f"got {own['algorithm']!r}") from None
    return Call(shape, algorithm, own["out"], bool(own.get("accumulate", False)),
                resolve_threads(verb, own["n_threads"]), own.get("reduce", "all"))


def filters_of(verb: str, w: Any, keywords: dict[str, Any]) -> tuple[Any, Handle]:
    """The weights' array, and the handle if `w` is one packed for this verb and keywords."""
    if isinstance(w, PackedFilters):
        w.require(verb, keywords)
        return w.w, w
    return w, None


def forward(verb: str, family: Family, x: Any, w: Any, b: Any, keywords: Sweep,
            algorithms: dict[str, Algorithm] = ALGORITHMS) -> Array:
    """y of any family; see `conv`."""
    y = recall(verb, x, w, b, None, keywords, repeat)
    if y is not None:
        return y
    given = Operands(verb, x, w, b, None, keywords)
    call = sort_keywords(verb, keywords, algorithms)
    w, handle = filters_of(verb, w, call.of_filters)
    x, w, *bias = operands(verb, x=x, w=w, b=b)
    g = geometry(verb, family, x.shape, w.shape, **call.geometry)
    call.algorithm.check(verb, g)
    if bias:
        require_shape(verb, "b", bias[0], g.b_shape, f"for w.shape = {w.shape}")
    y, (x, w, *bias) = result(verb, g.y_shape, x, call.out, (x, w, *bias))
    if y.size:
        _forward(g, x, w, bias[0] if bias else None, y, call, handle)
        plan, _ = _plans.get(_forward_axes(g))
        remember(given, g, g.y_shape, plan, "forward", _winograd(g, plan, call))
    return y


def input_grad(verb: str, family: Family, dy: Any, w: Any, x_shape: Any, keywords: Gradient,
               algorithms: dict[str, Algorithm] = ALGORITHMS) -> Array:
    """dx of any family; see `conv_input_grad`."""
    dx = recall(verb, dy, w, None, x_shape, keywords, repeat)
    if dx is not None:
        return dx
    given = Operands(verb, dy, w, None, x_shape, keywords)
    call = sort_keywords(verb, keywords, algorithms, Gradient)
    w, handle = filters_of(verb, w, call.of_filters)
    dy, w = operands(verb, dy=dy, w=w)
    g = geometry(verb, family, as_shape(verb, "x_shape", x_shape), w.shape, **call.geometry)
    call.algorithm.check(verb, g)
    require_shape(verb, "dy", dy, g.y_shape, f"for x_shape = {g.x_shape}, w.shape = {w.shape}")
    dx, (dy, w) = result(verb, g.x_shape, dy, call.out, (dy, w), call.accumulate)
    _transpose(given, g, dy, w, None, dx, call, handle)
    return dx


def transposed(verb: str, x: Any, w: Any, b: Any, output_padding: Any, keywords: Sweep,
               algorithms: dict[str, Algorithm]) -> Array:
    """y of the transposed convolution; see `conv_transpose`."""
    all_keywords = {**keywords, "output_padding": output_padding}
    y = recall(verb, x, w, b, None, all_keywords, repeat)
    if y is not None:
        return y
    given = Operands(verb, x, w, b, None, all_keywords)
    call = sort_keywords(verb, keywords, algorithms)
    w, handle = filters_of(verb, w, call.of_filters | {"output_padding": output_padding})
    x, w, *bias = operands(verb, x=x, w=w, b=b)
    g = transposed_geometry(x.shape, w.shape, output_padding=output_padding, **call.geometry)
    call.algorithm.check(verb, g)
    if bias:
        require_shape(verb, "b", bias[0], (g.in_channels,),
                      f"for w.shape = {w.shape}, groups={g.groups}")
    y, (x, w, *bias) = result(verb, g.x_shape, x, call.out, (x, w, *bias))
    _transpose(given, g, x, w, bias[0] if bias else None, y, call, handle)
    return y


def _own_filters(g: Geometry) -> bool:
    """Whether each filter serves one position."""
    return all(t >= n for t, n in zip(g.period, g.out_size, strict=True))


@np.errstate(all="ignore")  # Inf - Inf is a result, not news
def _transpose(given: Operands, g: Geometry, dy: Array, w: Array, b: Array | None, dx: Array,
               call: Call, handle: Handle) -> None:
    """dx (+)= b + the adjoint of the forward sweep, for dy; b is of `conv_transpose`."""
    if not dx.size:
        return
    if b is None and _own_filters(g):  # each lays its patch of dx where it read
        plan, _ = _plans.get(_forward_axes(g))
        if _sweep.scatter(plan, dx, dy, w, g.groups, call.accumulate, call.threads):
            remember(given, g, g.x_shape, plan, "scatter")
            return
    axes, folds = _input_grad_axes(g)
    if form := interleave.form(g):
        image = _interleaved_input_grad(g, form, axes, dy, w, call, handle)
    elif any(map(any, folds)):
        padded = np.empty_like(dx, shape=(*dx.shape[:2], *(a.size for a in axes)), subok=False)
        _input_grad(g, axes, dy, w, None, padded, False, call, handle)
        image = fold_padding(padded, g, folds)
    else:
        _input_grad(g, axes, dy, w, b, dx, call.accumulate, call, handle)
        plan, covers = _plans.get(axes, False)
        if covers:
            remember(given, g, g.x_shape, plan, "adjoint", _winograd(g, plan, call))
        return
    if b is not None:
        image += b.reshape(-1, *(1,) * g.rank)
    if call.accumulate:
        image += dx
    dx[...] = image


def _interleaved_input_grad(g: Geometry, form: interleave.Form, axes: Axes, dy: Array, w: Array,
                            call: Call, handle: Handle) -> Array:
    turned, other = form.geometry, interleave.interleaved(form.geometry)
    wide = interleave.empty(other, dy.dtype)
    _input_grad(other, _input_grad_axes(other)[0], form.turn(dy),
                interleave.filters(turned, other, form.turn(w)), None, wide, False,
                call._replace(algorithm=DIRECT), None)
    image = form.turn(interleave.image(turned, wide))
    if interleave.spreads(turned, dy):
        plain = np.empty(g.x_shape, dy.dtype)
        _input_grad(g, axes, dy, w, None, plain, False, call, handle)
        np.copyto(image, plain, where=np.isnan(image))
    return image


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


def weight_grad(verb: str, family: Family, x: Any, dy: Any, w_shape: Any, keywords: WeightGradient,
                algorithms: dict[str, Algorithm] = ALGORITHMS) -> Array:
    """dw of any family, or its parts; see `conv_weight_grad`."""
    dw = recall(verb, x, dy, None, w_shape, keywords, repeat)
    if dw is not None:
        return dw
    given = Operands(verb, x, dy, None, w_shape, keywords)
    call = sort_keywords(verb, keywords, algorithms, WeightGradient)
    x, dy = operands(verb, x=x, dy=dy)
    g = geometry(verb, family, x.shape, as_shape(verb, "w_shape", w_shape), **call.geometry)
    call.algorithm.check(verb, g)
    require_shape(verb, "dy", dy, g.y_shape, f"for x.shape = {x.shape}, w_shape = {g.w_shape}")
    if call.reduce not in PARTS:
        raise ValueError(f"{verb}: reduce must be one of {', '.join(map(repr, PARTS))}, "
                         f"got {call.reduce!r}")
    shape, sum_up = PARTS[call.reduce]
    # A new dw is in C order: that is how weights are kept, whatever the order of the data.
    dw, (x, dy) = result(verb, shape(g), np.empty(0, x.dtype), call.out, (x, dy), call.accumulate)
    if dw.size:
        sum_up(g, x, dy, dw, call)
        by_sample = sum_up is _sum_by_sample
        if (call.algorithm.weight_grad is direct_weight_grad and not _unused(g)
                and (sum_up is _sum_of_all or (by_sample and not g.bank))):
            one = _samples_as_groups(g) if by_sample else g
            remember(given, one, shape(g), _plans.get(_forward_axes(one))[0],
                     "samples" if by_sample else "reduce")
    return dw


def _sum_of_all(g: Geometry, x: Array, dy: Array, dw: Array, call: Call) -> None:
    call.algorithm.weight_grad(g, x, dy, dw, call.accumulate, call.threads)


def _sum_by_position(g: Geometry, x: Array, dy: Array, dw: Array, call: Call) -> None:
    """What each position adds is the gradient of a local layer's filter there."""
    direct_weight_grad(replace(g, family="local", bank=g.out_size), x, dy, dw, call.accumulate,
                       call.threads)


def _samples_as_groups(g: Geometry) -> Geometry:
    """Of one image."""
    n = g.batch
    return replace(g, batch=1, in_channels=n * g.in_channels, out_channels=n * g.out_channels,
                   groups=n * g.groups)


def _sum_by_sample(g: Geometry, x: Array, dy: Array, dw: Array, call: Call) -> None:
    """Samples as groups of one image: dw (N, *bank, O, ...) seen as (*bank, N * O, ...)."""
    one = _samples_as_groups(g)
    turned = np.moveaxis(dw, 0, len(g.bank))
    whole = turned.reshape(one.w_shape)
    call.algorithm.weight_grad(one, x.reshape(one.x_shape), dy.reshape(one.y_shape), whole,
                               call.accumulate, call.threads)
    if not np.may_share_memory(whole, dw):
        turned[...] = whole.reshape(turned.shape)


# reduce= -> shape of the result, and how it is summed
PARTS: dict[str, tuple[Callable[[Geometry], tuple[int, ...]],
                       Callable[[Geometry, Array, Array, Array, Call], None]]] = {
    "all": (lambda g: g.w_shape, _sum_of_all),
    "sample": (lambda g: (g.batch, *g.w_shape), _sum_by_sample),
    "position": (lambda g: (*g.out_size, *g.w_shape[len(g.bank):]), _sum_by_position),
}
