"""`cost`, `compare` and the counts below them: published integers, and counting by hand."""

import json
import math
import re
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support import Outline

import sweepconv as sc
from sweepconv import cli
from sweepconv.counts import LADDER, Counts, counts_of
from sweepconv.geometry import PADDING_MODES, geometry, transposed_geometry
from sweepconv.lab.networks import cost as first_layer_cost
from sweepconv.lab.networks import first_layer
from sweepconv.lab.plan import choose_sweep
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
from sweepconv.sharing import Comparison, Cost, Field, Window, compare, cost

# Published integers


def test_deep_learning_figure_9_6() -> None:
    dense = counts_of("dense", (1, 280, 320), (280 * 319, 1, 280, 320), bias=False)
    conv = counts_of("conv", (1, 280, 320), (1, 1, 1, 2), bias=False)
    assert conv.y_shape == (1, 280, 319)
    assert conv.flops == 267_960  # two products and one addition for each output
    assert dense.weights == dense.multiply_adds == 8_003_072_000
    assert round(2 * dense.multiply_adds / conv.flops, 1) == 59_733.3


def rare_event(first: Layer, features: int, window: Any, *more: Layer) -> Sequential:
    """C. Ranjan's network: convolutions, max pooling, dense to 16, dense to 1."""
    return Sequential(first, *more, MaxPool(window), Flatten(), Dense(features, 16), ReLU(),
                      Dense(16, 1))


@pytest.mark.parametrize("net, x_shape, rows, total", [
    (rare_event(Conv(69, 16, (4,)), 64, 4), (69, 20), [4_432, 1_040, 17], 5_489),
    (rare_event(Conv(69, 16, (4,)), 944, 4), (69, 240), [4_432, 15_120, 17], 19_569),
    (rare_event(Conv(1, 16, (4, 69)), 64, (4, 1)), (1, 20, 69), [4_432, 1_040, 17], 5_489),
    (rare_event(Conv(1, 16, (4, 4)), 1024, 4), (1, 20, 69), [272, 16_400, 17], 16_689),
    (rare_event(Conv(69, 64, (4,)), 1888, 4, Conv(64, 32, (1,))), (69, 240),
     [17_728, 2_080, 30_224, 17], 50_049),
])
def test_the_rare_event_networks(net: Sequential, x_shape: Any, rows: list[int], total: int
                                 ) -> None:
    found = cost(net, x_shape)
    assert [r.counts.parameters for r in found.rows if r.counts.parameters] == rows
    assert found.parameters == found.parameters_in_use == net.n_params == total
    assert found.multiply_adds == net.multiply_adds(x_shape)


def test_shapes_of_the_rare_event_networks() -> None:
    for x_shape, w_shape, y_shape in [((69, 20), (16, 69, 4), (16, 17)),
                                      ((69, 240), (16, 69, 4), (16, 237)),
                                      ((1, 20, 69), (16, 1, 4, 4), (16, 17, 66))]:
        assert counts_of("conv", x_shape, w_shape).y_shape == y_shape


def test_a_dense_layer_in_the_place_of_the_first() -> None:
    ladder = compare((69, 20), 16, 4)
    assert ladder["dense"].parameters == 375_632
    assert ladder["conv"].parameters == 4_432
    assert round(375_632 / 4_432, 1) == 84.8


def test_the_first_layer_of_each_family() -> None:
    ladder = compare((3, 32, 32), 64, 3)
    assert [(c.weights, c.biases) for c in ladder.rows] == [
        (176_947_200, 57_600), (1_555_200, 57_600), (4 * 1_728, 4 * 64), (1_728, 64)]
    places = 30 * 30
    assert [c.multiply_adds for c in ladder.rows] == [3 * 32 * 32 * 64 * places,
                                                      *[places * 64 * 27] * 3]
    assert [c.most_uses for c in ladder.rows] == [1, 1, 225, 900]


def test_useful_multiply_adds_of_a_padded_layer() -> None:
    counts = counts_of("conv", (2, 6, 6), (3, 2, 3, 3), padding=1)
    assert counts.useful_multiply_adds == 1_536 == 3 * 2 * 16 * 16
    assert (counts.least_uses, counts.most_uses) == (25, 36)
    assert counts.mean_uses == Fraction(1_536, 54)
    assert counts.multiply_adds == 36 * 54
    circular = counts_of("conv", (2, 6, 6), (3, 2, 3, 3), padding=1, padding_mode="circular")
    assert circular.least_uses == circular.most_uses == 36


@pytest.mark.parametrize("layers, kernel, variance", [(5, 3, Fraction(10, 3)), (6, 5, 12)])
def test_the_paths_of_uniform_layers(layers: int, kernel: int, variance: Any) -> None:
    (field,) = cost([counts_of("conv", (1, 64 - i * (kernel - 1)), (1, 1, kernel))
                     for i in range(layers)]).field or ()
    assert field.size == len(field.profile()) == 1 + layers * (kernel - 1)
    assert field.variance == variance == moments(field.profile())[1]
    assert sum(field.profile()) == kernel**layers


def test_nothing_is_made_of_what_is_counted() -> None:
    tracemalloc.start()
    try:
        ladder = compare((3, 64, 512, 512), 256, 7, padding=3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ladder["dense"].weights == 3 * 256 * (64 * 512 * 512)**2
    assert peak < 1 << 20


# Against counting by hand


@st.composite
def sweeps(draw: Any) -> tuple[str, Any, Any, dict[str, Any]]:
    """family, x_shape, w_shape and keywords of any sweep that fits."""
    rank, groups = draw(st.integers(1, 3)), draw(st.integers(1, 2))

    def each(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(least, most)) for _ in range(rank))

    size, kernel = each(1, 6 if rank < 3 else 4), each(1, 3)
    keywords = {"stride": each(1, 3), "dilation": each(1, 2), "groups": groups,
                "padding": tuple(zip(each(-1, 3), each(-1, 3), strict=True)),
                "padding_mode": draw(st.sampled_from(PADDING_MODES))}
    x, one = (2 * groups, *size), (3 * groups, 2, *kernel)
    try:
        out = sc.output_shape((1, *x), one, **keywords)[2:]
    except ValueError:
        assume(False)
    family = draw(st.sampled_from(["local", "tiled", "conv"]))
    bank = {"local": out, "tiled": each(1, 5), "conv": ()}[family]
    return family, x, (*bank, *one), keywords


def uses_by_hand(family: str, x_shape: Any, w_shape: Any, keywords: dict[str, Any]
                 ) -> tuple[Counter[Any], int]:
    """(filter, tap) -> positions where it meets an element; and all positions times taps."""
    g = geometry("test", family, (1, *x_shape), w_shape, **keywords)  # type: ignore[arg-type]
    uses: Counter[Any] = Counter()
    every = 0
    for p in product(*map(range, g.out_size)):
        for t in product(*map(range, g.kernel)):
            at = [i * s + a * d - low for i, s, a, d, (low, _) in zip(
                p, g.stride, t, g.dilation, g.pads, strict=True)]
            inside = all(0 <= c < n for c, n in zip(at, g.in_size, strict=True))
            every += 1
            if inside or g.mode != "zeros":
                uses[tuple(i % n for i, n in zip(p, g.period, strict=True)), t] += 1
    return uses, every


@given(sweeps())
def test_counts_of_any_sweep(sweep: Any) -> None:
    family, x_shape, w_shape, keywords = sweep
    found = counts_of(family, x_shape, w_shape, **keywords)
    uses, every = uses_by_hand(*sweep)
    pairs = math.prod(w_shape[-len(x_shape) - 1:][:2])  # O * C/groups
    assert found.weights == math.prod(w_shape)
    assert found.multiply_adds == every * pairs
    assert found.gradient_multiply_adds == 2 * every * pairs
    assert found.useful_multiply_adds == uses.total() * pairs
    assert found.weights_in_use == len(uses) * pairs
    assert found.most_uses == max(uses.values(), default=0)
    assert found.least_uses == min(uses.values(), default=0)
    assert found.mean_uses * found.weights_in_use == found.useful_multiply_adds
    assert found.least_uses <= found.mean_uses <= found.most_uses
    outputs = math.prod(found.y_shape)
    bare = counts_of(family, x_shape, w_shape, bias=False, **keywords)
    assert (found.flops, bare.flops) == (2 * every * pairs, 2 * every * pairs - outputs)
    assert (bare.biases, bare.biases_in_use) == (0, 0)


@given(sweeps())
def test_uses_are_the_weight_gradient_of_ones(sweep: Any) -> None:
    """With x = dy = 1 the gradient of a weight is the number of its products."""
    family, x_shape, w_shape, keywords = sweep
    found = counts_of(family, x_shape, w_shape, **keywords)
    x, dy = np.ones((1, *x_shape)), np.ones((1, *found.y_shape))
    verb = {"conv": sc.conv_weight_grad, "tiled": sc.tiled_conv_weight_grad,
            "local": sc.local_conv_weight_grad}[family]
    uses = verb(x, dy, w_shape, **keywords)
    assert found.useful_multiply_adds == uses.sum()
    assert found.weights_in_use == np.count_nonzero(uses)
    assert found.most_uses == uses.max()
    b_shape = (*w_shape[:0 if family == "conv" else len(x_shape) - 1], found.y_shape[0])
    uses = sc.bias_grad(dy, b_shape)
    assert found.biases == uses.size
    assert found.biases_in_use == np.count_nonzero(uses)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2),
       st.integers(-1, 3), st.integers(-1, 3), st.sampled_from(PADDING_MODES))
def test_counts_of_a_transposed_convolution(n: int, k: int, stride: int, dilation: int, low: int,
                                            high: int, mode: str) -> None:
    keywords: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": 2,
                                "padding": ((low, high),), "padding_mode": mode}
    w_shape = (4, 3, k)
    try:
        g = transposed_geometry((1, 4, n), w_shape, output_padding=0, **keywords)
    except ValueError:
        assume(False)
    found = counts_of("conv_transpose", (4, n), w_shape, **keywords)
    assert found.y_shape == (6, *g.in_size)
    landed = Counter(a for i, a in product(range(n), range(k))
                     if mode != "zeros" or 0 <= i * stride + a * dilation - low < g.in_size[0])
    assert found.multiply_adds == n * k * 12
    assert found.useful_multiply_adds == landed.total() * 12
    assert found.weights_in_use == len(landed) * 12
    assert (found.weights, found.biases) == (k * 12, 6)


def test_dense_has_one_use_of_each_weight() -> None:
    for w_shape in [(5, 2, 3, 4), (5, 24)]:
        found = counts_of("dense", (2, 3, 4), w_shape)
        assert (found.weights, found.biases, found.multiply_adds) == (120, 5, 120)
        assert (found.filters, found.filter_size) == (5, 24)
        assert found.least_uses == found.most_uses == found.mean_uses == 1


def test_bytes_and_intensity() -> None:
    found = cost(Conv(3, 4, 3, padding=1, dtype=np.float64), (3, 8, 8))
    assert found.bytes == {"x": 8 * 192, "w": 8 * 108, "b": 8 * 4, "y": 8 * 256}
    assert found.intensity == Fraction(2 * 64 * 108, 8 * (192 + 108 + 4 + 256))
    assert cost(Conv(3, 4, 3), (3, 8, 8), dtype="float64").bytes["x"] == 8 * 192


# Layers and nets


LAYERS: list[tuple[Layer, tuple[int, ...]]] = [
    (Dense(7, 3), (7,)), (Dense((2, 3, 4), 3, bias=False), (2, 3, 4)),
    (Conv(4, 6, 3, stride=2, padding="same", groups=2), (4, 7, 6)),
    (TiledConv(2, 3, 3, period=(2, 9), padding=1), (2, 5, 6)),
    (LocalConv(2, 3, (3,), input_size=(5,), padding=1), (2, 5)),
    (ConvTranspose(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), (4, 3, 4)),
    (MaxPool(2), (2, 4, 6)), (ReLU(), (3, 4)),
]


@pytest.mark.parametrize("layer, x_shape", LAYERS, ids=lambda v: type(v).__name__)
def test_layers_and_their_counts_agree(layer: Any, x_shape: Any) -> None:
    found = cost(layer, x_shape)
    assert (found.x_shape, found.y_shape) == (x_shape, layer.out_shape(x_shape))
    assert found.parameters == layer.n_params
    assert found.multiply_adds == layer.multiply_adds(x_shape)
    if layer.params:
        assert found.weights == layer.params["w"].size
        assert found.most_uses == layer.uses_per_param(x_shape)
        layer(np.ones((1, *x_shape), np.float32))
        layer.backward(np.ones((1, *found.y_shape), np.float32))
        assert found.weights_in_use == np.count_nonzero(layer.grads["w"])
        assert found.useful_multiply_adds == layer.grads["w"].sum()


def test_an_array_that_two_layers_share_counts_once() -> None:
    first, second = Conv(2, 2, 3, padding=1), Conv(2, 2, 3, padding=1)
    second.params["w"] = first.params["w"]
    net = Sequential(first, Sequential(ReLU(), second))
    found = cost(net, (2, 5, 5))
    assert [r.name for r in found.rows] == ["0 Conv", "1.0 ReLU", "1.1 Conv"]
    assert (found.weights, found.biases) == (36, 4)
    assert found.parameters == net.n_params == 40
    assert found.multiply_adds == 2 * 25 * 36
    assert "counted once" in str(found)


class Scale(Layer):
    """A layer that the library does not know, with a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self._params["scale"] = np.ones(1, np.float32)

    def _forward(self, x: Any) -> Any:
        return x * self._params["scale"]


def test_of_an_unknown_layer_the_parameters_are_known() -> None:
    found = cost(Sequential(Conv(1, 1, 3), Scale(), Conv(1, 1, 3)), (1, 8, 8))
    assert found.parameters == 21
    assert [r.field is None for r in found.rows] == [False, True, True]
    assert found.rows[1].counts.multiply_adds == 0


@pytest.mark.parametrize("family", LADDER)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 24), (1, 8, 9, 10)])
def test_the_comparison_command_counts_the_layer_that_it_trains(family: str, shape: Any) -> None:
    sweep = choose_sweep(shape, maps=2)
    layer: Any = first_layer(family, sweep, np.random.default_rng(0))
    found = first_layer_cost(family, sweep)
    assert found["weights"] == found["filters"] * found["filter_size"] == layer.params["w"].size
    assert found["parameters"] == layer.n_params
    assert found["uses_per_weight"] == layer.uses_per_param(shape)
    assert found["multiply_adds"] == layer.multiply_adds(shape)


# Receptive field


def moments(paths: Sequence[int]) -> tuple[Fraction, Fraction]:
    """Mean and variance of a place drawn by its number of paths."""
    total = sum(paths)
    mean = Fraction(sum(i * n for i, n in enumerate(paths)), total)
    return mean, sum((n * (i - mean)**2 for i, n in enumerate(paths)), Fraction(0)) / total


@st.composite
def windows(draw: Any) -> list[tuple[str, int, int, int, int]]:
    """Layers on one axis: kind, kernel, stride, dilation, padding."""
    return [(kind := draw(st.sampled_from(["conv", "pool"])), k := draw(st.integers(1, 4)),
             draw(st.integers(1, 2)), draw(st.integers(1, 2)) if kind == "conv" else 1,
             draw(st.integers(0, k // 2))) for _ in range(draw(st.integers(1, 4)))]


def paths_by_impulse(net: Sequential, x_shape: Any, at: int) -> Any:
    """Weights of one everywhere: the input gradient of one output counts the paths to it."""
    scale = 1.0
    for layer in net.layers:
        if isinstance(layer, AvgPool):
            scale *= layer.counts((1, 99)).reads[0].kernel  # type: ignore[union-attr]
        else:
            layer.params["w"][...] = 1
    dy = np.zeros_like(net(np.ones((1, *x_shape))))
    dy[0, 0, at] = scale
    return np.rint(net.backward(dy)[0, 0]).astype(int)


@given(windows())
def test_the_field_is_where_an_impulse_comes_from(layers: Any) -> None:
    size = 200
    net = Sequential(*(
        AvgPool((k,), stride=(s,), padding=(p,)) if kind == "pool" else
        Conv(1, 1, (k,), stride=s, dilation=d, padding=p, dtype=np.float64)
        for kind, k, s, d, p in layers))
    (field,) = cost(net, (1, size)).field or ()
    first = field.start - Fraction(field.size - 1, 2)
    assert first.denominator == 1
    at = next(q for q in range(size) if first + q * field.jump >= 0)
    low = int(first) + at * field.jump
    expected = np.zeros(size, int)
    expected[low:low + field.size] = field.profile()
    np.testing.assert_array_equal(paths_by_impulse(net, (1, size), at), expected)
    assert moments(field.profile()) == (Fraction(field.size - 1, 2), field.variance)


def test_the_field_on_several_axes() -> None:
    net = Sequential(Conv(1, 2, (3, 5), stride=(2, 1), padding=(1, 0)), ReLU(), MaxPool(2),
                     Conv(2, 1, (2, 1), dilation=3))
    fields = cost(net, (1, 40, 40)).field
    assert fields is not None
    assert [(f.size, f.jump, float(f.start)) for f in fields] == [(17, 4, 7.0), (6, 2, 2.5)]


@pytest.mark.parametrize("end", [
    lambda: [Flatten(), Dense(4 * 4, 3)], lambda: [Dense((1, 4, 4), 3), Dense(3, 2)],
    lambda: [GlobalMaxPool(), Dense(1, 2)]])
def test_after_a_dense_layer_everything_is_seen(end: Callable[[], list[Layer]]) -> None:
    found = cost(Sequential(MaxPool(2), *end()), (1, 8, 8))
    assert [(f.size, f.start) for f in found.field or ()] == [(8, Fraction(7, 2))] * 2
    assert cost(Dense(7, 3), (7,)).field == ()


def test_a_transposed_convolution_has_fields_of_several_sizes() -> None:
    net = Sequential(Conv(1, 1, 3), ConvTranspose(1, 1, 3, stride=2), Conv(1, 1, 3))
    assert [r.field is None for r in cost(net, (1, 8, 8)).rows] == [False, True, True]


def test_a_window_of_one_element_changes_nothing_but_the_jump() -> None:
    assert Field().through(Window()) == Field()
    assert Field().through(Window(1, 3, 2, 0)) == Field((), 3)


# Tables


NET = Sequential(Conv(1, 4, 3, padding=1), MaxPool(2), Flatten(), Dense(64, 10))
TABLE = """\
one image of shape (1, 8, 8), float32
layer      result     parameters      uses  multiply-adds  useful  field
------------------------------------------------------------------------
0 Conv     (4, 8, 8)          40  49 to 64          2,304   1,936    3x3
1 MaxPool  (4, 4, 4)           -         -              -       -    4x4
2 Flatten  (64,)               -         -              -       -    4x4
3 Dense    (10,)             650         1            640     640  10x10
------------------------------------------------------------------------
total                        690                    2,944   2,576
bytes: x 1,792, w 2,704, b 56, y 1,576; 0.961 operations a byte"""
LADDER_TABLE = """\
x (2, 6), y (4, 6), kernel 3, padding 1, period 4, float32
family  weights  biases    uses  multiply-adds  useful  bytes  intensity
------------------------------------------------------------------------
local       144      24       1            144     128    816      0.353
tiled        96      16  1 to 2            144     128    592      0.486
conv         24       4  5 to 6            144     128    256       1.12
local: 152 of 168 parameters are in use
useful: without taps on zero padding; bytes: x, w, b and y; intensity: 2 * multiply-adds / bytes"""


@pytest.fixture
def ladder() -> Comparison:
    return compare((2, 6), 4, 3, padding=1, period=4, families=("local", "tiled", "conv"))


def test_the_table_of_a_net() -> None:
    assert str(cost(NET, (1, 8, 8))) == TABLE


def test_the_table_of_a_ladder(ladder: Comparison) -> None:
    assert str(ladder) == ladder.table() == LADDER_TABLE


@pytest.mark.parametrize("shown, left", [
    (cost(NET, (1, 8, 8)), 2), (compare((3, 20, 30), 16, 5, stride=2), 1)])
def test_columns_are_aligned(shown: Cost | Comparison, left: int) -> None:
    _, head, rule, *rows = shown.table().splitlines()
    assert len(head) == len(rule)
    columns = list(re.finditer(r"\S+", head))
    for row in rows[:len(shown.rows)]:
        for column in columns[:left]:
            assert row[column.start()] != " "
        for column in columns[left:]:  # where the heading ends, the number ends
            assert row[column.end() - 1] != " "
            assert row[column.end():column.end() + 1] in ("", " ")


def test_markdown(ladder: Comparison) -> None:
    title, table, *notes = ladder.markdown().split("\n\n")
    assert title == LADDER_TABLE.splitlines()[0]
    assert notes == LADDER_TABLE.splitlines()[-2:]
    assert table.splitlines()[:3] == [
        "| family | weights | biases | uses | multiply-adds | useful | bytes | intensity |",
        "| :-- | --: | --: | --: | --: | --: | --: | --: |",
        "| local | 144 | 24 | 1 | 144 | 128 | 816 | 0.353 |"]
    assert {line.count("|") for line in table.splitlines()} == {9}
    assert ladder._repr_markdown_() == ladder.markdown()


def test_html_is_closed_and_escaped(ladder: Comparison) -> None:
    for shown in (ladder, cost(NET, (1, 8, 8))):
        outline = Outline()
        outline.feed(shown._repr_html_())
        assert not outline.open
        assert {"table", "caption", "thead", "tbody", "td"} <= outline.tags
    assert "5 to 6</td>" in ladder._repr_html_()


def test_json_holds_every_number(ladder: Comparison) -> None:
    told = json.loads(ladder.json())
    assert told["settings"]["padding"] == 1
    assert [f["family"] for f in told["families"]] == ["local", "tiled", "conv"]
    conv = told["families"][2]
    assert conv["uses"] == {"least": 5, "most": 6, "mean": 128 / 24}
    assert conv["bytes"] == {"x": 48, "w": 96, "b": 16, "y": 96}
    net = json.loads(cost(NET, (1, 8, 8)).json())
    assert net["parameters"] == 690
    assert net["field"] == 2 * [{"size": 10, "jump": 2, "start": 3.5, "variance": 71 / 12}]
    assert sum(layer["multiply_adds"] for layer in net["layers"]) == net["multiply_adds"]


# Errors, command


@pytest.mark.parametrize("call, error, message", [
    (lambda: cost(NET), TypeError, "x_shape is needed"),
    (lambda: cost(NET, cast(Any, (1, 3.5, 8))), TypeError, "x_shape must be a tuple of ints"),
    (lambda: cost(Conv(3, 4, 3), (1, 3, 8, 8)), ValueError, r"w must be .*x.shape = \(1, 1, 3"),
    (lambda: cost(Conv(3, 4, 3), (2, 8, 8)), ValueError, "conv: w has 3 input channels"),
    (lambda: cost(NET, (1, 8, 8), dtype="int8"), TypeError, "float32 or float64, got int8"),
    (lambda: cost([]), ValueError, "no layer"),
    (lambda: cost([counts_of("dense", (4,), (3, 4)), counts_of("dense", (4,), (3, 4))]),
     ValueError, r"layer 1 takes x_shape = \(4,\), but layer 0 gives \(3,\)"),
    (lambda: cost(counts_of("dense", (4,), (3, 4)), (4,)), TypeError, "know their x_shape"),
    (lambda: counts_of("depthwise", (4, 4), (3, 4)), ValueError, "family must be one of 'dense'"),
    (lambda: counts_of("conv", (4,), (3, 4)), ValueError, r"conv: x_shape must be \(C, \*spatial"),
    (lambda: counts_of("dense", (4, 2), (3, 4)), ValueError, r"w must be .*\(3, 4\)"),
    (lambda: counts_of("conv_transpose", (4, 8), (3, 2, 3)), ValueError, "lead with the 4 chan"),
    (lambda: compare((3, 8, 8), 4, 9), ValueError, "compare: the kernel reaches over 9 elements"),
    (lambda: compare((3, 8, 8), 0, 3), ValueError, "out_channels must be at least 1"),
    (lambda: compare((3, 8, 8), 4, 3, period=0), ValueError, "period must be at least 1"),
    (lambda: compare((3, 8, 8), 4, 3, groups=2), ValueError, "compare: w has 1 input channels"),
    (lambda: compare((3, 8), 4, 3, families=("low",)), ValueError, "a family must be one of"),
    (lambda: compare((3, 8), 4, 3, families=()), ValueError, "families must name"),
    (lambda: compare((3, 8), 4, 3)["low"], KeyError, "low"),
])
def test_errors_say_what_was_expected(call: Callable[[], Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_the_command_prints_the_ladder(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["cost", "--input", "2,6", "--out", "4", "--kernel", "3", "--padding", "1",
               "--period", "4"]
    expected = compare((2, 6), 4, 3, padding=1, period=4)
    for option, text in [([], str(expected)), (["--json"], expected.json()),
                         (["--markdown"], expected.markdown())]:
        assert cli.main([*command, *option]) == 0
        assert capsys.readouterr().out == f"{text}\n"
    assert cli.main([*command, "--stride", "2,2"]) == 2
    assert "stride must be an int or 1 ints" in capsys.readouterr().err
    assert cli.main(["cost", "--input", "3,9,9", "--out", "4", "--kernel", "3,5", "--padding",
                     "same", "--dtype", "float64", "--no-bias"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        "x (3, 9, 9), y (4, 9, 9), kernel (3, 5), padding same, period 2, bias False, float64")


def test_bad_options_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["cost", "--input", "3,a", "--out", "4", "--kernel", "3"])
    assert caught.value.code == 2
    assert "--input: must be an int, or ints with commas between, got '3,a'" in (
        capsys.readouterr().err)


def vgg16() -> list[Counts]:
    """Thirteen 3x3 convolutions and three dense layers, from shapes alone."""
    layers: list[Counts] = []
    shape: tuple[int, ...] = (3, 224, 224)
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers.append(counts_of("conv", shape, (width, shape[0], 3, 3), padding=1))
            shape = layers[-1].y_shape
        half = (width, shape[1] // 2, shape[2] // 2)
        layers.append(Counts("max_pool", shape, half, reads=(Window(2, 2), Window(2, 2))))
        shape = half
    for width in (4096, 4096, 1000):
        layers.append(counts_of("dense", shape, (width, *shape)))
        shape = (width,)
    return layers


def test_a_large_net_from_shapes_alone() -> None:
    found = cost(vgg16())
    assert found.parameters == 138_357_544
    assert found.multiply_adds == 15_470_264_320
    assert [r.field[0].size for r in found.rows if r.field][-4:] == [212, 404, 404, 404]


def test_counts_can_be_keys() -> None:
    a, b = (counts_of("conv", (1, 5), (1, 1, 3)) for _ in range(2))
    assert a == b
    assert len({a, b}) == 1
    assert isinstance(a, Counts)
