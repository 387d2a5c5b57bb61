"""Layers as steps on each axis, and in words why a step breaks a law."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from sweepconv.counts import Counts, Window
from sweepconv.geometry import Geometry, geometry, transposed_geometry
from sweepconv.layers import (
    AvgPool,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalMaxPool,
    Layer,
    LocalConv,
    LowRankLocal,
    MaxPool,
    ReLU,
    Sequential,
    TiledConv,
)

from .axis import Step
from .flips import even
from .layers import APS, BlurPool

Law: TypeAlias = Literal["circular shifts", "all shifts", "flips"]
LAWS: tuple[Law, ...] = ("circular shifts", "all shifts", "flips")
FAMILIES: dict[type, Literal["conv", "tiled", "local"]] = {
    Conv: "conv", TiledConv: "tiled", LocalConv: "local"}
PLAIN = (AvgPool, MaxPool, BlurPool, APS, LowRankLocal)


@dataclass(frozen=True)
class Stage:
    """One layer, as a step on each spatial axis of the net's input that is still there.

    A flattened map keeps its axes until a dense layer reads them.
    """

    name: str
    kind: str
    y_shape: tuple[int, ...]
    steps: tuple[Step, ...]


def stages(layers: Layer | Iterable[Layer], x_shape: tuple[int, ...]) -> Iterator[Stage]:
    """The stages of a net, in order."""
    net = layers if isinstance(layers, Layer) else Sequential(*layers)
    sizes = x_shape[1:]
    each = list(net.each(x_shape))
    last_dense = max((i for i, (_, layer, _) in enumerate(each) if type(layer) is Dense),
                     default=-1)
    for i, (name, layer, counts) in enumerate(each):
        steps = _steps(layer, counts, sizes)
        if type(layer) is Flatten and i > last_dense:  # nothing reads the places any more
            steps = tuple(Step("unknown", n, 1) for n in sizes)
        yield Stage(f"{name} {type(layer).__name__}".strip(), type(layer).__name__,
                    counts.y_shape, steps)
        sizes = tuple(step.out for step in steps)


def _steps(layer: Layer, counts: Counts, sizes: tuple[int, ...]) -> tuple[Step, ...]:
    """The steps of one layer on a map of `sizes`."""
    kind, blank, ordered = type(layer), "b" not in layer.params, _ordered(layer)
    if kind in (ReLU, Flatten):
        return tuple(Step("element", n, n) for n in sizes)
    if kind is Dense:
        return tuple(Step("sweep", n, 1, Window(n), blank=blank) for n in sizes)
    if kind is GlobalMaxPool:
        return tuple(Step("max", n, 1, Window(n)) for n in sizes)
    if len(counts.x_shape) != len(sizes) + 1:
        return tuple(Step("unknown", n, 1) for n in sizes)
    if kind is ConvTranspose:
        g = transposed_geometry((1, *counts.x_shape), layer.params["w"].shape, **_keywords(layer))
        return tuple(_spread(*axis, g.mode, blank, ordered) for axis in _axes(g))
    if kind in FAMILIES:
        g = geometry(kind.__name__, FAMILIES[kind], (1, *counts.x_shape),
                     layer.params["w"].shape, **_keywords(layer))
        return tuple(Step("sweep", n, out, window, period, g.mode, blank, ordered=ordered)
                     for (n, out, window), period in zip(_axes(g), g.period, strict=True))
    return tuple(_plain(layer, n, out, window)
                 for n, out, window in _windows(counts, sizes))


def _keywords(layer: Any) -> dict[str, Any]:
    return dict(layer.geometry)


def _ordered(layer: Layer) -> bool:
    """Whether an output's sum has the same order at every place: promised of the direct sweep."""
    given: dict[str, Any] = getattr(layer, "_keywords", {})
    return bool(given.get("algorithm", "direct") == "direct")


def _axes(g: Geometry) -> Iterator[tuple[int, int, Window]]:
    """(in, out, window) of each axis."""
    for n, out, k, s, d, (low, _) in zip(g.in_size, g.out_size, g.kernel, g.stride, g.dilation,
                                         g.pads, strict=True):
        yield n, out, Window(k, s, d, low)


def _spread(n: int, out: int, window: Window, mode: str, blank: bool, ordered: bool) -> Step:
    """`n` and `out` are those of the convolution that reads the result."""
    step = Step("spread", out, n, window, 1, mode, blank)
    # Off the lattice a border is folded back after the sweep: then the order depends on the place.
    one_sum = step.inside or mode == "zeros" or (mode == "circular" and out * window.stride == n)
    return replace(step, ordered=ordered and one_sum)


def _windows(counts: Counts, sizes: tuple[int, ...]) -> Iterator[tuple[int, int, Window]]:
    """(in, out, window) of each axis of a layer without weights."""
    outs = counts.y_shape[1:]
    if len(outs) != len(sizes):  # what it does with the axes is not known
        outs = (1,) * len(sizes)
    windows = counts.reads if isinstance(counts.reads, tuple) else (Window(),) * len(sizes)
    yield from zip(sizes, outs, windows, strict=True)


def _plain(layer: Layer, n: int, out: int, window: Window) -> Step:
    if type(layer) not in PLAIN:  # a subclass may do anything
        return Step("unknown", n, out)
    match layer:
        case AvgPool():
            # A mean over the elements that are there differs at the border, by its divisor.
            return Step("mean", n, out, window, strict=not layer._windows["count_include_pad"])
        case MaxPool():
            return Step("max", n, out, window, strict=window.low > 0)
        case BlurPool():
            return Step("sweep", n, out, window, mode=layer.padding_mode)
        case APS():
            return Step("aps", n, out, Window(n // out, n // out))
    return Step("sweep", n, out, window, period=out, blank="b" not in layer.params, ordered=False)


def why(step: Step, stage: Stage, law: Law) -> str:
    """In words what breaks a law; nothing if the step keeps it."""
    if step.size == step.out == 1 or step.sees_all:
        return ""
    if stage.kind == "Flatten" and step.kind == "unknown":
        return "places become features"
    if step.kind == "unknown":
        return "nothing is known of this layer"
    if law == "flips":
        return _why_flips(step)
    if step.kind == "element" or (law == "all shifts" and step.kind in ("mean", "max")):
        return ""
    if stage.kind == "Dense" or step.period == step.out > 1:
        return "each place has a filter of its own"
    if law == "circular shifts":
        return "" if step.closed else _why_circular(step)
    return "the choice depends on the whole image" if step.kind == "aps" else ""


def _why_circular(step: Step) -> str:
    if not (step.inside or step.wraps):
        end = {"zeros": "zeros", "reflect": "a reflection", "symmetric": "a reflection",
               "replicate": "copies of the border"}[step.mode]
        end = "nothing" if step.strict else end
        return f"beyond each end stands {end} in the place of the other end"
    stride, n, out = step.window.stride, step.size, step.out
    if step.kind == "spread":
        return f"the wrap seam: {n} inputs at stride {stride} do not go round {out} outputs"
    if out * stride % n:
        return f"the wrap seam: {out} outputs at stride {stride} do not go round {n} elements"
    return f"the wrap seam: the period {step.period} does not divide {out} outputs"


def _why_flips(step: Step) -> str:
    if even(step):
        return ""
    if step.kind == "aps":
        return "of components that tie, the kept one follows shifts, not flips"
    stride, low = step.window.stride, step.window.low
    if step.kind == "spread":
        high = step.ends[1] - step.out + 1
    else:
        high = step.ends[1] - step.size + 1
    at = f" at stride {stride}" if stride > 1 else ""
    return f"uneven{at}: windows reach {low} before the axis, {high} beyond"
