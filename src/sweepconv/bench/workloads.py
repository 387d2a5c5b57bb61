"""The layers that are timed: published shapes from workloads.tsv, and a few more of our own."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal, TypeAlias, cast

from sweepconv.counts import Counts, counts_of

Family: TypeAlias = Literal["conv", "local", "dense"]
Shape: TypeAlias = tuple[int, ...]

FILES = ("workloads.tsv", "more.tsv")
QUICK = (  # one small layer or two of each kind
    "mobilenet_v1/pw_conv10", "mobilenet_v1/conv5_1_dw", "googlenet_v1/inception_4a/5x5_reduce",
    "small_nets/mnist_c2", "small_nets/lenet_c1", "timeseries/inc_bottleneck",
    "video_dw3d/movinet_conv_9", "image_filters/f5x5_1024", "local/cifar_local3",
    "dense/32x784x1024", "overhead/call_1x1x8x8_k3")


@dataclass(frozen=True)
class Layer:
    """One row.  A dense layer has no spatial axes."""

    suite: str
    name: str
    family: Family
    n: int
    c_in: int
    c_out: int
    groups: int
    size: Shape
    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape
    weight: int  # occurrences in the network

    @property
    def id(self) -> str:
        return f"{self.suite}/{self.name}"

    @property
    def ndim(self) -> int:
        return len(self.size)

    @property
    def out(self) -> Shape:
        return tuple((i + 2 * p - d * (k - 1) - 1) // s + 1 for i, k, s, p, d in zip(
            self.size, self.kernel, self.stride, self.pad, self.dilation, strict=True))

    @property
    def x_shape(self) -> Shape:
        return (self.n, self.c_in, *self.size)

    @property
    def w_shape(self) -> Shape:
        bank = self.out if self.family == "local" else ()
        return (*bank, self.c_out, self.c_in // self.groups, *self.kernel)

    @property
    def y_shape(self) -> Shape:
        return (self.n, self.c_out, *self.out)

    @property
    def counts(self) -> Counts:
        """Of one image."""
        geometry: dict[str, Any] = {} if self.family == "dense" else {
            "stride": self.stride, "padding": self.pad, "dilation": self.dilation,
            "groups": self.groups}
        return counts_of(self.family, self.x_shape[1:], self.w_shape, bias=False, **geometry)

    @property
    def terms(self) -> int:
        """Products in the sum of one output."""
        return self.counts.filter_size

    @property
    def flops(self) -> int:
        """Multiplications and additions, taps on padding included: of each direction alike."""
        return 2 * self.n * self.counts.multiply_adds

    @property
    def elements(self) -> int:
        """Of x, w and y: what must be read or written once."""
        return sum(math.prod(s) for s in (self.x_shape, self.w_shape, self.y_shape))

    @property
    def kind(self) -> str:
        """The class of layers that it is counted in."""
        if self.suite in ("overhead", "denormal"):
            return self.suite
        if self.family != "conv":
            return {"local": "local", "dense": "fully connected"}[self.family]
        if self.c_in == 1:
            return "single channel"
        if self.groups == self.c_in:
            return "depthwise"
        square = self.ndim == 2 and self.kernel in ((1, 1), (3, 3)) and self.groups == 1
        return SQUARE if square and min(self.c_in, self.c_out) >= 64 else "other"


SQUARE = "3x3 and 1x1, >= 64 channels"
KINDS = (SQUARE, "depthwise", "single channel", "local", "fully connected", "other", "overhead",
         "denormal")


def _per_axis(text: str, ndim: int) -> Shape:
    values = tuple(map(int, text.split(",")))
    return values * ndim if len(values) == 1 else values


def _layer(columns: dict[str, str]) -> Layer:
    ndim = int(columns["ndim"])
    family, _, name = columns["layer"].rpartition(":")
    size, kernel = (tuple(int(columns[f"{of}_{axis}"]) for axis in "dhw")[3 - ndim:]
                    for of in ("in", "k"))
    stride, pad, dilation = (_per_axis(columns[key], ndim) for key in ("stride", "pad", "dilation"))
    n, c_in, c_out, groups, weight = (int(columns[key]) for key in (
        "N", "C_in", "C_out", "groups", "weight"))
    return Layer(columns["suite"], name, cast(Family, family or "conv"), n, c_in, c_out, groups,
                 size, kernel, stride, pad, dilation, weight)


def parse(text: str) -> Iterator[Layer]:
    """The rows of a table whose first line that is no comment names the columns."""
    lines = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    yield from (_layer(dict(zip(lines[0], line, strict=True))) for line in lines[1:])


def layers(names: Sequence[str] = FILES) -> list[Layer]:
    """All rows that ship with the package."""
    folder = files(__package__)
    return [layer for name in names
            for layer in parse(folder.joinpath(name).read_text(encoding="utf-8"))]


def select(rows: Iterable[Layer], *, suites: Sequence[str] = (), match: str = "",
           quick: bool = False, every: int = 1) -> list[Layer]:
    """Those of some suites, whose suite/layer `match` (a regular expression) is found in; then
    each `every`th of them.  ValueError where nothing is left."""
    rows = list(rows)
    if unknown := sorted(set(suites) - {r.suite for r in rows}):
        known = ", ".join(dict.fromkeys(r.suite for r in rows))
        raise ValueError(f"--suite {unknown[0]}: no such suite; there are {known}")
    try:
        pattern = re.compile(match)
    except re.error as error:
        raise ValueError(f"--match {match}: not a regular expression ({error})") from None
    chosen = [r for r in rows if (not suites or r.suite in suites) and pattern.search(r.id)
              and (not quick or r.id in QUICK)][::every]
    if not chosen:
        raise ValueError("no row is left: see sweepconv bench --list")
    return chosen
