"""From a verb's arguments to the compiled sweep: one way for all families and directions.

    arguments -> Geometry (checked) -> phases -> Plan (cached) -> gather or reduce
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from operator import is_
from threading import Lock
from typing import Any, NamedTuple, TypeAlias, TypedDict

import numpy as np

from . import _sweep, phases
from ._arrays import Array, operands, require_shape, result
from .geometry import Family, Geometry, Ints, Padding, as_shape, geometry, virtual_index
from .packing import PackedFilters
from .runtime import resolve_threads

Handle: TypeAlias = PackedFilters | None
Axes: TypeAlias = "tuple[phases.Axis, ...]"
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


class WeightGradient(Gradient, total=False):
    """Keywords of every weight gradient."""

    reduce: str


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


def _forward(g: Geometry, x: Array, w: Array, b: Array | None, y: Array, call: Call,
             handle: Handle) -> None:
    """Winograd's transforms would spread NaN and Inf of the weights: such are left to the direct
    sweep."""
    plan, _ = _plans.get(_forward_axes(g))
    m = call.algorithm.winograd(g) if plan.winograd() else 0
    if not (m and _gather(plan, x, w, b, y, g.groups, False, False, call.threads, handle, True, m)):
        _gather(plan, x, w, b, y, g.groups, False, False, call.threads, handle, False, 0)


def _input_grad(g: Geometry, axes: Axes, dy: Array, w: Array, b: Array | None, dx: Array,
                accumulate: bool, call: Call, handle: Handle) -> None:
    """With weights that are not all finite, 0 * Inf must not leave the receptive field."""
    for exact in (False, True):
        plan, covers = _plans.get(axes, exact)
        if not covers and not accumulate:
            dx[...] = 0 if b is None else b.reshape(-1, *(1,) * g.rank)
        m = call.algorithm.winograd(g) if plan.winograd() and not exact else 0
        only_finite = m > 0 or (plan.reads_zeros and not exact)
        if _gather(plan, dy, w, b, dx, g.groups, True, accumulate, call.threads, handle,
                   only_finite, m):
            return


def direct_weight_grad(g: Geometry, x: Array, dy: Array, dw: Array, accumulate: bool,
                        threads: int) -> None:
    unused = any(p > n for p, n in zip(g.period, g.out_size, strict=True))
    if unused and not accumulate:
        dw[...] = 0  # filters of a period that is longer than the output serve no position
    plan, _ = _plans.get(_forward_axes(g))
    _sweep.reduce(plan, x, dy, dw, g.groups, accumulate, threads)


def _never(g: Geometry) -> int:
    return 0


DIRECT = Algorithm("direct", lambda *_: None, _never, direct_weight_grad)
# Nothing beats the direct sweep where filters are not shared; for `conv` see winograd.py.
ALGORITHMS = {"direct": DIRECT, "fast": DIRECT._replace(name="fast")}


def sort_keywords(verb: str, keywords: Any, algorithms: dict[str, Algorithm],
                  **more: Any) -> Call:
    """`more`: what the verb takes besides the keywords of every sweep, with its defaults."""
    own: dict[str, Any] = {"out": None, "n_threads": None, "algorithm": "direct", **more}
    shape = {}
    for name, value in keywords.items():
        if name in GEOMETRY:
            shape[name] = value
        elif name in own:
            own[name] = value
        else:
            raise TypeError(f"{verb}() got an unexpected keyword argument {name!r}")
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


class Known(NamedTuple):
    """What follows from the shapes and keywords of a forward call that came before."""

    keywords: tuple[Any, ...]
    y_shape: tuple[int, ...]
    groups: int
    plan: _sweep.Plan
    serial: bool


_known: dict[Any, Known] = {}  # of direct calls, whose time in Python is long beside a small sweep
MOST_KNOWN = 1024
SMALL_PLAN = 1 << 15  # bytes
SERIAL_WORK = 100_000  # multiply-adds; the compiled sweep opens no parallel region there


def _recall(verb: str, x: Any, w: Any, b: Any,
            keywords: dict[str, Any]) -> tuple[Any, Known | None]:
    """Key of what is known, None where a call cannot be known, and what is known of it.

    Keywords must be the same objects, since 1.0 == 1 but is no stride; `out` is None among them.
    Packed filters keep what is known of calls with them.
    """
    array, table = (w.given, w.known) if type(w) is PackedFilters else (w, _known)
    if not (type(x) is type(array) is np.ndarray and (b is None or type(b) is np.ndarray)):
        return None, None
    key = (verb, x.shape, array.shape, x.dtype, array.dtype,
           b if b is None else (b.shape, b.dtype), *keywords.values())
    try:
        known = table.get(key)
    except (TypeError, ValueError):  # a keyword that cannot be a key
        return None, None
    if known is not None and all(map(is_, keywords.values(), known.keywords)):
        return key, known
    return key, None


def _forward_again(verb: str, known: Known, x: Array, w: Any, b: Array | None, out: Any,
                   n_threads: int | None) -> Array:
    """y of a call that is known."""
    threads = 1 if known.serial else resolve_threads(verb, n_threads)
    panels = None
    if type(w) is PackedFilters:
        panels = w.panels(known.plan, known.groups, False, threads, x.strides[1] == x.itemsize, 0)
        w = w.w
    if out is not None:
        given = (x, w) if b is None else (x, w, b)
        y, (x, w, *bias) = result(verb, known.y_shape, x, out, given)
        b = bias[0] if bias else None
    elif x.flags.c_contiguous:
        y = np.empty(known.y_shape, x.dtype)
    else:
        y = np.empty_like(x, shape=known.y_shape)
    _sweep.gather(known.plan, x, w, b, y, known.groups, False, False, threads, panels)
    return y


def forward(verb: str, family: Family, x: Any, w: Any, b: Any, keywords: Sweep,
            algorithms: dict[str, Algorithm] = ALGORITHMS) -> Array:
    """y of any family; see `conv`."""
    out = keywords.get("out")
    sweep: dict[str, Any] = keywords if out is None else {**keywords, "out": None}  # type: ignore[assignment]
    key, known = _recall(verb, x, w, b, sweep)
    if known is not None:
        return _forward_again(verb, known, x, w, b, out, keywords.get("n_threads"))
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
        if key is not None and call.algorithm is DIRECT:
            plan, _ = _plans.get(_forward_axes(g))
            if plan.nbytes <= SMALL_PLAN:
                table = handle.known if handle else _known
                if len(table) >= MOST_KNOWN:
                    table.clear()
                table[key] = Known(tuple(sweep.values()), g.y_shape, g.groups, plan,
                                   math.prod((*g.y_shape, *g.w_shape[1:])) < SERIAL_WORK)
    return y


def input_grad(verb: str, family: Family, dy: Any, w: Any, x_shape: Any, keywords: Gradient,
               algorithms: dict[str, Algorithm] = ALGORITHMS) -> Array:
    """dx of any family; see `conv_input_grad`."""
    call = sort_keywords(verb, keywords, algorithms, accumulate=False)
    w, handle = filters_of(verb, w, call.of_filters)
    dy, w = operands(verb, dy=dy, w=w)
    g = geometry(verb, family, as_shape(verb, "x_shape", x_shape), w.shape, **call.geometry)
    call.algorithm.check(verb, g)
    require_shape(verb, "dy", dy, g.y_shape, f"for x_shape = {g.x_shape}, w.shape = {w.shape}")
    dx, (dy, w) = result(verb, g.x_shape, dy, call.out, (dy, w), call.accumulate)
    transpose(g, dy, w, None, dx, call, handle)
    return dx


@np.errstate(all="ignore")  # Inf - Inf is a result, not news
def transpose(g: Geometry, dy: Array, w: Array, b: Array | None, dx: Array, call: Call,
              handle: Handle) -> None:
    """dx (+)= b + the adjoint of the forward sweep, for dy; b is of `conv_transpose`."""
    if not dx.size:
        return
    if all(t >= n for t, n in zip(g.period, g.out_size, strict=True)):
        # Each filter serves one position: its patch of dx is laid where it read.
        plan, _ = _plans.get(_forward_axes(g))
        if _sweep.scatter(plan, dx, dy, w, g.groups, call.accumulate, call.threads):
            return
    axes, folds = _input_grad_axes(g)
    if not any(map(any, folds)):
        _input_grad(g, axes, dy, w, b, dx, call.accumulate, call, handle)
        return
    padded = np.empty_like(dx, shape=(*dx.shape[:2], *(a.size for a in axes)), subok=False)
    _input_grad(g, axes, dy, w, None, padded, False, call, handle)
    image = fold_padding(padded, g, folds)
    if b is not None:
        image += b.reshape(-1, *(1,) * g.rank)
    if call.accumulate:
        image += dx
    dx[...] = image


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
    call = sort_keywords(verb, keywords, algorithms, accumulate=False, reduce="all")
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
    return dw


def _sum_of_all(g: Geometry, x: Array, dy: Array, dw: Array, call: Call) -> None:
    call.algorithm.weight_grad(g, x, dy, dw, call.accumulate, call.threads)


def _sum_by_position(g: Geometry, x: Array, dy: Array, dw: Array, call: Call) -> None:
    """What each position adds is the gradient of a local layer's filter there."""
    direct_weight_grad(replace(g, family="local", bank=g.out_size), x, dy, dw, call.accumulate,
                       call.threads)


def _sum_by_sample(g: Geometry, x: Array, dy: Array, dw: Array, call: Call) -> None:
    """Samples as groups of one image: dw (N, *bank, O, ...) seen as (*bank, N * O, ...)."""
    n, bank = g.batch, len(g.bank)
    one = replace(g, batch=1, in_channels=n * g.in_channels, out_channels=n * g.out_channels,
                  groups=n * g.groups)
    turned = np.moveaxis(dw, 0, bank)
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
