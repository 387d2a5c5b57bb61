"""The sharing map against the verbs and against the matrix it stands for; conversions; gradients
before their sum."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sweepconv as sc
from sweepconv import sharing
from sweepconv.geometry import PADDING_MODES
from sweepconv.layers import (
    SGD,
    Conv,
    ConvTranspose,
    Dense,
    Layer,
    LocalConv,
    LowRankLocal,
    TiledConv,
)
from sweepconv.sharing import Map, Pattern

Array = npt.NDArray[Any]
FORWARD = {"conv": sc.conv, "tiled": sc.tiled_conv, "local": sc.local_conv}
INPUT_GRAD = {"conv": sc.conv_input_grad, "tiled": sc.tiled_conv_input_grad,
              "local": sc.local_conv_input_grad}
WEIGHT_GRAD = {"conv": sc.conv_weight_grad, "tiled": sc.tiled_conv_weight_grad,
               "local": sc.local_conv_weight_grad}


@st.composite
def sweeps(draw: st.DrawFn, mode: str | None = None) -> dict[str, Any]:
    """A geometry that has outputs: x_shape, filter shape, out, keywords, a period."""
    rank = draw(st.integers(1, 3))
    groups, per_in, per_out = (draw(st.integers(1, 2)) for _ in range(3))

    def each(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)) for _ in range(rank)]

    size, kernel, dilation = each(2, 6 - rank), each(1, 3), each(1, 2)
    pads = []
    for n, k, d in zip(size, kernel, dilation, strict=True):
        low = draw(st.integers(-1, 3))
        least = (k - 1) * d + 1 - n - low
        pads.append((low, draw(st.integers(max(least, -1), max(least, -1) + 2))))
    keywords: dict[str, Any] = {
        "stride": tuple(each(1, 2)), "padding": tuple(pads), "dilation": tuple(dilation),
        "groups": groups, "padding_mode": mode or draw(st.sampled_from(PADDING_MODES))}
    x_shape = (groups * per_in, *size)
    filters = (groups * per_out, per_in, *kernel)
    out = sc.output_shape((1, *x_shape), filters, **keywords)[2:]
    return {"x": x_shape, "w": filters, "out": out, "keywords": keywords,
            "period": tuple(each(1, 3)), "seed": draw(st.integers(0, 99))}


def bank_of(case: dict[str, Any], family: str) -> tuple[int, ...]:
    bank: tuple[int, ...] = {"conv": (), "tiled": case["period"], "local": case["out"]}[family]
    return bank


def pattern_of(case: dict[str, Any], family: str) -> Map:
    maker = getattr(Pattern, family)
    pattern: Map = maker(case["x"], (*bank_of(case, family), *case["w"]), **case["keywords"])
    return pattern


def whole(rng: np.random.Generator, *shape: int) -> Array:
    """Small integers, whose sums are exact in any order."""
    return rng.integers(-4, 5, shape).astype(np.float64)


def matrix(pattern: Map) -> Array:
    """P itself, column by column."""
    eye = np.eye(pattern.n_params).reshape(-1, *pattern.w_shape)
    return np.stack([pattern.expand(e).ravel() for e in eye], axis=1)


FEW = settings(max_examples=20)
EACH_FAMILY = pytest.mark.parametrize("family", ["conv", "tiled", "local"])


@EACH_FAMILY
@FEW
@given(case=sweeps())
def test_dense_weights_compute_the_same(family: str, case: dict[str, Any]) -> None:
    rng = np.random.default_rng(case["seed"])
    pattern = pattern_of(case, family)
    w, x = whole(rng, *pattern.w_shape), whole(rng, 2, *case["x"])
    y = FORWARD[family](x, w, **case["keywords"])
    dense = pattern.expand(w)
    assert dense.shape == (case["w"][0], *case["out"], *case["x"])
    outputs = math.prod(y.shape[1:])
    by_matrix = x.reshape(2, -1) @ dense.reshape(outputs, -1).T
    np.testing.assert_array_equal(y.reshape(2, -1), by_matrix)


@EACH_FAMILY
@FEW
@given(case=sweeps())
def test_reduced_dense_gradient_is_the_weight_gradient(family: str, case: dict[str, Any]) -> None:
    rng = np.random.default_rng(case["seed"])
    pattern = pattern_of(case, family)
    x, dy = whole(rng, 3, *case["x"]), whole(rng, 3, case["w"][0], *case["out"])
    dense = np.einsum("na,nb->ab", dy.reshape(3, -1), x.reshape(3, -1))
    expected = WEIGHT_GRAD[family](x, dy, pattern.w_shape, **case["keywords"])
    np.testing.assert_array_equal(pattern.reduce(dense.reshape(pattern.dense_shape)), expected)


@EACH_FAMILY
@FEW
@given(case=sweeps())
def test_reduce_is_the_adjoint_of_expand(family: str, case: dict[str, Any]) -> None:
    rng = np.random.default_rng(case["seed"])
    pattern = pattern_of(case, family)
    w, dense = whole(rng, *pattern.w_shape), whole(rng, *pattern.dense_shape)
    assert (pattern.expand(w) * dense).sum() == (w * pattern.reduce(dense)).sum()
    np.testing.assert_array_equal(pattern.multiplicity,
                                  pattern.reduce(np.ones(pattern.dense_shape)))
    assert pattern.nnz == pattern.expand(np.ones(pattern.w_shape)).sum()


@EACH_FAMILY
@FEW
@given(case=sweeps())
def test_projection_is_least_squares(family: str, case: dict[str, Any]) -> None:
    rng = np.random.default_rng(case["seed"])
    pattern = pattern_of(case, family)
    if pattern.n_params * math.prod(pattern.dense_shape) > 200_000:
        return
    dense = rng.standard_normal(pattern.dense_shape)
    w, residual = pattern.project(dense)
    # The shortest of the nearest; singular values that rounding leaves are zero.
    expected = np.linalg.pinv(matrix(pattern), rcond=1e-10) @ dense.ravel()
    np.testing.assert_allclose(w.ravel(), expected, rtol=0, atol=1e-10)
    near = pattern.expand(w)
    # Pythagoras: what is left is at right angles to what is held.
    total, kept = np.square(dense).sum(), np.square(near).sum()
    assert total == pytest.approx(kept + (residual**2) * total, rel=1e-10)


@EACH_FAMILY
@FEW
@given(case=sweeps(mode="zeros"))
def test_projection_undoes_expansion(family: str, case: dict[str, Any]) -> None:
    pattern = pattern_of(case, family)
    w = np.random.default_rng(case["seed"]).standard_normal(pattern.w_shape)
    back, residual = pattern.project(pattern.expand(w))
    used = pattern.multiplicity > 0
    np.testing.assert_allclose(back, np.where(used, w, 0), rtol=1e-14)
    assert residual < 1e-14
    assert pattern.n_used == used.sum()


def rank(m: Array) -> int:
    """Equal rows and equal columns count once: there are many, and they take time."""
    return int(np.linalg.matrix_rank(np.unique(np.unique(m, axis=0), axis=1)))


@FEW
@given(case=sweeps())
def test_nesting_as_rank_tells(case: dict[str, Any]) -> None:
    """range(P small) lies in range(P big) if and only if [P small, P big] has the rank of P big."""
    patterns = {f: pattern_of(case, f) for f in ("conv", "tiled", "local")}
    doubled = {**case, "period": tuple(2 * t for t in case["period"])}
    patterns["doubled"] = pattern_of(doubled, "tiled")
    if math.prod(patterns["local"].dense_shape) > 200:  # larger ones take seconds each
        return
    made = {name: matrix(p) for name, p in patterns.items()}
    for big, p_big in made.items():
        own = rank(p_big)
        for small, p_small in made.items():
            inside = rank(np.hstack([p_small, p_big])) == own
            assert patterns[big].contains(patterns[small]) == inside, (big, small)
    ladder = ["conv", "tiled", "doubled", "local"]
    for small, big in pairwise(ladder):
        assert patterns[big].contains(patterns[small])
    dense = Pattern.dense(case["x"], patterns["local"].dense_shape)
    assert dense.contains(patterns["local"])
    assert not dense.contains(Pattern.dense((1,), (2, 1)))


@FEW
@given(case=sweeps())
def test_low_rank_pattern(case: dict[str, Any]) -> None:
    rng = np.random.default_rng(case["seed"])
    mix = rng.standard_normal((*case["out"], 2))
    pattern = Pattern.low_rank(case["x"], (2, *case["w"]), mix, **case["keywords"])
    local = pattern_of(case, "local")
    w, dense = rng.standard_normal(pattern.w_shape), rng.standard_normal(pattern.dense_shape)
    np.testing.assert_allclose(pattern.expand(w), local.expand(np.tensordot(mix, w, 1)))
    assert (pattern.expand(w) * dense).sum() == pytest.approx((w * pattern.reduce(dense)).sum())
    assert local.contains(pattern)
    if pattern.n_params * dense.size <= 100_000:
        p = matrix(pattern)
        expected = p @ np.linalg.lstsq(p, dense.ravel(), rcond=None)[0]
        np.testing.assert_allclose(pattern.expand(pattern.project(dense)[0]).ravel(), expected,
                                   rtol=0, atol=1e-8)


def test_even_mixture_of_one_filter_is_conv() -> None:
    geometry: dict[str, Any] = {"padding": 1}
    conv = Pattern.conv((2, 5, 4), (3, 2, 3, 3), **geometry)
    one = Pattern.low_rank((2, 5, 4), (1, 3, 2, 3, 3), np.ones((5, 4, 1)), **geometry)
    w = np.random.default_rng(0).standard_normal(conv.w_shape)
    np.testing.assert_array_equal(one.expand(w[None]), conv.expand(w))
    np.testing.assert_array_equal(one.multiplicity[0], conv.multiplicity)


def test_index_map_round_trip() -> None:
    conv = Pattern.conv((2, 6), (3, 2, 3), padding=1, stride=2)
    drawn = Pattern.from_index_map(conv.index_map(), conv.w_shape)
    rng = np.random.default_rng(0)
    w, dense = whole(rng, *conv.w_shape), whole(rng, *conv.dense_shape)
    np.testing.assert_array_equal(drawn.expand(w), conv.expand(w))
    np.testing.assert_array_equal(drawn.reduce(dense), conv.reduce(dense))
    np.testing.assert_array_equal(drawn.multiplicity, conv.multiplicity)
    np.testing.assert_allclose(drawn.project(dense)[0], conv.project(dense)[0])
    with pytest.raises(ValueError, match="add up"):
        Pattern.conv((1, 3), (1, 1, 3), padding=2, padding_mode="reflect").index_map()


def test_orbits_of_shifts_are_a_circular_conv() -> None:
    shift = np.roll(np.arange(6), -1)
    free = Pattern.from_orbits((6, 6), [(shift, shift)])
    conv = Pattern.conv((1, 6), (1, 1, 6), padding=((0, 5),), padding_mode="circular")
    as_matrix = Pattern.from_index_map(conv.index_map().reshape(6, 6))
    assert free.n_params == 6
    assert free.contains(as_matrix)
    assert as_matrix.contains(free)


def test_multiplicity_of_the_science_note() -> None:
    """6x6, 3x3, padding 1: corner taps are used 25 times, the centre 36; in all 1,536 / (2 * 3)."""
    m = Pattern.conv((2, 6, 6), (3, 2, 3, 3), padding=1).multiplicity
    assert m[0, 0].tolist() == [[25, 30, 25], [30, 36, 30], [25, 30, 25]]
    assert m.sum() == 1536


def test_conv_inside_of_dense_trains_step_for_step() -> None:
    """Descent on dense weights with the projected gradient, each tap at m times the rate, follows
    the conv's own descent."""
    rng = np.random.default_rng(0)
    pattern = Pattern.conv((2, 5), (3, 2, 3), padding=1)
    w, rate = rng.standard_normal(pattern.w_shape), 0.01
    dense, m = pattern.expand(w), pattern.multiplicity
    x, target = rng.standard_normal((8, 2, 5)), rng.standard_normal((8, 3, 5))
    for _ in range(50):
        dy = sc.conv(x, w, padding=1) - target
        w = w - rate * sc.conv_weight_grad(x, dy, w.shape, padding=1)
        dy = np.einsum("opci,nci->nop", dense, x) - target
        projected, _ = pattern.project(np.einsum("nop,nci->opci", dy, x))
        dense = dense - pattern.expand(rate * m * projected)
    np.testing.assert_allclose(dense, pattern.expand(w), rtol=0, atol=1e-12)


@pytest.mark.parametrize("call, error, match", [
    (lambda: Pattern.conv((2, 5), (3, 1, 3)), ValueError, "2 with groups=1"),
    (lambda: Pattern.local((2, 5), (4, 3, 2, 3)), ValueError, "one filter per output"),
    (lambda: Pattern.dense((2, 5), (3, 4)), ValueError, "end with x_shape"),
    (lambda: Pattern.conv((1, 5), (1, 1, 3)).expand(np.ones((1, 3))), ValueError, "w must have"),
    (lambda: Pattern.conv((1, 5), (1, 1, 3)).reduce(np.ones((1, 5))), ValueError, "dense must"),
    (lambda: Pattern.conv((1, 5), (1, 1, 3)).expand(np.ones((1, 1, 3), int)), TypeError, "float32"),
    (lambda: Pattern.from_index_map([[0.5]]), TypeError, "integers"),
    (lambda: Pattern.from_index_map([[3]], (2,)), ValueError, "between -1 and 1"),
    (lambda: Pattern.from_orbits((2, 2), [([0, 0], [0, 1])]), ValueError, "permutation"),
    (lambda: Pattern.from_orbits((2, 2, 2), []), ValueError, "outputs, inputs"),
    (lambda: Pattern.low_rank((1, 5), (2, 1, 1, 3), np.ones((3, 1))), ValueError, "mix"),
])
def test_pattern_errors(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


# Conversions

def layer_of(case: dict[str, Any], family: str, bias: bool = True) -> Layer:
    makers: dict[str, Any] = {"conv": (Conv, {}), "tiled": (TiledConv, {"period": case["period"]}),
                              "local": (LocalConv, {"input_size": case["x"][1:]}),
                              "low_rank": (LowRankLocal, {"input_size": case["x"][1:], "rank": 2})}
    maker, own = makers[family]
    layer: Layer = maker(case["x"][0], case["w"][0], case["w"][2:], **own, **case["keywords"],
                         bias=bias, dtype=np.float64, rng=case["seed"])
    return layer


def assert_same(a: Layer, b: Layer, x: Array) -> None:
    """Equal forward and input gradient, to rounding."""
    y, z = a(x), b(x)
    np.testing.assert_allclose(z.reshape(y.shape), y, rtol=0, atol=1e-12 * max(1, abs(y).max()))
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx, dz = a.backward(dy), b.backward(dy.reshape(z.shape))
    np.testing.assert_allclose(dz, dx, rtol=0, atol=1e-12 * max(1, abs(dx).max()))


@FEW
@given(case=sweeps(), bias=st.booleans())
def test_up_the_ladder_is_exact(case: dict[str, Any], bias: bool) -> None:
    x = np.random.default_rng(0).standard_normal((2, *case["x"]))
    layer = layer_of(case, "conv", bias)
    doubled = tuple(2 * t for t in case["period"])
    for to, own in (("tiled", {"period": case["period"]}), ("tiled", {"period": doubled}),
                    ("local", {}), ("dense", {})):
        up = sharing.convert(layer, to, x_shape=case["x"], strict=True, **own)
        assert_same(layer, up, x)
        assert up.residual == 0
        layer = up
    low = layer_of(case, "low_rank", bias)
    assert_same(low, sharing.convert(low, "local", strict=True), x)


@FEW
@given(case=sweeps(mode="zeros"), bias=st.booleans())
def test_down_after_up_is_the_identity(case: dict[str, Any], bias: bool) -> None:
    conv = layer_of(case, "conv", bias)
    used = pattern_of(case, "conv").multiplicity > 0
    sweep = {"kernel_size": case["w"][2:], **case["keywords"]}
    for via, own, back in (("tiled", {"period": case["period"]}, {}), ("local", {}, {}),
                           ("low_rank", {}, {}), ("dense", {}, sweep)):
        up = sharing.convert(conv, via, x_shape=case["x"], **own)
        down = sharing.convert(up, "conv", x_shape=case["x"], strict=True, **back)
        np.testing.assert_allclose(down.params["w"][used], conv.params["w"][used], rtol=1e-12,
                                   atol=1e-14)
        if bias:
            np.testing.assert_allclose(down.params["b"], conv.params["b"], rtol=1e-13)


@FEW
@given(case=sweeps())
def test_down_is_the_projection_of_the_dense_weights(case: dict[str, Any]) -> None:
    local = layer_of(case, "local", bias=False)
    dense = pattern_of(case, "local").expand(local.params["w"])
    sweep = {"kernel_size": case["w"][2:], **case["keywords"]}
    as_dense = sharing.convert(local, "dense")
    for to, own in (("conv", {}), ("tiled", {"period": case["period"]})):
        pattern = pattern_of(case, to)
        w, residual = pattern.project(dense)
        for layer, more in ((local, {}), (as_dense, sweep)):
            down = sharing.convert(layer, to, **own, **more)
            np.testing.assert_allclose(pattern.expand(down.params["w"]), pattern.expand(w),
                                       rtol=0, atol=1e-9)
            assert down.residual == pytest.approx(residual, abs=1e-7)


def test_residual_counts_biases() -> None:
    local = LocalConv(1, 1, (1,), input_size=2, dtype=np.float64)
    local.params["w"][...], local.params["b"][...] = 0, [[3.0], [1.0]]
    down = sharing.convert(local, "conv")
    assert down.params["b"].tolist() == [2]
    assert down.residual == pytest.approx(math.sqrt(2 / 10))


def test_low_rank_of_a_local_layer_is_its_best_approximation() -> None:
    local = LocalConv(2, 3, 3, input_size=(5, 6), dtype=np.float64, rng=0, bias=False)
    flat = local.params["w"].reshape(12, -1)
    for rank in (1, 3, 12):
        low = sharing.convert(local, "low_rank", rank=rank)
        s = np.linalg.svd(flat, compute_uv=False)
        best = math.sqrt(np.square(s[rank:]).sum() / np.square(s).sum())
        assert low.residual == pytest.approx(best, abs=1e-7)
    assert low.params["mix"].shape == (3, 4, 12)


@pytest.mark.parametrize("call, error, match", [
    (lambda: sharing.convert(Conv(1, 1, 3), "tile", x_shape=(1, 4, 4)), ValueError, "to must be"),
    (lambda: sharing.convert(Conv(1, 1, 3), "dense"), ValueError, "x_shape"),
    (lambda: sharing.convert(Conv(1, 1, 3), "tiled", x_shape=(1, 4, 4)), ValueError, "period"),
    (lambda: sharing.convert(Conv(1, 1, 3), "local", x_shape=(1, 4, 4), period=2), ValueError,
     "period is for"),
    (lambda: sharing.convert(Conv(1, 1, 3), "dense", x_shape=(1, 4, 4), stride=2), TypeError,
     "were Dense"),
    (lambda: sharing.convert(ConvTranspose(1, 1, 3), "dense", x_shape=(1, 4, 4)), TypeError,
     "ConvTranspose"),
    (lambda: sharing.convert(Dense((1, 4, 4), 5), "conv", kernel_size=3), ValueError,
     "5 outputs are no whole number"),
    (lambda: sharing.convert(Dense((1, 4, 4), 4), "conv"), ValueError, "kernel_size"),
    (lambda: sharing.convert(LocalConv(1, 1, 3, input_size=5, rng=0), "conv", strict=True),
     ValueError, "residual of 0"),
])
def test_convert_errors(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_x_shape_of_the_last_call_is_remembered() -> None:
    conv = Conv(1, 2, 3)
    y = conv(np.ones((1, 1, 5, 5), np.float32))
    assert sharing.convert(conv, "dense").out_shape((1, 5, 5)) == (y[0].size,)


# Plain arrays

@FEW
@given(case=sweeps())
def test_tie_and_untie(case: dict[str, Any]) -> None:
    rng = np.random.default_rng(case["seed"])
    x = rng.standard_normal((2, *case["x"]))
    for family in ("conv", "tiled"):
        w = rng.standard_normal((*bank_of(case, family), *case["w"]))
        bank = sharing.untie(w, case["x"], **case["keywords"])
        np.testing.assert_array_equal(sc.local_conv(x, bank, **case["keywords"]),
                                      FORWARD[family](x, w, **case["keywords"]))
        tied, residual = sharing.tie(bank, case["x"], period=bank_of(case, family) or 1,
                                     **case["keywords"])
        assert residual < 1e-7
        np.testing.assert_allclose(
            sc.tiled_conv(x, tied.reshape(*(bank_of(case, family) or (1,) * (x.ndim - 2)),
                                          *case["w"]), **case["keywords"]),
            FORWARD[family](x, w, **case["keywords"]), atol=1e-12)


@EACH_FAMILY
@FEW
@given(case=sweeps())
def test_matrices(family: str, case: dict[str, Any]) -> None:
    w = whole(np.random.default_rng(case["seed"]), *bank_of(case, family), *case["w"])
    keywords = {"family": family, **case["keywords"]}
    full = sharing.to_matrix(w, case["x"], **keywords)
    sparse = sharing.to_matrix(w, case["x"], sparse=True, **keywords)
    np.testing.assert_array_equal(sparse.toarray(), full)
    assert sparse.nnz <= pattern_of(case, family).nnz
    for matrix in (full, sparse):
        back, residual = sharing.from_matrix(matrix, case["x"], w.shape, **keywords)
        np.testing.assert_allclose(sharing.to_matrix(back, case["x"], **keywords), full,
                                   atol=1e-10)
        assert residual < 1e-10


# Gradients before their sum

@EACH_FAMILY
@FEW
@given(case=sweeps())
def test_parts_of_the_weight_gradient_add_up(family: str, case: dict[str, Any]) -> None:
    rng = np.random.default_rng(case["seed"])
    x, dy = whole(rng, 3, *case["x"]), whole(rng, 3, case["w"][0], *case["out"])
    shape = (*bank_of(case, family), *case["w"])
    verb, keywords = WEIGHT_GRAD[family], case["keywords"]
    by_sample = verb(x, dy, shape, reduce="sample", **keywords)
    for n in range(3):
        np.testing.assert_array_equal(by_sample[n], verb(x[n:n + 1], dy[n:n + 1], shape,
                                                         **keywords))
    np.testing.assert_array_equal(by_sample.sum(0), verb(x, dy, shape, **keywords))
    by_place = verb(x, dy, shape, reduce="position", **keywords)
    assert by_place.shape == (*case["out"], *case["w"])
    tied = np.zeros(shape)
    for p in np.ndindex(*case["out"]):
        f = tuple(i % t for i, t in zip(p, bank_of(case, family), strict=False))
        tied[f] += by_place[p]
    np.testing.assert_array_equal(tied, verb(x, dy, shape, **keywords))


@FEW
@given(case=sweeps())
def test_streams_of_parts(case: dict[str, Any]) -> None:
    rng = np.random.default_rng(case["seed"])
    x, dy = whole(rng, 3, *case["x"]), whole(rng, 3, case["w"][0], *case["out"])
    arguments = (x, dy, case["w"])
    for block_bytes in (1, 1 << 20):
        for reduce, parts in (("sample", sharing.sample_grads),
                              ("position", sharing.position_grads)):
            whole_array = sc.conv_weight_grad(*arguments, reduce=reduce, **case["keywords"])
            seen = 0
            for at, dw in parts(*arguments, block_bytes=block_bytes, **case["keywords"]):
                np.testing.assert_array_equal(dw, whole_array[at])
                seen += len(dw)
            assert seen == len(whole_array)
    by_sample = sc.conv_weight_grad(*arguments, reduce="sample", **case["keywords"])
    np.testing.assert_array_equal(sharing.sample_norms(*arguments, **case["keywords"]),
                                  np.square(by_sample).reshape(3, -1).sum(1))


def test_parts_into_out_of_any_strides() -> None:
    rng = np.random.default_rng(0)
    x, dy = whole(rng, 4, 3, 6, 5), whole(rng, 4, 2, 4, 3)
    for reduce, shape in (("sample", (4, 2, 3, 3, 3)), ("position", (4, 3, 2, 3, 3, 3))):
        expected = sc.conv_weight_grad(x, dy, (2, 3, 3, 3), reduce=reduce)
        room = np.ones((*shape[:-1], 2 * shape[-1]))
        out = room[..., ::2]
        got = sc.conv_weight_grad(x, dy, (2, 3, 3, 3), reduce=reduce, out=out, accumulate=True)
        assert got is out
        np.testing.assert_array_equal(out, expected + 1)
        assert (room[..., 1::2] == 1).all()
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    np.testing.assert_array_equal(
        sc.conv_weight_grad(last, dy, (2, 3, 3, 3), reduce="sample"),
        sc.conv_weight_grad(x, dy, (2, 3, 3, 3), reduce="sample"))
    with pytest.raises(ValueError, match="reduce must be one of 'all', 'sample', 'position'"):
        sc.conv_weight_grad(x, dy, (2, 3, 3, 3), reduce="mean")


def test_samples_of_shapes_that_came_before() -> None:
    """Such calls take a shorter way: other data, memory orders, groups, an axis of no elements."""
    rng = np.random.default_rng(0)
    cases: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
        ((4, 6, 5), (6, 2, 3, 3), {"groups": 2}), ((4, 6, 0), (6, 4, 3, 3), {"padding": (0, 2)})]
    for images, w_shape, keywords in cases:
        for turn in range(3):
            x = whole(rng, 3, *images)
            dy = whole(rng, *sc.conv(x, np.zeros(w_shape), **keywords).shape)
            if turn == 2:
                x, dy = (np.moveaxis(np.moveaxis(a, 1, -1).copy(), -1, 1) for a in (x, dy))
            got = sc.conv_weight_grad(x, dy, w_shape, reduce="sample", **keywords)
            assert got.flags.c_contiguous
            for n in range(3):
                np.testing.assert_array_equal(got[n], sc.conv_weight_grad(
                    x[n:n + 1], dy[n:n + 1], w_shape, **keywords))


def test_winograd_by_sample() -> None:
    rng = np.random.default_rng(0)
    x, dy = whole(rng, 3, 2, 8, 7), whole(rng, 3, 4, 6, 5)
    direct = sc.conv_weight_grad(x, dy, (4, 2, 3, 3), reduce="sample")
    for algorithm in ("winograd", "fast"):
        got = sc.conv_weight_grad(x, dy, (4, 2, 3, 3), reduce="sample", algorithm=algorithm)
        np.testing.assert_allclose(got, direct, rtol=0, atol=1e-12 * abs(direct).max())


@FEW
@given(case=sweeps())
def test_statistics_of_shared_gradients(case: dict[str, Any]) -> None:
    rng = np.random.default_rng(case["seed"])
    n = 4
    x, dy = rng.standard_normal((n, *case["x"])), rng.standard_normal(
        (n, case["w"][0], *case["out"]))
    stats = sharing.grad_stats(x, dy, case["w"], **case["keywords"])
    each = np.stack([sc.conv_weight_grad(x[i:i + 1], dy[i:i + 1], case["w"], reduce="position",
                                         **case["keywords"]) for i in range(n)])
    each = each.reshape(n, -1, *case["w"])
    np.testing.assert_allclose(stats.mean, each.sum(1).mean(0), atol=1e-12)
    np.testing.assert_allclose(stats.shared, each.sum(1).var(0, ddof=1), atol=1e-10)
    np.testing.assert_allclose(stats.unshared, each.var(0, ddof=1).mean(0), atol=1e-10)
    assert stats.positions == each.shape[1]


def test_effective_samples_from_one_to_all() -> None:
    """Independent positions count as many samples, copies of one position as one."""
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((4000, 1, 16)), rng.standard_normal((4000, 1, 16))
    assert sharing.grad_stats(x, dy, (1, 1, 1)).effective.item() == pytest.approx(16, rel=0.1)
    x, dy = x[..., :1].repeat(16, -1), dy[..., :1].repeat(16, -1)
    assert sharing.grad_stats(x, dy, (1, 1, 1)).effective.item() == pytest.approx(1)


def test_penalty_slides_local_to_conv() -> None:
    rng = np.random.default_rng(0)
    local = LocalConv(2, 3, 3, input_size=(6, 5), dtype=np.float64, rng=0, bias=False)
    w = local.params["w"]
    value, gradient = sharing.sharing_penalty(w)
    step = 1e-6 * rng.standard_normal(w.shape)
    assert sharing.sharing_penalty(w + step)[0] - value == pytest.approx((gradient * step).sum(),
                                                                        rel=1e-4)
    mean = w.mean((0, 1))
    descent = SGD({"w": w}, 0.5)
    residuals = []
    for _ in range(30):
        residuals.append(sharing.convert(local, "conv").residual)
        descent.step({"w": sharing.sharing_penalty(w)[1]})
    assert residuals == sorted(residuals, reverse=True)
    assert residuals[-1] < 1e-6 < residuals[0]
    np.testing.assert_allclose(w, np.broadcast_to(mean, w.shape), atol=1e-6)
    tiled = sharing.untie(rng.standard_normal((2, 1, 3, 2, 3, 3)), (2, 6, 5))
    assert sharing.sharing_penalty(tiled, (2, 1))[0] == pytest.approx(0, abs=1e-25)
    with pytest.raises(ValueError, match="w must be"):
        sharing.sharing_penalty(np.ones((2, 3, 4)))


def test_low_rank_layer_gradients() -> None:
    rng = np.random.default_rng(0)
    layer = LowRankLocal(4, 6, 3, rank=3, input_size=(6, 5), stride=(1, 2), padding=1, groups=2,
                         dtype=np.float64, rng=0)
    layer.params["mix"][...] = rng.standard_normal(layer.params["mix"].shape)
    x = rng.standard_normal((2, 4, 6, 5))
    dy = rng.standard_normal(layer(x).shape)
    dx = layer.backward(dy)
    local = sharing.convert(layer, "local")
    np.testing.assert_allclose(local(x), layer(x), atol=1e-12)
    np.testing.assert_allclose(local.backward(dy), dx, atol=1e-12)

    def loss() -> float:
        return float((layer(x) * dy).sum())

    for name, p in layer.params.items():
        step, before = 1e-4 * rng.standard_normal(p.shape), p.copy()
        p[...] = before + step
        high = loss()
        p[...] = before - step
        low = loss()
        p[...] = before
        assert high - low == pytest.approx(2 * (layer.grads[name] * step).sum(), rel=1e-7)
