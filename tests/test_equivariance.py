"""What is certified is measured: bits where laws hold, an error where they do not."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
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
    locate,
    measure,
    measure_layers,
    polyphase,
    polyphase_inverse,
    polyphase_shift,
)
from sweepconv.equivariance.act import Border, Shift
from sweepconv.equivariance.flips import even
from sweepconv.equivariance.shifts import interior
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
        ends: dict[str, list[Layer]] = {
            "map": [], "global": [GlobalMaxPool()],
            "classes": [GlobalMaxPool(), Dense(shape[0], 5, **given)],
            "dense": [Dense(shape, 5, **given)],
            "flat": [Flatten(), Dense(math.prod(shape), 5, **given)]}
        return ends[end]

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
                           * self.one_of(-2, -1, 0, 1, 2)) for a in c.axes) for _ in range(3)]
        return [shift for shift in found if any(shift)]


def spatial(y: Array) -> tuple[int, ...]:
    return tuple(range(2, y.ndim))


def agree(found: Measured, bits: bool) -> None:
    assert found.largest_error < 1e-9
    assert found.exact or not bits or not found.compared


def lattices_agree(c: Certificate, shift: tuple[int, ...]) -> bool:
    """False for windows that go round several times, where the result may move otherwise than by
    shift / stride."""
    moves = c.moved(shift) or ()
    return all((m - d // s) % a.out == 0
               for m, d, s, a in zip(moves, shift, c.stride, c.axes, strict=True))


def check_circular(net: Layer, c: Certificate, x: Array, shift: tuple[int, ...]) -> None:
    """At every element."""
    if len(c.y_shape) == 1 or lattices_agree(c, shift):
        agree(measure(net, x, shifts=[shift], stride=c.stride),
              all(a.circular.bitwise for a in c.axes))
    else:
        moved = np.roll(net(x), c.moved(shift) or 0, tuple(range(2, x.ndim)))
        np.testing.assert_allclose(net(Shift(shift)(x)), moved, rtol=1e-9, atol=1e-12)


def check_denied(draw: Draw, shift: tuple[int, ...]) -> bool:
    """No shift of the result explains it, for at least one of a few draws of weights: ReLU and
    maxima can hide what happens at a border.  False if other layers make up for it."""
    for _ in range(8):
        x = draw.redraw()
        y, rolled = draw.net(x), draw.net(Shift(shift)(x))
        moves = product(*map(range, y.shape[2:]))
        if min(np.abs(rolled - np.roll(y, by, spatial(y))).max() for by in moves) > 1e-9:
            return True
    return False


def check_interior(net: Layer, c: Certificate, x: Array, shift: tuple[int, ...]) -> bool:
    """Away from the border; whether there was anything left to compare."""
    if not lattices_agree(c, shift):
        return False
    for border in BORDERS:
        agree(measure(net, x, shifts=[shift], border=border, stride=c.stride,
                      region="interior", margin=partial(c.margin, border=border)), c.bitwise)
    return all(sum(pair) < n for pair, n in zip(c.margin(shift, "zeros"), c.y_shape[1:],
                                                strict=True))


def check_support(draw: Draw, c: Certificate) -> bool:
    """An image that is zero elsewhere: exact everywhere.  Whether there was such a shift."""
    x, shift, moves, box = np.zeros((3, *draw.x_shape)), [], [], []
    for a in c.axes:
        if a.support is None:
            return False
        first, last, period, moved = a.support
        n = int(draw.rng.integers(0, (last - first) // period + 1))
        start = first + int(draw.rng.integers(0, last - first - n * period + 1))
        box.append(slice(start, last + 1 - n * period))
        shift.append(n * period)
        moves.append(n * moved)
    place = (slice(None), slice(None), *box)
    x[place] = draw.rng.standard_normal(x[place].shape)
    y, found = draw.net(x), draw.net(Shift(tuple(shift), "zeros")(x))
    expected = Shift(tuple(moves), "zeros")(y) if y.ndim > 2 else y
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert np.array_equal(found, expected) or not c.bitwise
    return any(shift)


def check_flips(draw: Draw, c: Certificate, x: Array) -> bool | None:
    """With turned weights, up to rounding; None where it cannot be told."""
    for axis, a in enumerate(c.axes):
        if any(step.period > 1 for step in a.steps) and not all(map(even, a.steps)):
            continue  # the bank may then be turned about another place than its middle
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
            found["denied" if check_denied(draw, shift) else "hidden"] += 1
        if len(c.y_shape) > 1 and c.moved(shift) is not None:
            found["interior"] += check_interior(draw.net, c, x, shift)
    found["support"] += check_support(draw, c)
    found[f"flips {check_flips(draw, c, draw.redraw())}"] += 1
    return found


def test_what_is_certified_is_measured_on_500_networks() -> None:
    found: Counter[str] = Counter()
    for seed in range(500):
        found += check(Draw(seed))
    assert min(found[name] for name in ("circular", "denied", "interior")) > 200
    assert found["support"] > 40
    assert found["hidden"] < found["denied"] / 20
    assert min(found["flips True"], found["flips False"]) > 100


@given(st.integers(500, 10**9))
def test_what_is_certified_is_measured_on_more_networks(seed: int) -> None:
    check(Draw(seed))


# Laws that are known in numbers

RING: dict[str, Any] = {"padding": 1, "padding_mode": "circular", "dtype": np.float64, "rng": 0}
F64: dict[str, Any] = {"dtype": np.float64, "rng": 0}


def symmetric(layer: Any) -> Any:
    """Its filters made equal to their flips and turns."""
    w = layer.params["w"]
    for turned in (np.flip(w, -1), np.flip(w, -2), w.swapaxes(-1, -2)):
        w[...] = (w + turned.copy()) / 2
    return layer


@pytest.mark.parametrize("size, stride", list(product(range(9, 14), (1, 2, 3))))
def test_flips_and_turns_hold_iff_the_windows_are_even(size: int, stride: int) -> None:
    layer = symmetric(Conv(1, 2, 3, stride=stride, padding=1, **F64))
    c, x = certify(layer, (1, size, size)), normal((2, 1, size, size))
    even_windows = (size + 2 - 2 - 1) % stride == 0
    assert c.flips == (even_windows,) * 2
    assert c.turns == even_windows
    for group in ("flips", "turns"):
        error = measure(layer, x, group).largest_error
        assert error < 1e-14 if even_windows else error > 0.1


def test_the_padding_of_224_and_225() -> None:
    """Alsallakh et al. 2021: at stride 2 an image of 224 is padded unevenly, one of 225 evenly."""
    layer = Conv(1, 1, 3, stride=2, padding=1)
    assert certify(layer, (1, 224, 224)).flips == (False, False)
    assert certify(layer, (1, 225, 225)).flips == (True, True)


def test_uneven_padding_is_turned_back_by_what_mirrors_it() -> None:
    ring = {"padding_mode": "circular", **F64}
    first, second = (Conv(1, 1, (2,), padding=(pad,), **ring) for pad in ((0, 1), (1, 0)))
    assert certify(first, (1, 8)).flips == (False,)
    c = certify([first, second], (1, 8))
    assert c.flips == (True,)
    assert c.breaks == ()


def test_turns_ask_for_equal_axes() -> None:
    assert not certify(Conv(1, 1, 3, stride=(1, 2), padding=1), (1, 9, 9)).turns
    assert not certify(Conv(1, 1, 3), (1, 9, 8)).turns
    assert certify(Conv(1, 1, 3), (1, 9, 9)).turns
    assert not certify(Conv(1, 1, (3,)), (1, 9)).turns


def red_green(padding: Any, padding_mode: str = "zeros") -> Sequential:
    """Of Kayhan & van Gemert, CVPR 2020."""
    layers: list[Layer] = []
    for i, (channels, outs, stride) in enumerate([(3, 32, 1), (32, 32, 2), (32, 64, 2),
                                                  (64, 64, 2)]):
        layers += [Conv(channels, outs, 3, stride=stride, padding=padding, bias=False, rng=i,
                        padding_mode=padding_mode), ReLU()]
    return Sequential(*layers, GlobalMaxPool(), Dense(64, 2, rng=9))


def red_green_boxes() -> Array:
    x = np.zeros((1, 3, 32, 32), np.float32)
    x[0, 0, 5:9, 4:8] = x[0, 1, 6:10, 20:24] = 1
    return x


@pytest.mark.parametrize("padding, mode, exact", [
    ("full", "zeros", True), (1, "circular", True), (1, "zeros", False), (0, "zeros", False)])
def test_red_green_with_random_weights(padding: Any, mode: str, exact: bool) -> None:
    """A shift of the boxes by 16 rows, twice the total stride of 8."""
    net, x = red_green(padding, mode), red_green_boxes()
    c = certify(net, (3, 32, 32))
    assert measure(net, x, shifts=[(16, 0)], border="zeros").exact == exact
    assert c.stride == (Fraction(8), Fraction(8))
    assert (c.axes[0].support == (0, 31, 8, 0)) == (padding == "full")
    assert c.commutes((16, 0)) == (mode == "circular")
    off = measure(net, x, shifts=[(4, 0)], border="zeros")
    assert off.largest_error > 0.001


def test_bias_ends_exactness_at_the_border() -> None:
    without, with_bias = (Conv(1, 1, 3, padding="full", bias=bias) for bias in (False, True))
    assert certify(without, (1, 8, 8)).axes[0].support == (0, 7, 1, 1)
    assert certify(with_bias, (1, 8, 8)).axes[0].support is None


def test_the_margin_of_a_convolution_is_tight() -> None:
    """One output further out the border shows."""
    layer, x = Conv(1, 1, (3,), dilation=2, padding=2, **F64), normal((1, 1, 16))
    c = certify(layer, (1, 16))
    (low, high), = c.margin(3)
    assert (low, high) == (5, 2)  # 3 rolled in and 2 padded; 2 padded
    for pair in ((low - 1, high), (low, high - 1)):
        assert not measure(layer, x, shifts=[3], region="interior", margin=[pair]).exact


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_margins_are_those_of_the_receptive_field(seed: int) -> None:
    """`sharing.cost` follows the fields in fractions; below, nothing but the image's end cuts."""
    for draw in map(Draw, range(seed, seed + 10)):
        c, fields = certify(draw.net, draw.x_shape), sc.sharing.cost(draw.net, draw.x_shape).field
        for a, field in zip(c.axes, fields or (), strict=False):
            if any(step.window.low < 0 or step.kind == "spread" for step in a.steps):
                continue
            shift = a.linear.period
            first, stop = interior(a.steps, a.size, shift)
            seen = [field.start - Fraction(field.size - 1, 2) + p * field.jump
                    for p in range(a.out)]
            if first < stop:
                assert first == next(p for p, left in enumerate(seen) if left >= shift)


def test_the_layers_that_break_a_law_are_named() -> None:
    net = Sequential(Conv(1, 2, 3, **RING), ReLU(), Conv(2, 2, 3, padding=1, **F64),
                     LocalConv(2, 2, 3, input_size=8, **RING), Flatten(), Dense(128, 3, **F64))
    c, x = certify(net, (1, 8, 8)), normal((2, 1, 8, 8))
    first, local = c.first_break(), c.first_break("all shifts")
    assert first is not None
    assert local is not None
    assert (first.layer, first.name, first.axis) == (2, "2 Conv", 0)
    assert (local.layer, local.name) == (3, "3 LocalConv")
    assert "zeros" in first.reason
    assert {b.layer for b in c.breaks} == {2, 3, 5}
    assert c.first_break("flips") is None
    broken = measure_layers(net, x).first_break()
    assert broken is not None
    assert broken.name == first.name
    alone = measure_layers(net, x, alone=True)
    assert [row.name for row in alone if row.largest_error > 0] == [
        "2 Conv", "3 LocalConv", "4 Flatten"]


def test_the_wrap_seam() -> None:
    c = certify(Conv(1, 1, (3,), stride=2, **RING), (1, 9))
    assert not c.commutes(2)
    assert "wrap seam" in c.breaks[0].reason
    tiled = TiledConv(1, 1, (3,), period=2, **RING)
    assert certify(tiled, (1, 8)).axes[0].circular.period == 2
    assert not certify(tiled, (1, 9)).commutes(2)


def test_strides_and_periods_multiply() -> None:
    net = [Conv(1, 2, (3,), stride=2, **RING), TiledConv(2, 2, (3,), period=3, **RING),
           ConvTranspose(2, 1, (4,), stride=4, **F64)]
    c = certify(net, (1, 24))
    assert (c.axes[0].circular.period, c.axes[0].circular.moves) == (6, 12)
    assert c.stride == (Fraction(1, 2),)
    assert c.moved(-12) == (-24,)
    assert c.moved(3) is None


def test_max_pools_before_a_global_one_cost_nothing() -> None:
    net = Sequential(Conv(1, 3, 3, **RING), MaxPool(2), ReLU(), GlobalMaxPool())
    c, x = certify(net, (1, 7, 8)), normal((2, 1, 7, 8))
    assert [a.circular.period for a in c.axes] == [7, 1]  # of 7 rows MaxPool(2) leaves one out
    assert measure(net, x, shifts=[(0, d) for d in range(8)]).exact
    assert not measure(net, x, shifts=[(1, 0)]).exact


def test_an_algorithm_that_is_not_direct_gives_no_equal_bits() -> None:
    c = certify(Conv(1, 1, 3, algorithm="winograd", **RING), (1, 8, 8))
    assert c.commutes(1)
    assert not c.bitwise


def test_sums_in_an_order_of_their_own_give_no_equal_bits() -> None:
    """The mean of a whole ring, and borders that are folded back after the sweep."""
    mean, x = AvgPool((8,)), normal((2, 3, 8))
    folded = ConvTranspose(3, 1, (6,), **RING | {"padding": ((4, 5),)})
    for layer, out in ((mean, 1), (folded, 4)):
        c = certify(layer, (3, 8))
        assert c.y_shape[1:] == (out,)
        assert c.commutes(3)
        assert not c.bitwise
        assert measure(layer, x, stride=8 if layer is mean else 1).largest_error < 1e-12


def test_three_axes() -> None:
    net = Sequential(Conv(1, 2, (3, 1, 2), padding=((1, 1), (0, 0), (0, 1)), stride=(2, 1, 1),
                          padding_mode="circular", **F64), MaxPool((1, 2, 1)), APS((1, 1, 2)),
                     GlobalMaxPool())
    c, x = certify(net, (1, 4, 6, 4)), normal((1, 1, 4, 6, 4))
    # What APS keeps depends on what MaxPool left, so the global maximum does not undo that.
    assert [a.circular.period for a in c.axes] == [2, 2, 1]
    assert measure(net, x, step=(2, 2, 1)).exact
    assert not measure(net, x, shifts=[(1, 0, 0)]).exact


LARGE = {
    "circular": [Conv(12, 40, 3, padding=1, padding_mode="circular", rng=0), ReLU(),
                 Conv(40, 24, 5, stride=2, padding=2, padding_mode="circular", groups=4, rng=1)],
    "zeros": [Conv(12, 24, 3, padding=1, rng=0), ReLU(), MaxPool(2),
              Conv(24, 24, 3, padding=2, dilation=2, groups=24, rng=1), AvgPool(3, stride=1)],
    "tiled": [TiledConv(12, 20, 3, period=2, padding=1, padding_mode="circular", rng=0),
              BlurPool(3)],
    "up": [Conv(12, 16, 3, stride=2, padding=1, rng=0), ReLU(),
           ConvTranspose(16, 33, 4, stride=2, padding=1, rng=1)],
}


@pytest.mark.parametrize("name", LARGE)
def test_bits_in_maps_of_many_tiles(name: str) -> None:
    """In float32, with blocks, panels and threads that a small map does not have."""
    net = Sequential(*LARGE[name])
    c, x = certify(net, (12, 48, 52)), normal((2, 12, 48, 52)).astype(np.float32)
    shifts = [(4, 8), (-2, 14), (20, 0)]
    for border in BORDERS:
        found = measure(net, x, shifts=shifts, border=border, region="interior",
                        margin=partial(c.margin, border=border))
        assert found.exact
        assert all(sum(pair) < 30 for pair in c.margin((4, 8), border))
    assert measure(net, x, shifts=shifts).exact == (name in ("circular", "tiled"))


class Other(Layer):
    def _forward(self, x: Array) -> Array:
        return x[..., ::2]


def test_layers_that_are_not_known() -> None:
    assert measure(Other(), normal((1, 1, 8)), step=2).exact
    c = certify(Sequential(Other()), (1, 8))
    assert not c.commutes(1)
    assert c.commutes(8)
    assert "nothing is known" in c.breaks[0].reason


def test_certificates_of_what_has_no_axes() -> None:
    assert certify(Dense(4, 2), (4,)).axes == ()
    assert certify([], (1, 4)).y_shape == (1, 4)
    assert certify([], (1, 4)).commutes(3)
    with pytest.raises(ValueError, match="x_shape"):
        certify(ReLU(), (1, 0))


def test_certificates_as_tables_and_json() -> None:
    c = certify(red_green("full"), (3, 32, 32))
    assert "0..31" in str(c)
    assert "2 Conv breaks flips on axes 0, 1" in str(c)
    assert '"period": 8' in c.json()


def test_no_image_is_made() -> None:
    """An image of 10**5 by 10**5 elements would not fit into memory."""
    net = Sequential(*(Conv(1, 1, 3, stride=2, padding=1) for _ in range(5)))
    assert certify(net, (1, 10**5, 10**5)).stride == (Fraction(32),) * 2


# Measured


def test_unrelated_maps_have_an_error_of_about_sqrt_2() -> None:
    rng = np.random.default_rng(0)
    found = measure(lambda x: rng.standard_normal(x.shape), normal((4, 2, 12, 12)),
                    shifts=[(1, 2), (3, 4)])
    assert found.mean_error == pytest.approx(math.sqrt(2), rel=0.1)
    assert found.bit_equal == 0


def test_errors_by_hand() -> None:
    """f keeps element 0 alone."""
    def first(x: Array) -> Array:
        return np.where(np.arange(x.shape[2]) == 0, x, 0)

    x = np.array([[[3.0, 4.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]]])
    found = measure(first, x, shifts=[-1])
    # Shifted f(x) is (0, 0, 0, 3), f of the shifted is (4, 0, 0, 0): ratio 5/3; the zeros agree.
    assert found.largest_error == pytest.approx(5 / 3)
    assert found.mean_error == pytest.approx(5 / 6)
    assert found.largest_difference == 4
    assert found.bit_equal == 6 / 8
    assert str(found.worst[0] if found.worst else None) == "shift (-1,)"
    assert found.worst is not None
    assert found.worst[1] == 0


def test_consistency_by_hand() -> None:
    """The class is where the one stands, by halves; then it is not shifted at all."""
    x = np.zeros((1, 1, 4))
    x[0, 0, 1] = 1
    halves = measure(lambda x: x.reshape(len(x), 2, 2).sum(2), x)
    assert halves.consistency == 0.5
    assert measure(lambda x: x.sum(2), x).consistency == 1
    quarters = measure(lambda x: x[:, 0], x)
    assert quarters.consistency == 0.25
    assert measure(lambda x: x, x).consistency is None


@pytest.mark.parametrize("f, size, out", [
    (lambda x: x, 8, 8), (lambda x: x[..., ::2], 8, 4), (lambda x: x[..., 1:-1], 8, 6),
    (lambda x: x.repeat(3, -1), 4, 12)])
def test_the_stride_follows_from_the_sizes(f: Callable[[Array], Array], size: int, out: int
                                           ) -> None:
    x = normal((1, 1, size))
    assert f(x).shape[2] == out
    found = measure(f, x, shifts=[2], region="interior", margin=out // 3)
    assert found.exact


def test_an_empty_region_shows_nothing() -> None:
    found = measure(ReLU(), normal((1, 1, 4)), region="interior", margin=2)
    assert (found.compared, found.largest_error) == (0, 0)
    assert not found.exact
    assert "%" not in str(found)


def test_a_stride_that_does_not_follow_is_asked_for() -> None:
    def some(x: Array) -> Array:
        return x[..., ::3]

    with pytest.raises(ValueError, match="stride"):
        measure(some, normal((1, 1, 10)))
    assert measure(some, normal((1, 1, 10)), shifts=[3], stride=3, region="interior",
                   margin=[(1, 0)]).exact


def test_flips_and_turns_of_pools() -> None:
    x = normal((2, 3, 8, 8)).astype(np.float32)
    for group in ("flips", "turns"):
        found = measure(MaxPool(2), x, group)
        assert found.exact
        assert found.elements == 3
    assert measure(MaxPool(2), normal((1, 1, 4, 4, 4)), "flips").elements == 7


def test_zeros_come_in() -> None:
    moved = Shift((1, -2), "zeros")(np.ones((1, 1, 3, 4)))
    assert moved[0, 0].tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    assert not Shift((5, 0), "zeros")(np.ones((1, 1, 3, 4))).any()


@pytest.mark.parametrize("more, says", [
    ({"group": "scales"}, "group"), ({"group": "turns"}, "turns"), ({"border": "ones"}, "border"),
    ({"region": "middle"}, "region"), ({"region": "interior", "margin": [(1, 2, 3)]}, "margin"),
    ({"region": "interior", "margin": -1}, "margin"), ({"shifts": [(1, 2, 3)]}, "shifts"),
    ({"step": 0}, "step"), ({"stride": 0}, "stride"), ({"per_layer": True}, "per_layer")])
def test_errors_of_measure_name_the_argument(more: dict[str, Any], says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        measure(ReLU(), normal((1, 1, 4, 5)), **more)


def test_measured_as_tables_and_json() -> None:
    net = Sequential(Conv(1, 2, 3, **RING), Conv(2, 2, 3, **F64))
    found = measure(net, normal((1, 1, 4, 4)), per_layer=True)
    assert str(found).splitlines()[0] == "15 shifts, 1 samples"
    assert "1 Conv" in found.markdown()
    assert '"bit_equal": 1.0' in found.json()


# Polyphase


@pytest.mark.parametrize("size, stride", [((12,), 3), ((6, 8), (3, 2)), ((4, 6, 4), 2)])
def test_polyphase_is_a_permutation(size: tuple[int, ...], stride: Any) -> None:
    x = normal((2, 3, *size))
    parts = polyphase(x, stride)
    np.testing.assert_array_equal(polyphase_inverse(parts, stride), x)
    other = normal(parts.shape, 1)  # the inverse is the adjoint
    assert (parts * other).sum() == pytest.approx((x * polyphase_inverse(other, stride)).sum())


@pytest.mark.parametrize("shift", list(product(range(-2, 4), range(-2, 3))))
def test_off_the_lattice_the_components_permute(shift: tuple[int, int]) -> None:
    """Component r of the stride-1 map of the shifted image is another component of the map."""
    x, stride = normal((2, 1, 6, 8)), (3, 2)
    layer = Conv(1, 2, 3, **RING)
    before, after = polyphase(layer(x), stride), polyphase(layer(Shift(shift)(x)), stride)
    for part, (source, by) in zip(after, polyphase_shift(shift, stride), strict=True):
        np.testing.assert_array_equal(part, np.roll(before[source], by, (2, 3)))
    strided = Conv(1, 2, 3, stride=stride, **RING)
    np.testing.assert_array_equal(strided(x), before[0])


# Subsampling


@pytest.mark.parametrize("kernel, line", [(2, [1, 1]), (3, [1, 2, 1]), (5, [1, 4, 6, 4, 1])])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blur_pool_is_a_binomial_filter(kernel: int, line: list[int], dtype: Any) -> None:
    x = np.zeros((1, 2, 8, 8), dtype)
    x[0, 1, 4, 4] = 256
    y = blur_pool(x, kernel, stride=1)
    reach = slice(4 - kernel // 2, 4 - kernel // 2 + kernel)
    expected = np.outer(line, line) * 256 / 4**(kernel - 1)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y[0, 1, reach, reach], expected)
    assert y.sum() == 256
    np.testing.assert_array_equal(blur_pool(x, kernel, stride=3), y[:, :, ::3, ::3])


@pytest.mark.parametrize("mode", ["circular", "zeros", "reflect"])
@pytest.mark.parametrize("size, kernel, stride", [((9,), 2, 2), ((7, 8), 3, (2, 3)),
                                                  ((5, 6, 7), 5, 2)])
def test_blur_pool_and_its_gradient_are_adjoint(size: tuple[int, ...], kernel: int, stride: Any,
                                                mode: str) -> None:
    x = normal((2, 3, *size))
    y = blur_pool(x, kernel, stride=stride, padding_mode=mode)
    dy = normal(y.shape, 1)
    dx = blur_pool_input_grad(dy, x.shape, kernel, stride=stride, padding_mode=mode)
    assert (y * dy).sum() == pytest.approx((x * dx).sum())


Moves = Callable[[int, int, int], set[int]]  # of shift, stride and size


def every_shift_is_a_shift(x: Array, strides: tuple[int, ...], norm: Any, moves: Moves) -> None:
    """aps of x, shifted, is aps of x, moved by one of `moves` on each axis, to the bit."""
    y, _ = aps(x, strides, norm=norm)
    for shift in product(*map(range, x.shape[2:])):
        moved, _ = aps(Shift(shift)(x), strides, norm=norm)
        matched = np.zeros(len(x), bool)
        for by in product(*map(moves, shift, strides, y.shape[2:])):
            same = np.roll(y, by, spatial(y)).view(np.int8) == moved.view(np.int8)
            matched |= same.reshape(len(x), -1).all(axis=1)
        assert matched.all(), shift


def anywhere(shift: int, stride: int, size: int) -> set[int]:
    """Components that tie to the end are shifts of one another, by any amount."""
    return set(range(size))


def neighbour(shift: int, stride: int, size: int) -> set[int]:
    return {shift // stride, -(-shift // stride)}


def on_the_lattice(x: Array, strides: tuple[int, ...], norm: Any) -> None:
    shift, by = strides, (1,) * len(strides)
    y, index = aps(x, strides, norm=norm)
    moved, after = aps(Shift(shift)(x), strides, norm=norm)
    np.testing.assert_array_equal(moved, np.roll(y, by, spatial(y)))
    np.testing.assert_array_equal(index, after)


NORMS = pytest.mark.parametrize("norm", ["max", 1, 2])


@NORMS
@pytest.mark.parametrize("fill", ["real", "bits", "constant", "signed zeros", "nan"])
@pytest.mark.parametrize("size, strides", [((8,), (2,)), ((9,), (3,)), ((4, 6), (2, 3)),
                                           ((6, 6), (3, 1))])
def test_aps_commutes_with_every_shift(size: tuple[int, ...], strides: tuple[int, ...],
                                       fill: str, norm: Any) -> None:
    """Up to a shift of the result, to the bit, with ties of every kind."""
    rng = np.random.default_rng(0)
    shape = (4, 2, *size)
    x = {"real": rng.standard_normal(shape), "bits": rng.integers(0, 2, shape) * 1.0,
         "constant": np.full(shape, 3.0), "signed zeros": rng.choice([0.0, -0.0], shape),
         "nan": rng.choice([1.0, np.nan, -1.0], shape)}[fill]
    every_shift_is_a_shift(x.astype(np.float32), strides, norm, anywhere)
    on_the_lattice(x.astype(np.float32), strides, norm)


@pytest.mark.parametrize("length, stride", [(8, 2), (6, 3), (9, 3)])
def test_aps_on_every_binary_image(length: int, stride: int) -> None:
    x = np.array(list(product((0.0, 1.0), repeat=length)))[:, None]
    every_shift_is_a_shift(x, (stride,), "max", anywhere)
    on_the_lattice(x, (stride,), "max")


@NORMS
def test_without_ties_aps_moves_to_a_neighbour(norm: Any) -> None:
    every_shift_is_a_shift(normal((3, 2, 6, 6)), (2, 3), norm, neighbour)


@NORMS
def test_the_norm_of_large_and_small_values(norm: Any) -> None:
    x = np.array([[[1e200, 3e200, 1e-200, 1e200]]])
    assert aps(x, 2, norm=norm)[1].tolist() == [1]
    assert aps(x * 1e-300, 2, norm=norm)[1].tolist() == [1]


def subsampled(*between: Callable[[], Layer], stride: int = 1) -> Sequential:
    """Two circular convolutions, each with what subsamples after it, and four scores."""
    first, second = (make() for make in between)
    return Sequential(Conv(1, 4, 3, **RING, stride=stride), ReLU(), first,
                      Conv(4, 4, 3, **RING, stride=stride), ReLU(), second, GlobalMaxPool())


def test_an_untrained_net_with_aps_is_consistent_under_every_shift() -> None:
    x = normal((8, 1, 12, 12))
    net = subsampled(lambda: APS(2), lambda: APS(3))
    c, found = certify(net, (1, 12, 12)), measure(net, x)
    assert c.commutes((1, 5))
    assert c.axes[0].circular.period == 1
    assert found.exact
    assert found.consistency == 1
    plain = measure(subsampled(ReLU, ReLU, stride=2), x)
    assert not plain.exact
    assert plain.consistency is not None
    assert plain.consistency < 1


def test_blur_makes_the_break_smaller() -> None:
    x = normal((8, 1, 12, 12))
    plain = measure(Sequential(Conv(1, 4, 3, stride=2, **RING), GlobalMaxPool()), x)
    blurred = measure(Sequential(Conv(1, 4, 3, **RING), BlurPool(5), GlobalMaxPool()), x)
    assert 0 < blurred.mean_error < plain.mean_error


def test_aps_in_a_certificate() -> None:
    c = certify(APS(2), (1, 8))
    assert c.axes[0].circular == sc.equivariance.Lattice(2, 1, 1, True)
    assert c.flips == (False,)
    assert "1 -> any" in str(c)
    then = certify([APS(2), Conv(1, 1, (3,), stride=2, **RING)], (1, 8))
    assert then.axes[0].circular.loose == 4


@pytest.mark.parametrize("layer", [BlurPool(3), APS(2), BlurPool(2, stride=(1, 2)), APS((1, 3))])
def test_gradients_of_the_layers(layer: Layer) -> None:
    """The differences of sums of dy * y, which are linear while APS keeps its choice."""
    x = normal((2, 3, 6, 6))
    y = layer(x)
    assert y.shape[1:] == layer.out_shape(x.shape[1:])
    dy, dx = normal(y.shape, 1), normal(x.shape, 2) * 1e-6
    y = layer(x)
    grad = layer.backward(dy)
    assert ((layer(x + dx) - y) * dy).sum() == pytest.approx((grad * dx).sum(), rel=1e-6)


def test_aps_gradient_by_hand() -> None:
    dx = aps_input_grad(np.ones((2, 1, 2, 1)), [0, 3], (2, 1, 4, 2), 2)
    assert dx[:, 0].tolist() == [[[1, 0], [0, 0], [1, 0], [0, 0]],
                                 [[0, 0], [0, 1], [0, 0], [0, 1]]]


@pytest.mark.parametrize("call, says", [
    (lambda x: aps(x, 3), "stride must divide"), (lambda x: aps(x, 2, norm=3), "norm"),
    (lambda x: blur_pool(x, 4), "kernel"), (lambda x: blur_pool(x, stride=0), "stride"),
    (lambda x: polyphase(x[0, 0], 2), "x must be"), (lambda x: APS(norm="l2"), "norm"),
    (lambda x: polyphase_inverse(x[None], 2), "components"), (lambda x: BlurPool(1), "kernel"),
    (lambda x: aps_input_grad(x[..., ::2, ::2], [4], x.shape), "index"),
    (lambda x: aps_input_grad(x, [0], x.shape), "dy"),
    (lambda x: locate(x, x[0], score="best"), "score"),
    (lambda x: locate(x, x), "w must be"), (lambda x: aps(x.astype(int)), "x must be float")])
def test_errors_name_the_argument(call: Callable[[Array], Any], says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        call(normal((1, 1, 4, 4)))


# Located


@pytest.mark.parametrize("score", ["response", "cosine", "zncc"])
def test_a_pattern_that_moves_moves_its_place(score: str) -> None:
    rng = np.random.default_rng(0)
    w = rng.standard_normal((2, 3, 4))
    x = 0.1 * rng.standard_normal((2, 2, 10, 12))
    x[0, :, 2:5, 3:7] += w
    x[1, :, 5:8, 1:5] += w
    found = locate(x, w, score=score)
    assert found.position.tolist() == [[2, 3], [5, 1]]
    assert found.map.shape == (2, 8, 9)
    ring: dict[str, Any] = {"padding": "same", "padding_mode": "circular"}
    before = locate(x, w, score=score, **ring)
    for shift in [(1, 0), (0, 5), (7, 11)]:
        after = locate(Shift(shift)(x), w, score=score, **ring)
        np.testing.assert_array_equal(after.map, np.roll(before.map, shift, (1, 2)))
        moved = (after.position - before.position - shift) % (10, 12)
        assert not moved.any()


def test_scores_do_not_see_brightness_or_ground() -> None:
    w = normal((1, 3, 3))
    x = normal((1, 1, 9, 9), 1)
    x[0, :, 4:7, 2:5] = w
    for score, changed in (("cosine", 5 * x), ("zncc", 5 * x + 100)):
        one, other = locate(x, w, score=score), locate(changed, w, score=score)
        np.testing.assert_allclose(other.map, one.map, atol=1e-9)
        assert one.position.tolist() == [[4, 2]]
        assert one.score[0] == pytest.approx(1)
        assert np.abs(one.map).max() <= 1


@pytest.mark.parametrize("padding", ["valid", "same", ((2, -1), (0, 1))])
def test_scores_by_definition(padding: Any) -> None:
    x, w = normal((2, 2, 6, 7)) + 3, normal((2, 3, 2), 1)
    pads = {"valid": ((0, 0), (0, 0)), "same": ((1, 1), (0, 1))}.get(str(padding), padding)
    grown = np.pad(x, ((0, 0), (0, 0), *((max(a, 0), max(b, 0)) for a, b in pads)))
    if padding == ((2, -1), (0, 1)):
        grown = grown[:, :, :-1]
    windows = np.lib.stride_tricks.sliding_window_view(grown, (3, 2), (2, 3))
    flat = windows.transpose(0, 2, 3, 1, 4, 5).reshape(*grown.shape[:1], grown.shape[2] - 2,
                                                       grown.shape[3] - 1, -1)
    centred, v = flat - flat.mean(-1, keepdims=True), w.ravel()
    u = v - v.mean()
    size = np.linalg.norm(centred, axis=-1)
    expected = {
        "response": flat @ v,
        "cosine": flat @ v / (np.linalg.norm(flat, axis=-1) * np.linalg.norm(v)),
        "zncc": np.where(size < 1e-9, 0, centred @ u / np.maximum(size, 1e-30)
                         / np.linalg.norm(u))}
    for score, values in expected.items():
        np.testing.assert_allclose(locate(x, w, score=score, padding=padding).map, values,
                                   atol=1e-9)


def test_windows_without_contrast_score_0() -> None:
    w = np.array([[1.0, 2.0, 4.0]])
    for value in (0.0, 0.1, 1e8):
        flat = np.full((1, 1, 9), value)
        assert not locate(flat, w, score="zncc").map.any()
    assert not locate(np.zeros((1, 1, 9)), w, score="cosine").map.any()
    assert not locate(normal((1, 1, 9)), np.ones((1, 3)), score="zncc").map.any()


def test_the_best_of_neighbours_is_kept() -> None:
    x = np.zeros((1, 1, 12))
    x[0, 0, [1, 2, 6, 11]] = 3, 4, 2, 5
    one = np.ones((1, 1))
    places = [f.position for f in locate(x, one, threshold=2, apart=2).found]
    assert places == [(11,), (2,), (6,)]
    around = locate(x, one, threshold=2, apart=4, padding_mode="circular", padding="same")
    assert [f.position for f in around.of_sample(0)] == [(11,), (6,)]
    assert locate(x, one, threshold=9).found == ()


def test_letter_2_is_found_at_its_place() -> None:
    """The whole glyph is a filter; the image holds it once, in noise, and its parts elsewhere."""
    rng = np.random.default_rng(3)
    rows, columns = np.indices((16, 10))
    glyph = np.where(rows < 6, abs(np.hypot(rows - 4.5, columns - 4.5) - 4) <= 0.75,
                     (rows >= 14) | (abs(columns - (8 - 7 * (rows - 6) / 8)) <= 0.75)) * 1.0
    assert glyph.sum() == 59
    x = 0.3 * rng.standard_normal((1, 1, 40, 40))
    x[0, 0, 20:36, 25:35] += glyph
    x[0, 0, 2:8, 3:13] += glyph[:6]
    assert locate(x, glyph[None], score="zncc").position.tolist() == [[20, 25]]
