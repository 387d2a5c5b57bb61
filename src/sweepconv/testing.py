"""A conformance kit for anyone's convolution: cases, exact and modelled checks, adjoints.

`conv_cases(level)` is the one source of shapes.  Each factor (rank, stride, padding form, memory
order, ...) is a deck of cards in which every level stands equally often; a case takes the top card
of each shuffled deck.  So every level, and at level "full" every pair of levels of the main
factors, is covered by far fewer cases than the product has.

`check_conv(fn)` compares fn with `sweepconv.reference`: with `==` on small integers, where every
order of summation is exact, and within a rounding bound on real numbers.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from . import reference
from .geometry import PADDING_MODES, PADDING_NAMES, Geometry, Ints, Padding, geometry

__all__ = ["Case", "Summary", "check_adjoint", "check_conv", "check_grad", "conv_cases"]

Array: TypeAlias = "npt.NDArray[Any]"
CaseFamily: TypeAlias = Literal["conv", "tiled", "local", "dense"]
Verb: TypeAlias = "Callable[..., Any]"

FILLS = ("exact", "real", "special", "special_w")
MEMORY = ("C", "channels_last", "reversed_axes", "negative", "strided", "broadcast", "misaligned",
          "read_only")
SWEEPS: tuple[CaseFamily, ...] = ("conv", "tiled", "local")


@dataclass(frozen=True)
class Case:
    """One call to check: shapes, keywords, dtype and memory order.

    `x_memory` (of x and dy) and `w_memory` are names of `MEMORY`.  `str(case)` is its id.
    """

    x_shape: tuple[int, ...]
    w_shape: tuple[int, ...]
    stride: Ints = 1
    padding: Padding = 0
    dilation: Ints = 1
    groups: int = 1
    padding_mode: str = "zeros"
    family: CaseFamily = "conv"
    bias: bool = False
    dtype: str = "float64"
    x_memory: str = "C"
    w_memory: str = "C"

    @property
    def keywords(self) -> dict[str, Any]:
        """The keywords of the verb; none for dense."""
        names = ("stride", "padding", "dilation", "groups", "padding_mode")
        return {} if self.family == "dense" else {name: getattr(self, name) for name in names}

    @cached_property
    def geometry(self) -> Geometry:
        """The checked geometry; a dense case is the sweep of one filter as big as its image."""
        if self.family == "dense":
            x_shape = (self.x_shape[0], math.prod(self.x_shape[1:]), 1)
            return geometry("dense", "conv", x_shape, (self.w_shape[0], x_shape[1], 1))
        return geometry(self.id, self.family, self.x_shape, self.w_shape, **self.keywords)

    @property
    def y_shape(self) -> tuple[int, ...]:
        return self.geometry.y_shape[:2] if self.family == "dense" else self.geometry.y_shape

    @property
    def b_shape(self) -> tuple[int, ...]:
        return self.geometry.b_shape

    @property
    def id(self) -> str:
        """Readable, and different for different cases."""
        sweep = [] if self.family == "dense" else [
            f"s{_text(self.stride)}", f"d{_text(self.dilation)}", f"p{_text(self.padding)}",
            f"g{self.groups}", self.padding_mode]
        return "-".join([self.family, f"x{_text(self.x_shape)}", f"w{_text(self.w_shape)}", *sweep,
                         *(["bias"] if self.bias else []), self.dtype, self.x_memory,
                         self.w_memory])

    def __str__(self) -> str:
        return self.id

    def array(self, name: str, shape: Sequence[int], fill: str = "exact") -> Array:
        """Values of operand `name` ("x", "w", "b" or "dy"), always the same, in the case's memory.

        `fill` "exact" gives integers from -4 to 4, "real" reals from -1 to 1, "special" the
        integers with one NaN and one Inf among them.
        """
        rng = np.random.default_rng(zlib.crc32(f"{name} {self.id}".encode()))
        a = (rng.uniform(-1, 1, shape) if fill == "real" else rng.integers(-4, 5, shape) + 0.0)
        if fill == "special" and a.size:
            a.flat[rng.integers(a.size)] = np.inf
            a.flat[rng.integers(a.size)] = np.nan
        memory = {"w": self.w_memory, "b": "C"}.get(name, self.x_memory)
        return _arranged(a.astype(self.dtype), memory)


@dataclass(frozen=True)
class Summary:
    """What `check_conv` saw: `worst` is the largest error in units of its bound, `worst_case` the
    id of the case that has it."""

    verb: str
    cases: int
    worst: float
    worst_case: str


def _text(value: Any) -> str:
    """2 -> "2", (3, 1) -> "3x1", ((2, -1), (0, 0)) -> "2:-1x0:0"."""
    if not isinstance(value, tuple):
        return str(value)
    return "x".join(":".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in value)


def _arranged(a: Array, memory: str) -> Array:
    """`a` in another memory order; "broadcast" repeats the first image and channel, stride 0."""
    if memory == "channels_last" and a.ndim > 2:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1)
    if memory == "reversed_axes":
        return np.asfortranarray(a)
    if memory == "negative":
        return np.flip(np.flip(a).copy())
    if memory == "strided":
        # Every second along three axes: along all eight of a bank it would be 256 times a.
        spread = [i in (0, 1, a.ndim - 1) for i in range(a.ndim)]
        wide = np.full([2 * n + 1 if s else n for n, s in zip(a.shape, spread, strict=True)],
                       77, dtype=a.dtype)
        view: Array = wide[tuple(slice(1, None, 2) if s else slice(None) for s in spread)]
        view[...] = a
        return view
    if memory == "broadcast":
        return np.broadcast_to(a[:1, :1], a.shape) if a.size else a
    if memory == "misaligned":
        raw = np.empty(a.nbytes + 1, dtype=np.uint8)[1:]
        view = raw.view(a.dtype).reshape(a.shape)
        view[...] = a
        return view
    if memory == "read_only":
        a.flags.writeable = False
    return a


# The decks.  A level named "axes" stands for one random value per axis.

CHANNELS = (1, 2, 3, 4, 7, 8, 16, 17, 33)
SIZES = {1: (1, 2, 3, 5, 8, 13, 17, 31, 40), 2: (1, 2, 3, 5, 7, 9, 14, 17), 3: (1, 2, 3, 4, 6)}
FACTORS: dict[str, tuple[Any, ...]] = {
    "rank": (1, 2, 2, 3),
    "padding_mode": ("zeros", "zeros", *PADDING_MODES),
    "padding": ("int", "axes", "pairs", "crop", "wide", *PADDING_NAMES),
    "stride": (1, 1, 2, 3, "axes", "beyond"),
    "dilation": (1, 1, 1, 2, 3, "axes"),
    "kernel": (1, 2, 3, 3, 5, "axes", "axes"),
    "groups": (1, 1, 2, 3, "depthwise", "multiplier"),
    "taken": CHANNELS,
    "made": CHANNELS,
    "batch": (1, 2, 3, 1, 2, 3, 1, 2, 3, 0),
    "bias": (False, True),
    "dtype": ("float32", "float64"),
    "x_memory": MEMORY,
    "w_memory": MEMORY,
}
# Cases per level: conv, tiled, local, dense.
LEVELS = {"smoke": (40, 10, 10, 5), "full": (1000, 1000, 1000, 60), "deep": (3400, 3400, 3400, 200)}
# Multiply-adds of one case; a level's time follows from it.
MOST_WORK = 200_000

# What random cases meet too rarely: (x_shape, w_shape, other fields of the case).
CORNERS: tuple[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ((0, 3, 5, 5), (4, 3, 3, 3), {"padding": 1}),
    ((2, 3, 2, 3), (4, 3, 5, 7), {"padding": (2, 3)}),  # kernel larger than the input
    ((1, 2, 1, 1, 1), (3, 2, 1, 1, 1), {}),
    ((2, 3, 7, 5), (4, 3, 2, 4), {"padding": "same", "x_memory": "channels_last",
                                  "w_memory": "channels_last", "dtype": "float32"}),
    ((2, 3, 11, 9), (5, 3, 2, 2), {"stride": 4}),  # elements that no output reads
    ((1, 1, 3), (1, 1, 2), {"padding": 7}),  # outputs that read padding only
    ((1, 2, 3, 4), (2, 2, 3, 3), {"padding": 9, "padding_mode": "circular"}),  # three times round
    ((2, 2, 4, 5), (2, 2, 3, 3), {"padding": 6, "padding_mode": "reflect"}),
    ((1, 2, 1, 4), (2, 2, 3, 3), {"padding": 2, "padding_mode": "reflect"}),  # nothing to reflect
    ((2, 4, 9, 9), (6, 2, 3, 3), {"stride": 2, "groups": 2, "padding": 1}),
    ((2, 4, 8, 9), (4, 1, 3, 3), {"stride": (2, 3), "groups": 4, "padding": ((0, 1), (2, 0))}),
    ((1, 33, 6, 6), (33, 1, 5, 5), {"groups": 33, "padding": "same"}),
    ((1, 3, 9, 9), (4, 3, 3, 3), {"padding": ((-2, 3), (1, -4)), "stride": 2}),
    ((1, 3, 9, 9), (4, 3, 3, 3), {"padding": ((-2, 3), (1, -4)), "padding_mode": "symmetric"}),
    ((1, 1, 40), (1, 1, 31), {"padding": "full"}),
    ((2, 17, 3, 3), (33, 17, 1, 1), {}),
    ((1, 2, 10, 10), (3, 2, 3, 3), {"stride": 3, "dilation": 2, "padding": "same_lower"}),
)


def _deck(rng: np.random.RandomState, levels: Sequence[Any], n: int) -> list[Any]:
    """n cards, each level as often as any other, shuffled."""
    return [levels[i] for i in rng.permutation(np.arange(n) % len(levels))]


def _axes(rng: np.random.RandomState, level: Any, choices: Sequence[int], rank: int) -> Any:
    """An int level as it is; for "axes" one choice per axis."""
    return level if isinstance(level, int) else tuple(int(v) for v in rng.choice(choices, rank))


def _padding(rng: np.random.RandomState, form: str, kernel: Sequence[int], rank: int) -> Padding:
    """Padding in the wanted form; the names stand for themselves."""
    if form in ("int", "axes"):
        return cast(Padding, _axes(rng, int(rng.randint(4)) if form == "int" else form, range(4),
                                   rank))
    if form == "wide":
        return tuple(k + 1 for k in kernel)
    if form in ("pairs", "crop"):
        least = -3 if form == "crop" else 0
        return tuple((int(low), int(high)) for low, high in rng.randint(least, 4, (rank, 2)))
    return form


def _fitting(case: Case) -> Case:
    """The case with each axis as long as the kernel needs; only crops and "valid" can need it."""
    kernel, rank = case.w_shape[2:], len(case.x_shape) - 2
    roomy = geometry("fit", "conv", (1, 1, *(99,) * rank), (1, 1, *kernel), **{
        **case.keywords, "groups": 1, "stride": 1})
    size = [n if case.padding in ("same", "same_lower") else max(n, (k - 1) * d + 1 - low - high)
            for n, k, d, (low, high)
            in zip(case.x_shape[2:], kernel, roomy.dilation, roomy.pads, strict=True)]
    return replace(case, x_shape=(*case.x_shape[:2], *size))


def _with_channels(case: Case, kind: Any, taken: int, made: int) -> Case:
    """The case with `taken` input and `made` output channels per group, or fewer: the largest
    that stay within MOST_WORK.  A depthwise case has `taken` groups of one input channel."""
    while True:
        groups = kind if isinstance(kind, int) else taken
        per_group = (taken, made) if isinstance(kind, int) else (1, {"depthwise": 1}.get(kind, 2))
        trial = replace(
            case, groups=groups,
            x_shape=(case.x_shape[0], groups * per_group[0], *case.x_shape[2:]),
            w_shape=(groups * per_group[1], per_group[0], *case.w_shape[2:]))
        work = math.prod(trial.y_shape) * math.prod(trial.w_shape[1:])
        if work <= MOST_WORK or taken == made == 1:
            return trial
        less = {c: CHANNELS[max(i - 1, 0)] for i, c in enumerate(CHANNELS)}
        taken, made = (less[taken], made) if taken >= made else (taken, less[made])


def _sweep_case(family: CaseFamily, card: dict[str, Any], rng: np.random.RandomState) -> Case:
    """The case that one card of each deck describes."""
    rank = 1 if card["padding"] == "causal" else card["rank"]
    small = rank == 3 or family == "local"  # 3-D and a filter per position multiply the work
    kernel = _axes(rng, card["kernel"], (1, 2, 3, 4, 5), rank)
    kernel = (kernel,) * rank if isinstance(kernel, int) else kernel
    kernel = tuple(min(k, 3) for k in kernel) if small else kernel
    sizes = SIZES[rank] if family == "conv" else SIZES[rank][:6 - rank]
    beyond = card["stride"] == "beyond"
    case = Case(
        (card["batch"], 1, *(int(n) for n in rng.choice(sizes, rank))), (1, 1, *kernel),
        tuple(k + 1 for k in kernel) if beyond else _axes(rng, card["stride"], (1, 2, 3), rank),
        _padding(rng, card["padding"], kernel, rank),
        _axes(rng, card["dilation"], (1, 2, 3), rank),
        **{k: card[k] for k in ("padding_mode", "bias", "dtype", "x_memory", "w_memory")})
    case = _with_channels(_fitting(case), card["groups"], card["taken"], card["made"])
    period = tuple(int(p) for p in rng.choice((1, 2, 3), rank))
    bank = {"tiled": period, "local": case.y_shape[2:]}.get(family, ())
    return replace(case, family=family, w_shape=(*bank, *case.w_shape))


def _dense_case(card: dict[str, Any], rng: np.random.RandomState) -> Case:
    """(N, D) or an image, and weights that are flat or have the image's shape."""
    image = (card["taken"], *(int(n) for n in rng.choice(SIZES[3], card["rank"])))
    flat = (math.prod(image),)
    x, w = (image, image) if card["bias"] else (flat, flat)
    w = flat if card["stride"] == 1 else w
    return Case((card["batch"], *x), (card["made"], *w), family="dense",
                **{k: card[k] for k in ("bias", "dtype", "x_memory", "w_memory")})


@lru_cache
def _cases(level: str, family: CaseFamily) -> tuple[Case, ...]:
    number = (*SWEEPS, "dense").index(family)
    n = LEVELS[level][number]
    # RandomState, since NumPy promises the same stream in every version.
    rng = np.random.RandomState(1000 * list(LEVELS).index(level) + number)
    decks = {name: _deck(rng, levels, n) for name, levels in FACTORS.items()}
    cards = [{name: deck[i] for name, deck in decks.items()} for i in range(n)]
    if family == "dense":
        return tuple(dict.fromkeys(_dense_case(card, rng) for card in cards))
    corners = [Case(x, w, **more) for x, w, more in CORNERS] if family == "conv" else []
    drawn = [_sweep_case(family, card, rng) for card in cards]
    return tuple(dict.fromkeys([*corners, *drawn][:n]))


def conv_cases(level: str = "full", families: Iterable[str] = SWEEPS) -> list[Case]:
    """Cases that cover the grid of geometries, always the same ones for a level.

    Parameters
    ----------
    level : "smoke" (60 cases), "full" (about 1,500) or "deep" (5,000).
    families : any of "conv", "tiled", "local" and "dense"; the three sweeps by default.

    Returns
    -------
    list of `Case`, all different.

    Examples
    --------
    >>> len(conv_cases("smoke"))
    60
    >>> str(conv_cases("smoke")[1])
    'conv-x2x3x2x3-w4x3x5x7-s1-d1-p2x3-g1-zeros-float64-C-C'
    >>> only_zeros = [c for c in conv_cases("full", ["conv"]) if c.padding_mode == "zeros"]
    """
    if level not in LEVELS:
        raise ValueError(f"conv_cases: level must be one of {', '.join(map(repr, LEVELS))}, "
                         f"got {level!r}")
    known = (*SWEEPS, "dense")
    chosen = [f for f in known if f in set(families)]
    if unknown := set(families) - set(known):
        raise ValueError(f"conv_cases: families must be among {known}, got {sorted(unknown)}")
    return [case for family in chosen for case in _cases(level, family)]


# What a verb is called with


def _family(verb: str) -> CaseFamily:
    families: dict[str, CaseFamily] = {"conv": "conv", "conv_transpose": "conv",
                                       "tiled_conv": "tiled", "local_conv": "local",
                                       "dense": "dense"}
    forward = verb.removesuffix("_input_grad").removesuffix("_weight_grad")
    if forward not in families or verb not in reference.__all__:
        raise ValueError(f"check_conv: verb must be a verb of a sweep or dense, got {verb!r}")
    return families[forward]


def _call(case: Case, verb: str) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """Named positional arguments, operands by shape, and the keywords of `verb`."""
    if verb.endswith("_input_grad"):
        return [("dy", case.y_shape), ("w", case.w_shape), ("x_shape", case.x_shape)], case.keywords
    if verb.endswith("_weight_grad"):
        return [("x", case.x_shape), ("dy", case.y_shape), ("w_shape", case.w_shape)], case.keywords
    if verb == "conv_transpose":
        return _transpose_call(case)
    b = [("b", case.b_shape)] if case.bias else []
    return [("x", case.x_shape), ("w", case.w_shape), *b], case.keywords


def _transpose_call(case: Case) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """The transposed convolution that takes the case's y back to the shape of its x.  What the
    stride left over at the high side is the output padding."""
    g = case.geometry
    extra = tuple((n + low + high - (k - 1) * d - 1) % s for n, (low, high), k, d, s in zip(
        g.in_size, g.pads, g.kernel, g.dilation, g.stride, strict=True))
    exact = all(n == m * s for n, m, s in zip(g.in_size, g.out_size, g.stride, strict=True))
    b = [("b", (g.in_channels,))] if case.bias else []
    keywords = {**case.keywords, "output_padding": extra}
    if case.padding in ("same", "same_lower"):
        keywords |= {"output_padding": 0} if exact else {"padding": g.pads}
    return [("x", case.y_shape), ("w", case.w_shape), *b], keywords


def _fill(case: Case, arguments: list[tuple[str, Any]], fill: str) -> list[Any]:
    """The arguments with values.  "special" puts NaN and Inf into the data operand, "special_w"
    into the other one, which for the weight gradient is dy."""
    special = {"special": 0, "special_w": 1}.get(fill)
    return [shape if name.endswith("_shape") else case.array(
        name, shape, fill if fill == "real" else "special" if i == special else "exact")
        for i, (name, shape) in enumerate(arguments)]


def _doubles(values: list[Any], of: Callable[[Array], Array] = np.asarray) -> list[Any]:
    """The operands in float64, `of` applied; the shapes among them as they are."""
    return [of(v.astype(np.float64)) if isinstance(v, np.ndarray) else v for v in values]


# The comparison


def _bound(
    verb: Verb, values: list[Any], keywords: dict[str, Any], dtype: str, c: float | None
) -> Array:
    """What rounding can do to each element: c * eps * (the same verb on absolute values).

    A sum of n products has 1 rounding in each product and at most n - 1 in the additions that a
    product passes through, in any order, blocked or plain, fused or not.  With u = eps/2 the error
    is at most n*u/(1 - n*u) * sum |terms|, the reference's own in float64 is of the same form, and
    the conversion of its result costs u more: together less than (n + 2) * eps * sum |terms|.  The
    bias is one more term.  n, the number of terms, is the same verb on arrays of ones.
    """
    magnitude: Array = verb(*_doubles(values, np.abs), **keywords)
    if c is not None:
        return c * float(np.finfo(dtype).eps) * magnitude
    n: Array = verb(*_doubles(values, np.ones_like), **keywords)
    return (n + 2) * float(np.finfo(dtype).eps) * magnitude


def _describe(case: Case, verb: str, fill: str, keywords: dict[str, Any], values: list[Any]) -> str:
    names = [name for name, _ in _call(case, verb)[0]]
    shapes = ", ".join(f"{name}.shape = {v.shape}" if isinstance(v, np.ndarray) else f"{name} = {v}"
                       for name, v in zip(names, values, strict=True))
    return f"{verb} fails on {case.id} with {fill} values ({shapes}, {keywords}): "


def _first(wrong: Array, got: Array, want: Array) -> str:
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (f"at index {index} got {got[index]}, expected {want[index]}; "
            f"{np.count_nonzero(wrong)} of {wrong.size} elements differ")


def _check(fn: Verb, verb: str, case: Case, fill: str, c: float | None) -> float:
    """Largest error of one call in units of its bound, 0 where equality is demanded."""
    arguments, keywords = _call(case, verb)
    values = _fill(case, arguments, fill)
    before = [v.tobytes() if isinstance(v, np.ndarray) else v for v in values]
    where = _describe(case, verb, fill, keywords, values)
    try:
        got = np.asarray(fn(*values, **keywords))
    except Exception as error:
        raise AssertionError(f"{where}raised {type(error).__name__}: {error}") from error
    oracle = getattr(reference, verb)
    want = oracle(*_doubles(values), **keywords)
    if got.dtype != case.dtype:
        raise AssertionError(f"{where}got dtype {got.dtype}, expected {case.dtype}")
    if got.shape != want.shape:
        raise AssertionError(f"{where}got shape {got.shape}, expected {want.shape}")
    for (name, _), old, v in zip(arguments, before, values, strict=True):
        if isinstance(v, np.ndarray) and v.tobytes() != old:
            raise AssertionError(f"{where}the call changed its input {name}")
    if fill != "real":
        wrong = (got != want) & ~(np.isnan(got) & np.isnan(want))
        if wrong.any():
            raise AssertionError(where + _first(wrong, got, want))
        return 0.0
    bound = _bound(oracle, values, keywords, case.dtype, c)
    distance = np.abs(got - want)
    wrong = ~(distance <= bound)  # a NaN is wrong
    if wrong.any():
        raise AssertionError(f"{where}{_first(wrong, got, want)}; the first error is "
                             f"{distance[wrong][0]:.3g}, its bound {bound[wrong][0]:.3g}")
    return float(np.max(distance[bound > 0] / bound[bound > 0], initial=0.0))


def check_conv(
    fn: Verb, *, verb: str = "conv", level: str = "full", cases: Iterable[Case] | None = None,
    fills: Sequence[str] = ("exact", "real", "special"), c: float | None = None,
) -> Summary:
    """Run `fn` against the reference on every case; AssertionError at the first difference.

    Parameters
    ----------
    fn : called as the verb of that name: `fn(x, w, b, stride=..., padding=..., dilation=...,
        groups=..., padding_mode=...)`, b only in cases with a bias; gradients as
        `fn(dy, w, x_shape, ...)` and `fn(x, dy, w_shape, ...)`; `conv_transpose` also with
        `output_padding`; dense without keywords.
    verb : name of any verb of a sweep, of dense, or "conv_transpose".
    level : as in `conv_cases`; not used if `cases` is given.
    cases : the cases to run, where fn supports some only:
        `[c for c in conv_cases() if c.padding_mode == "zeros"]`.  Other families are left out.
    fills : "exact": integers, result compared with `==`; "real": within the bound; "special": a NaN
        and an Inf in the data operand (x or dy), which must reach their receptive field and no
        more; "special_w": the same in the other operand, where frameworks differ on Inf times a
        zero of the padding.
    c : the bound is `c * eps * (the verb on absolute values)`.  None stands for the number of
        terms of each element plus 2, which holds for every order of summation.

    Returns
    -------
    Summary : number of cases run and the worst error in units of the bound.

    Examples
    --------
    >>> from sweepconv import reference
    >>> check_conv(reference.conv, level="smoke").cases
    40

    A wrong one is told the case, the shapes and the first wrong element:

    >>> def unstrided(dy, w, x_shape, *, stride, **keywords):
    ...     return reference.conv_input_grad(dy, w, x_shape, stride=1, **keywords)
    >>> case = Case((1, 1, 4), (1, 1, 1), stride=3)
    >>> check_conv(unstrided, verb="conv_input_grad", cases=[case])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: conv_input_grad fails on conv-x1x1x4-w1x1x1-s3-d1-p0-g1-zeros-float64-C-C ...
    """
    family = _family(verb)
    if unknown := set(fills) - set(FILLS):
        raise ValueError(f"check_conv: fills must be among {FILLS}, got {sorted(unknown)}")
    chosen = conv_cases(level, [family]) if cases is None else [
        case for case in cases if case.family == family]
    if not chosen:
        raise ValueError(f"check_conv: cases must hold a case of the family {family!r} for {verb}")
    worst, worst_case = 0.0, ""
    for case in chosen:
        for fill in fills:
            error = _check(fn, verb, case, fill, c)
            if error > worst:
                worst, worst_case = error, case.id
    return Summary(verb, len(chosen), worst, worst_case)


# Adjoints and differences


def _problem(
    case: Case | Sequence[int], w_shape: Sequence[int] | None, dtype: Any, keywords: dict[str, Any]
) -> tuple[Case, dict[str, Any]]:
    """A case and its keywords, also from explicit shapes."""
    if isinstance(case, Case):
        return case, {**case.keywords, **keywords}
    if w_shape is None:
        raise TypeError("w_shape must be given with x_shape")
    return Case(tuple(case), tuple(w_shape), dtype=np.dtype(dtype).name), keywords


def _inner(a: Any, b: Any) -> float:
    return float(np.sum(np.multiply(a, b, dtype=np.float64)))


def _agree(what: str, got: float, want: float, scale: float, case: Case, c: float) -> None:
    if not abs(got - want) <= c * float(np.finfo(case.dtype).eps) * scale:
        raise AssertionError(f"{what} = {got!r}, expected {want!r} (x_shape = {case.x_shape}, "
                             f"w_shape = {case.w_shape}, case {case.id})")


def check_adjoint(
    forward: Verb, input_grad: Verb, weight_grad: Verb, case: Case | Sequence[int],
    w_shape: Sequence[int] | None = None, *, dtype: Any = np.float64, c: float = 0.0,
    **keywords: Any,
) -> None:
    """Both gradients are adjoints of the forward: <y, g> = <x, dx> = <w, dw> for any g.

    Parameters
    ----------
    forward, input_grad, weight_grad : called as `forward(x, w, **keywords)`,
        `input_grad(g, w, x_shape, **keywords)`, `weight_grad(x, g, w_shape, **keywords)`.
    case : a `Case`, or x_shape with `w_shape` after it.
    dtype : of the operands, if shapes are given.
    c : the difference allowed, in units of eps * <forward(|x|, |w|), |g|>.  The operands are small
        integers, so that direct summation is exact and 0 is enough.

    Examples
    --------
    >>> from sweepconv import reference as r
    >>> verbs = r.conv, r.conv_input_grad, r.conv_weight_grad
    >>> check_adjoint(*verbs, (2, 3, 9, 8), (4, 3, 3, 3), stride=2, padding=1,
    ...               padding_mode="reflect")
    """
    case, keywords = _problem(case, w_shape, dtype, keywords)
    x, w = case.array("x", case.x_shape), case.array("w", case.w_shape)
    y = forward(x, w, **keywords)
    g = case.array("dy", np.shape(y))
    want = _inner(y, g)
    scale = _inner(forward(abs(x), abs(w), **keywords), abs(g)) if c else 0.0
    dx = input_grad(g, w, case.x_shape, **keywords)
    _agree("<x, input_grad(g, w)>", _inner(x, dx), want, scale, case, c)
    dw = weight_grad(x, g, case.w_shape, **keywords)
    _agree("<w, weight_grad(x, g)>", _inner(w, dw), want, scale, case, c)


def check_grad(
    forward: Verb, input_grad: Verb, weight_grad: Verb, case: Case | Sequence[int],
    w_shape: Sequence[int] | None = None, *, directions: int = 3, dtype: Any = np.float64,
    c: float = 0.0, **keywords: Any,
) -> None:
    """Both gradients against central differences of <forward(x, w), g> along random directions.

    The verbs are bilinear, so the step 1 is exact; arguments as in `check_adjoint`.

    Examples
    --------
    >>> from sweepconv import reference as r
    >>> verbs = r.tiled_conv, r.tiled_conv_input_grad, r.tiled_conv_weight_grad
    >>> check_grad(*verbs, (2, 3, 9), (2, 4, 3, 3), padding="same", padding_mode="circular")
    """
    case, keywords = _problem(case, w_shape, dtype, keywords)
    x, w = case.array("x", case.x_shape), case.array("w", case.w_shape)
    g = case.array("dy", np.shape(forward(x, w, **keywords)))
    dx = input_grad(g, w, case.x_shape, **keywords)
    dw = weight_grad(x, g, case.w_shape, **keywords)

    def loss(x: Array, w: Array) -> float:
        return _inner(forward(x, w, **keywords), g)

    scale = _inner(forward(abs(x) + 4, abs(w) + 4, **keywords), abs(g)) if c else 0.0
    rng = np.random.default_rng(zlib.crc32(case.id.encode()))
    for _ in range(directions):
        v = rng.integers(-4, 5, x.shape).astype(x.dtype)
        slope = (loss(x + v, w) - loss(x - v, w)) / 2
        _agree("<v, input_grad(g, w)>", _inner(v, dx), slope, scale, case, c)
        v = rng.integers(-4, 5, w.shape).astype(w.dtype)
        slope = (loss(x, w + v) - loss(x, w - v)) / 2
        _agree("<v, weight_grad(x, g)>", _inner(v, dw), slope, scale, case, c)
