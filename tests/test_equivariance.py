"""What is certified is measured: bits where laws hold, an error where they do not."""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sweepconv as sc
from sweepconv.equivariance import (
    APS,
    BlurPool,
    Certificate,
    Measured,
    aps,
    aps_input_grad,
    blur_pool,
    blur_pool_input_grad,
    certify,
    measure,
    measure_layers,
    polyphase,
    polyphase_inverse,
    polyphase_shift,
)
from sweepconv.equivariance.act import Border, Shift
from sweepconv.equivariance.flips import even
from sweepconv.layers import (
    AvgPool,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalMaxPool,
    Layer,
    LocalConv,
    MaxPool,
    ReLU,
    Sequential,
    TiledConv,
)

Array = npt.NDArray[Any]
BORDERS: tuple[Border, ...] = ("circular", "zeros")


def normal(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


# Certified against measured, on random networks


class Draw:
    """A random small network; all choices come from one generator, so a seed names a network."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.rank = self.one_of(1, 2)
        self.size = self.each(6, 8, 9, 12)
        self.x_shape = (self.one_of(1, 2, 3), *self.size)
        self.bias = self.chance(0.6)
        self.ring = self.chance(0.6)  # circular throughout, so that many nets keep a law
        self.families = self.chance(0.5)
        self.net = self._net()

    def one_of(self, *values: Any) -> Any:
        return values[int(self.rng.integers(len(values)))]

    def each(self, *values: int) -> tuple[int, ...]:
        return tuple(self.one_of(*values) for _ in range(self.rank))

    def chance(self, of: float) -> bool:
        return bool(self.rng.random() < of)

    def _net(self) -> Sequential:
        layers: list[Layer] = []
        shape, wanted = self.x_shape, self.one_of(1, 2, 3)
        for _ in range(20):
            if len(layers) >= wanted:
                break
            try:
                layer = self._layer(shape)
                out = layer.out_shape(shape)
            except ValueError:  # it does not fit
                continue
            if min(out) >= 1 and math.prod(out[1:]) <= 800:
                layers.append(layer)
                shape = out
                if self.chance(0.4):
                    layers.append(ReLU())
        return Sequential(*layers, *self._end(shape))

    def _end(self, shape: tuple[int, ...]) -> list[Layer]:
        given: dict[str, Any] = {"dtype": np.float64, "rng": self.rng}
        end = self.one_of("map", "map", "map", "global", "classes", "dense", "flat")
        return {"map": [], "global": [GlobalMaxPool()],
                "classes": [GlobalMaxPool(), Dense(shape[0], 5, **given)],
                "dense": [Dense(shape, 5, **given)],
                "flat": [Flatten(), Dense(math.prod(shape), 5, **given)]}[end]

    def _layer(self, shape: tuple[int, ...]) -> Layer:
        kind = self.one_of("conv", "conv", "conv", "pool", "family", "up", "blur")
        if kind == "pool":
            return self._pool()
        if kind == "blur" and min(shape[1:]) > 3:
            mode = "circular" if self.ring else self.one_of("zeros", "reflect", "circular")
            return BlurPool(self.one_of(2, 3, 5), stride=self.each(1, 2), padding_mode=mode)
        kernel, given = self.each(1, 2, 3), self._keywords(kind, shape)
        ring = self.ring and kind != "up"
        given |= self._on_a_ring(shape[1:], kernel) if ring else self._anyhow()
        groups = given["groups"] = self.one_of(1, shape[0])
        outs = groups * self.one_of(1, 2) if groups > 1 else self.one_of(2, 3)
        if kind == "up":
            if isinstance(given["padding"], str):
                given["padding"] = 0
            return ConvTranspose(shape[0], outs, kernel, **given)
        if kind == "family" and self.families:
            if self.chance(0.7):
                return TiledConv(shape[0], outs, kernel, period=self.each(1, 2, 3), **given)
            return LocalConv(shape[0], outs, kernel, input_size=shape[1:], **given)
        return Conv(shape[0], outs, kernel, **given)

    def _keywords(self, kind: str, shape: tuple[int, ...]) -> dict[str, Any]:
        return {"dilation": self.each(1, 1, 2), "bias": self.bias, "dtype": np.float64,
                "rng": self.rng}

    def _anyhow(self) -> dict[str, Any]:
        pairs = tuple(zip(self.each(0, 1, 2, -1), self.each(0, 1, 2), strict=True))
        return {"stride": self.each(1, 1, 2, 3),
                "padding": self.one_of(0, 1, 2, "same", "same_lower", "full", "full", pairs),
                "padding_mode": self.one_of("zeros", "zeros", "zeros", "circular", "reflect",
                                            "symmetric", "replicate")}

    def _on_a_ring(self, size: tuple[int, ...], kernel: tuple[int, ...]) -> dict[str, Any]:
        """ceil(n / stride) windows on an axis of n; the stride divides it, for the most part."""
        stride, pads = [], []
        for n, k in zip(size, kernel, strict=True):
            s = self.one_of(*(s for s in (1, 1, 2, 3) if n % s == 0 or self.chance(0.1)))
            total = (-(-n // s) - 1) * s + k - n
            low = self.one_of(0, total // 2, total)
            stride.append(s)
            pads.append((low, total - low))
        return {"stride": tuple(stride), "padding": tuple(pads), "padding_mode": "circular",
                "dilation": 1}

    def _pool(self) -> Layer:
        if self.ring and self.chance(0.7):
            return MaxPool(self.each(1, 2, 3)) if self.chance(0.5) else AvgPool(self.each(1, 2, 3))
        kernel, stride, padding = self.each(2, 3), self.each(1, 2, 3), self.each(0, 1)
        if self.chance(0.5):
            return MaxPool(kernel, stride=stride, padding=padding)
        return AvgPool(kernel, stride=stride, padding=padding, count_include_pad=self.chance(0.5))

    def redraw(self) -> Array:
        """Other weights, and three images."""
        for p in self.net.params.values():
            p[...] = self.rng.standard_normal(p.shape)
        return self.rng.standard_normal((3, *self.x_shape))

    def shifts(self, c: Certificate) -> list[tuple[int, ...]]:
        """Some on each lattice, some off."""
        found = [tuple(int(self.one_of(1, a.circular.period, a.linear.period)
                           * self.one_of(-2, -1, 0, 1, 2)) for a in c.axes) for _ in range(4)]
        return [shift for shift in found if any(shift)]


def spatial(y: Array) -> tuple[int, ...]:
    return tuple(range(2, y.ndim))


def agree(found: Measured, bits: bool) -> None:
    assert found.largest_error < 1e-9
    assert found.exact or not bits


def lattices_agree(c: Certificate, shift: tuple[int, ...]) -> bool:
    """False for windows that go round several times, where the result may move otherwise than by
    shift / stride."""
    moves = c.moved(shift) or ()
    return all((m - d // s) % a.out == 0
               for m, d, s, a in zip(moves, shift, c.stride, c.axes, strict=True))


def check_circular(net: Layer, c: Certificate, x: Array, shift: tuple[int, ...]) -> None:
    """At every element."""
    if len(c.y_shape) == 1 or lattices_agree(c, shift):
        agree(measure(net, x, shifts=[shift]), all(a.circular.bitwise for a in c.axes))
    else:
        moved = np.roll(net(x), c.moved(shift) or 0, tuple(range(2, x.ndim)))
        np.testing.assert_array_equal(net(Shift(shift)(x)), moved)


def check_denied(draw: Draw, c: Certificate, shift: tuple[int, ...]) -> bool:
    """No shift of the result explains it, for at least one of a few draws of weights: ReLU and
    maxima can hide what happens at a border.  Whether it could be told."""
    for _ in range(8):
        x = draw.redraw()
        y, rolled = draw.net(x), draw.net(Shift(shift)(x))
        moves = product(*map(range, y.shape[2:]))
        if min(np.abs(rolled - np.roll(y, by, spatial(y))).max() for by in moves) > 1e-9:
            return True
    # What the documentation allows: the whole of an axis is read at once, or none of it.
    reads_all = any(step.sees_all for a in c.axes for step in a.steps)
    reads_none = any(np.array_equal(y, draw.net(Shift(one)(x)))
                     for one, d in zip(np.eye(len(shift), dtype=int).tolist(), shift, strict=True)
                     if d)
    assert reads_all or reads_none, f"{draw.net} does not break the law for shift {shift}"
    return False


def check_interior(net: Layer, c: Certificate, x: Array, shift: tuple[int, ...]) -> bool:
    """Away from the border; whether there was anything left to compare."""
    if not lattices_agree(c, shift):
        return False
    for border in BORDERS:
        agree(measure(net, x, shifts=[shift], border=border, region="interior",
                      margin=partial(c.margin, border=border)), c.bitwise)
    return all(sum(pair) < n for pair, n in zip(c.margin(shift, "zeros"), c.y_shape[1:],
                                                strict=True))


def check_support(draw: Draw, c: Certificate) -> bool:
    """An image that is zero elsewhere: exact everywhere.  Whether there was such a shift."""
    x, shift, box = np.zeros((3, *draw.x_shape)), [], []
    for a in c.axes:
        if a.support is None:
            return False
        first, last, period = a.support
        n = int(draw.rng.integers(0, (last - first) // period + 1))
        start = first + int(draw.rng.integers(0, last - first - n * period + 1))
        box.append(slice(start, last + 1 - n * period))
        shift.append(n * period)
    place = (slice(None), slice(None), *box)
    x[place] = draw.rng.standard_normal(x[place].shape)
    agree(measure(draw.net, x, shifts=[tuple(shift)], border="zeros"), c.bitwise)
    return any(shift)


def check_flips(draw: Draw, c: Certificate, x: Array) -> bool | None:
    """With turned weights, up to rounding; None where it cannot be told."""
    for axis, a in enumerate(c.axes):
        if any(step.period > 1 and not even(step) for step in a.steps):
            continue  # the bank is then turned about another place
        y = draw.net(x)
        with turned_weights(draw, c, axis):
            moved = draw.net(np.flip(x, axis + 2))
        expected = np.flip(y, axis + 2) if y.ndim > 2 else y
        apart = float(np.abs(moved - expected).max())
        if a.flips:
            assert apart < 1e-9 * max(1.0, float(np.abs(y).max())), (draw.net, axis)
            return True
        if apart > 1e-9:
            return False
    return None


@contextmanager
def turned_weights(draw: Draw, c: Certificate, axis: int) -> Iterator[None]:
    """Every filter of the net flipped on one axis, and the order of each bank with it."""
    kept = [p.copy() for p in draw.net.params.values()]
    shape = draw.x_shape
    for i, layer in enumerate(draw.net.layers):
        step = c.axes[axis].steps[i]
        for name, p in layer.params.items():
            p[...] = _turned(layer, name, p, step.out, step.period, axis, shape)
        if not isinstance(layer, Flatten) and len(shape) > 1:
            shape = layer.out_shape(shape)
    yield
    for p, old in zip(draw.net.params.values(), kept, strict=True):
        p[...] = old


def _turned(layer: Layer, name: str, p: Array, out: int, period: int, axis: int,
            shape: tuple[int, ...]) -> Array:
    """`shape` is that of the map that reaches the layer, flattened or not."""
    if isinstance(layer, Dense):
        if name == "b" or len(shape) == 1:
            return p.copy()
        return np.flip(p.reshape(len(p), *shape), axis + 2).reshape(p.shape).copy()
    if isinstance(layer, TiledConv | LocalConv):
        p = np.take(p, [(out - 1 - f) % period for f in range(p.shape[axis])], axis)
    if name == "b":
        return p.copy()
    return np.flip(p, p.ndim - (len(shape) - 1) + axis).copy()


def check(draw: Draw) -> Counter[str]:
    """Everything that is certified of one network; how often each law was put to the test."""
    found: Counter[str] = Counter()
    c, x = certify(draw.net, draw.x_shape), draw.redraw()
    assert c.y_shape == draw.net(x).shape[1:]
    for shift in draw.shifts(c):
        if c.commutes(shift):
            check_circular(draw.net, c, x, shift)
            found["circular"] += any(d % n for d, n in zip(shift, draw.size, strict=True))
        else:
            found["denied" if check_denied(draw, c, shift) else "hidden"] += 1
        if len(c.y_shape) > 1 and c.moved(shift) is not None:
            found["interior"] += check_interior(draw.net, c, x, shift)
    found["support"] += check_support(draw, c)
    found[f"flips {check_flips(draw, c, draw.redraw())}"] += 1
    return found


def test_what_is_certified_is_measured_on_500_networks() -> None:
    found: Counter[str] = Counter()
    for seed in range(500):
        found += check(Draw(seed))
    assert min(found[name] for name in ("circular", "denied", "interior")) > 300
    assert found["support"] > 40
    assert found["hidden"] < found["denied"] / 20
    assert min(found["flips True"], found["flips False"]) > 100


@settings(max_examples=30)
@given(st.integers(500, 10**9))
def test_what_is_certified_is_measured_on_more_networks(seed: int) -> None:
    check(Draw(seed))
