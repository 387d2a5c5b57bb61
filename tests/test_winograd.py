"""`algorithm="winograd"`: the right numbers for every 3-tap geometry, and a clear error elsewhere.

F(2, 3) forms sums and halves only, so small integers are compared with `==`, as for the direct
sweep; reals have a bound of their own, derived at `bound`.
"""

import math
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from support import DTYPES, ISAS, LAYOUTS, call, operands, run, same_bits

import sweepconv as sc
from sweepconv import reference, winograd
from sweepconv.geometry import PADDING_MODES
from sweepconv.phases import input_grad_axes
from sweepconv.testing import Array, Case, check_adjoint, check_conv, conv_cases

KINDS = ("conv", "conv_input_grad", "conv_weight_grad", "conv_transpose")
WINOGRAD: dict[str, Callable[..., Any]] = {
    verb: partial(getattr(sc, verb), algorithm="winograd") for verb in KINDS}


def fits(case: Case) -> bool:
    g = case.geometry
    return set(g.kernel) == {3} and {*g.stride, *g.dilation} == {1}


CRAFTED = [Case(x, w, bias=True, **more) for x, w, more in (
    ((2, 3, 3), (4, 3, 3), {}),  # one output: half of a tile
    ((1, 1, 1), (1, 1, 3), {"padding": 1}),
    ((2, 3, 4), (4, 3, 3), {}),  # one whole tile
    ((2, 3, 7), (4, 3, 3), {"padding": "causal"}),
    ((2, 3, 3, 3), (4, 3, 3, 3), {}),
    ((2, 3, 3, 8), (4, 3, 3, 3), {}),
    ((2, 3, 7, 4), (4, 3, 3, 3), {"x_memory": "channels_last"}),
    ((2, 3, 3, 4, 3), (2, 3, 3, 3, 3), {}),
    ((1, 2, 2, 5, 4), (3, 2, 3, 3, 3), {"padding": "full"}),
    ((2, 6, 5, 6), (4, 3, 3, 3), {"groups": 2, "padding": "same"}),
    ((2, 5, 4, 5), (5, 1, 3, 3), {"groups": 5, "padding": "full"}),
    ((1, 3, 3, 4, 3), (6, 1, 3, 3, 3), {"groups": 3, "padding": 1}),
    ((0, 3, 5, 5), (4, 3, 3, 3), {"padding": 1}),
    ((1, 3, 9, 9), (4, 3, 3, 3), {"padding": ((-2, 1), (0, -3))}),
)]
CRAFTED += [
    Case(x, (2, 2, *(3,) * (len(x) - 2)), padding=padding, padding_mode=mode)
    for mode in PADDING_MODES for x in ((2, 2, 5), (1, 2, 4, 3), (1, 2, 2, 3, 4))
    for padding in (1, "full", ((2, -1),) * (len(x) - 2), ((-1, 5),) * (len(x) - 2))
    if padding != ((2, -1),) * 3 or x[2] > 2]
DRAWN = [case for case in conv_cases("full", ["conv"]) if fits(case)]
CASES = [*CRAFTED, *DRAWN]
# A call large enough for threads, odd sizes, two groups.
LARGE = Case((5, 16, 23, 21), (24, 8, 3, 3), groups=2, padding=1, dtype="float32", bias=True)


def test_the_grid_has_cases() -> None:
    assert all(map(fits, CASES))
    assert len(DRAWN) >= 40


# The mathematics

A_T = np.array([[1, 1, 1, 0], [0, 1, -1, -1]])
B_T = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]) / 2


def test_the_matrices_are_a_convolution() -> None:
    """y[e] = sum of K[e, t, s] w[t] d[s] with K = 1 where s = e + t; and what `bound` needs: |K|,
    the same of the matrices' absolute values, is at most 2, and 0 outside of the field of e."""
    want = np.zeros((2, 3, 4))
    for e, t in np.ndindex(2, 3):
        want[e, t, e + t] = 1
    assert (np.einsum("ei,it,is->ets", A_T, G, B_T) == want).all()
    size = np.einsum("ei,it,is->ets", *map(np.abs, (A_T, G, B_T)))
    assert size.max() == 2
    assert not size[0, :, 3].any()
    assert not size[1, :, 0].any()
    assert (winograd.DATA == B_T).all()
    assert (winograd.OUTPUT == A_T).all()
    assert (winograd.FILTER * winograd.HALVES[:, None] == G).all()


# The numbers

@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("verb", KINDS)
def test_equal_on_small_integers(verb: str, dtype: type) -> None:
    cases = [replace(case, dtype=np.dtype(dtype).name) for case in CASES]
    check_conv(WINOGRAD[verb], verb=verb, cases=cases, fills=["exact"])


@pytest.mark.parametrize("verb", KINDS)
def test_slabs_of_one_row_give_the_same(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "SLAB_BYTES", 1)
    check_conv(WINOGRAD[verb], verb=verb, cases=CASES[::2], fills=["exact"])


def bound(verb: str, case: Case, values: dict[str, Any]) -> Array:
    """What rounding can do to each element, given u = eps/2.

    y = A^T sum over c of (G w) (B^T d) is a sum of terms w[t] d[s] with coefficients of which the
    absolute values sum to |K| <= 2 on each axis (see above).  Each term passes through 1 rounding
    an axis in B^T, 2 in G, whose halves are exact, and 2 in A^T; 1 in its product and at most n - 1
    in the sum of n channels; 1 in the bias.  So |error| <= k u / (1 - k u) * S, k = n + 5 rank + 1,

        S = 2**rank * sum over c of (sum over t of |w|) (sum over the field of |d|) + |b|

    which is the verb itself on |x| and filters that hold the sum of |w| at every tap.  Less than
    (k + 1) * eps * S covers the reference's own rounding as well.  The input gradient is the same
    sweep over dy, and each fold of a border element adds 1 to k.

    The weight gradient has 1 rounding an axis in B^T, 1 in A, 2 in G^T, and n products, one for
    each tile of each image; a slab adds its sum with 1 more, so at most 2 n for products and sums.
    Its coefficients are those of K again, summed over all outputs and taps.
    """
    g, rank = case.geometry, len(case.geometry.kernel)
    eps = float(np.finfo(case.dtype).eps)
    size = {k: np.abs(v.astype(np.float64)) for k, v in values.items() if isinstance(v, np.ndarray)}
    taps = tuple(range(-rank, 0))
    keywords = case.keywords
    if verb == "conv_weight_grad":
        n = g.batch * math.prod(-(-m // 2) for m in g.out_size)
        dw = reference.conv_weight_grad(size["x"], size["dy"], g.w_shape, **keywords)
        s: Any = 2**rank * np.broadcast_to(dw.sum(taps, keepdims=True), dw.shape)
        return np.asarray((2 * n + 4 * rank + 2) * eps * s)
    w = np.broadcast_to(size["w"].sum(taps, keepdims=True), size["w"].shape)
    if verb == "conv":
        n, s = g.w_shape[1], 2**rank * reference.conv(size["x"], w, **keywords)
    else:
        folded = sum(map(sum, input_grad_axes(g)[1]))
        n = g.out_channels // g.groups + folded
        dy = size["dy" if verb == "conv_input_grad" else "x"]
        s = 2**rank * reference.conv_input_grad(dy, w, g.x_shape, **keywords)
    if "b" in size:
        s = s + size["b"].reshape(-1, *(1,) * rank)
    return np.asarray((n + 5 * rank + 2) * eps * s)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("verb", KINDS)
def test_within_the_bound_on_reals(verb: str, dtype: type) -> None:
    for case in (LARGE, *CASES):
        case = replace(case, dtype=np.dtype(dtype).name)
        values = operands(verb, case)
        doubles = {k: v.astype(np.float64) if isinstance(v, np.ndarray) else v
                   for k, v in values.items()}
        want = call(verb, replace(case, dtype="float64"), doubles)
        error = np.abs(call(verb, case, values, algorithm="winograd") - want)
        assert (error <= bound(verb, case, values)).all(), case.id


@pytest.mark.parametrize("verb", KINDS)
def test_it_is_not_the_direct_sweep(verb: str) -> None:
    direct = run(verb, LARGE)
    assert not same_bits(run(verb, LARGE, algorithm="winograd"), direct)
    assert same_bits(run(verb, LARGE, algorithm="fast"), direct)


@pytest.mark.parametrize("case", [*CRAFTED[::3], *DRAWN[::3]], ids=str)
def test_gradients_are_adjoints(case: Case) -> None:
    check_adjoint(WINOGRAD["conv"], WINOGRAD["conv_input_grad"], WINOGRAD["conv_weight_grad"], case)


@pytest.mark.parametrize("verb", ["conv", "conv_input_grad", "conv_transpose"])
def test_nan_and_inf_reach_their_receptive_field(verb: str) -> None:
    """Of the data operand; Inf may have become NaN there."""
    for case in CASES:
        values = operands(verb, case, "special")
        name = "dy" if verb == "conv_input_grad" else "x"
        assert values.keys() >= {name, "w"}
        values["w"] = case.array("w", case.w_shape)
        if "b" in values:
            values["b"] = case.array("b", values["b"].shape)
        got, want = (call(verb, case, values, algorithm=a) for a in ("winograd", "direct"))
        finite = np.isfinite(want)
        assert (np.isfinite(got) == finite).all(), case.id
        assert (got[finite] == want[finite]).all(), case.id
        assert np.isnan(got[np.isnan(want)]).all(), case.id


# The promises

@pytest.mark.parametrize("verb", KINDS)
def test_bits_do_not_depend_on_threads(verb: str) -> None:
    for case in (LARGE, Case((3, 8, 4001), (16, 8, 3)), Case((2, 4, 9, 10, 11), (8, 4, 3, 3, 3))):
        one = run(verb, case, n_threads=1, algorithm="winograd")
        for n in (2, 3):
            assert same_bits(run(verb, case, n_threads=n, algorithm="winograd"), one)


@pytest.mark.parametrize("slab", [1, 100_000, winograd.SLAB_BYTES, 1 << 30])
@pytest.mark.parametrize("verb", ["conv", "conv_input_grad", "conv_transpose"])
def test_bits_do_not_depend_on_the_batch(
    verb: str, slab: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(verb, LARGE, algorithm="winograd")
    monkeypatch.setattr(winograd, "SLAB_BYTES", slab)
    data = "dy" if verb == "conv_input_grad" else "x"
    for cuts in ((0, 5), (0, 1, 5), (0, 2, 3, 5)):
        parts = []
        for first, last in pairwise(cuts):
            values = operands(verb, LARGE)
            values[data] = values[data][first:last]
            if "x_shape" in values:
                values["x_shape"] = (last - first, *LARGE.x_shape[1:])
            parts.append(call(verb, LARGE, values, algorithm="winograd"))
        assert same_bits(np.concatenate(parts), whole)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("verb", KINDS)
def test_any_strides(verb: str, layout: str) -> None:
    values = operands(verb, LARGE)
    want = call(verb, LARGE, values, algorithm="winograd")
    values = {k: LAYOUTS[layout](v) if isinstance(v, np.ndarray) else v for k, v in values.items()}
    got = call(verb, LARGE, values, algorithm="winograd")
    assert same_bits(got, want)
    assert got.strides == call(verb, LARGE, values).strides
    out = LAYOUTS["strided"](np.full_like(want, np.nan))
    assert call(verb, LARGE, values, algorithm="winograd", out=out) is out
    assert same_bits(out, want)


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("verb", ["conv_input_grad", "conv_weight_grad"])
def test_accumulate(verb: str, mode: str) -> None:
    case = Case((2, 4, 5, 6), (3, 4, 3, 3), padding=2, padding_mode=mode)
    got = run(verb, case, "exact", algorithm="winograd")
    out = np.ones_like(got)
    assert run(verb, case, "exact", algorithm="winograd", out=out, accumulate=True) is out
    assert (out == got + 1).all()


def test_out_may_overlap_with_x() -> None:
    case = Case((2, 4, 9, 9), (4, 4, 3, 3), padding=1)
    values = operands("conv", case, "exact")
    want = call("conv", case, values)
    memory = np.zeros(values["x"].size + 1)
    values["x"] = memory[:-1].reshape(case.x_shape)
    values["x"][...] = case.array("x", case.x_shape)
    out = memory[1:].reshape(case.x_shape)
    assert (call("conv", case, values, algorithm="winograd", out=out) == want).all()


@pytest.mark.parametrize("x_shape, w_shape, padding", [
    ((1, 2, 0, 4), (3, 2, 3, 3), 2),  # no image, but padding
    ((2, 0, 5), (3, 0, 3), 0),  # no channel to read
    ((2, 3, 5), (0, 3, 3), 0),  # none to make
])
def test_nothing_to_read(x_shape: Any, w_shape: Any, padding: int) -> None:
    x, w = np.ones(x_shape), np.ones(w_shape)
    y = WINOGRAD["conv"](x, w, np.ones(len(w)), padding=padding)
    want = reference.conv(x, w, np.ones(len(w)), padding=padding)
    assert y.shape == want.shape
    assert (y == want).all()
    dx = WINOGRAD["conv_input_grad"](y, w, x_shape, padding=padding)
    assert dx.shape == x_shape
    assert not dx.any()
    dw = WINOGRAD["conv_weight_grad"](x, y, w_shape, padding=padding)
    assert dw.shape == w_shape
    assert not dw.any()


def test_workspace_of_the_weight_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the others is no memory of Python's: see test_memory.py."""
    verb = "conv_weight_grad"
    case = Case((6, 4, 62, 64), (4, 4, 3, 3), padding=1)
    slab = 300_000  # bytes: a quarter of what one image takes
    monkeypatch.setattr(winograd, "SLAB_BYTES", slab)
    values = operands(verb, case)
    out = run(verb, case)
    tracemalloc.start()
    call(verb, case, values, algorithm="winograd", out=out, n_threads=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    filters = 3 * 16 * case.array("w", case.w_shape).nbytes // 9
    assert peak < 2 * slab + filters + 50_000  # Python's own objects
    assert peak > slab // 2


def test_layers_take_it() -> None:
    x = np.arange(2 * 3 * 5 * 6, dtype=np.float32).reshape(2, 3, 5, 6)
    plain, ours = (sc.layers.Conv(3, 4, 3, padding=1, algorithm=a, rng=np.random.default_rng(0))
                   for a in ("direct", "winograd"))
    y, want = ours(x), plain(x)
    assert np.allclose(y, want, rtol=1e-5, atol=1e-4)
    assert not (y == want).all()
    assert np.allclose(ours.backward(y), plain.backward(y), rtol=1e-5, atol=1e-4)


# F(4, 3), which `algorithm="fast"` takes where it pays

WIDE = [Case(x, w, bias=True, dtype="float32", **({"padding": 1} | more)) for x, w, more in (
    ((3, 40, 18, 21), (48, 40, 3, 3), {}),
    ((2, 64, 14, 14), (64, 64, 3, 3), {"x_memory": "channels_last"}),
    ((1, 512, 14, 15), (64, 512, 3, 3), {}),
    ((2, 64, 37), (40, 64, 3), {}),
    ((2, 70, 15, 13), (96, 35, 3, 3), {"groups": 2}),
    ((1, 33, 7, 9, 8), (40, 33, 3, 3, 3), {}),  # F(2, 3) on three axes
    ((2, 65, 12, 13), (66, 65, 1, 3), {"padding": (0, 1)}),  # on one of two
)]
FAST = ("conv", "conv_input_grad", "conv_transpose")


def test_the_points_make_the_matrices() -> None:
    """F(4, 3) in float64 on single taps and single inputs: y[e] = w[t] d[e + t], exactly but for
    rounding, for every e and t."""
    x = np.eye(40, 40)[:, None, :] * np.ones((1, 64, 1))  # an impulse at each place
    w = np.zeros((64, 64, 3))
    for t in range(3):
        w[t, :, t] = 1
    got, want = (sc.conv(x, w, algorithm=a) for a in ("fast", "direct"))
    assert not same_bits(got, want)
    assert np.allclose(got, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", WIDE, ids=str)
@pytest.mark.parametrize("verb", FAST)
def test_fast_has_a_small_error(verb: str, case: Case) -> None:
    """Root mean square errors: F(2, 3) no more than direct, F(4, 3) no more than 5 times that."""
    values = operands(verb, case)
    doubles = {k: v.astype(np.float64) if isinstance(v, np.ndarray) else v
               for k, v in values.items()}
    want = call(verb, replace(case, dtype="float64"), doubles)

    def error(algorithm: str) -> float:
        off = call(verb, case, values, algorithm=algorithm) - want
        return float(np.sqrt(np.mean(np.square(off))))

    assert 0 < error("fast") <= 5 * error("direct")
    if set(case.geometry.kernel) == {3}:
        assert 0 < error("winograd") <= error("direct")


@pytest.mark.parametrize("case", WIDE, ids=str)
@pytest.mark.parametrize("verb", FAST)
def test_fast_keeps_its_bits(verb: str, case: Case) -> None:
    """With other threads, another split of the batch, packed filters, other strides and out=."""
    values = operands(verb, case)
    want = call(verb, case, values, algorithm="fast", n_threads=1)
    assert not same_bits(want, call(verb, case, values))
    keywords = {k: v for k, v in case.keywords.items() if k in (
        "stride", "padding", "dilation", "groups", "padding_mode")}
    packed = values | {"w": sc.pack(values["w"], verb=verb, algorithm="fast", **keywords)}
    for n in (1, 2, 3):
        assert same_bits(call(verb, case, values, algorithm="fast", n_threads=n), want)
        assert same_bits(call(verb, case, packed, algorithm="fast", n_threads=n), want)
    data = "dy" if verb == "conv_input_grad" else "x"
    first = {**values, data: values[data][:1]}
    if "x_shape" in values:
        first["x_shape"] = (1, *values["x_shape"][1:])
    assert same_bits(call(verb, case, first, algorithm="fast"), want[:1])
    strided = {k: LAYOUTS["strided"](v) if isinstance(v, np.ndarray) else v
               for k, v in values.items()}
    out = LAYOUTS["strided"](np.full_like(want, np.nan))
    call(verb, case, strided, algorithm="fast", out=out)
    assert same_bits(out, want)


@pytest.mark.parametrize("isa", ISAS)
def test_every_instruction_set(isa: str) -> None:
    """Transforms of each, whose widths differ, against the direct sweep in float64."""
    before = sc.show_config()["isa"]
    sc.use_isa(isa)
    try:
        for case in WIDE:
            values = operands("conv", case)
            want = call("conv", replace(case, dtype="float64"), {
                k: v.astype(np.float64) for k, v in values.items()})
            three = set(case.geometry.kernel) == {3}
            for algorithm in ("fast", "winograd") if three else ("fast",):
                got = call("conv", case, values, algorithm=algorithm)
                assert np.sqrt(np.mean(np.square(got - want))) < 3e-6 * np.sqrt(np.mean(want**2))
    finally:
        sc.use_isa(before)


def test_weights_that_are_not_finite_take_the_direct_sweep() -> None:
    case = WIDE[0]
    values = operands("conv", case)
    values["w"][3, 5, 0, 1] = np.inf
    values["w"][7, 2, 2, 2] = np.nan
    with np.errstate(invalid="ignore"):
        assert same_bits(call("conv", case, values, algorithm="fast"), call("conv", case, values))


def test_few_channels_take_the_direct_sweep() -> None:
    case = Case((2, 16, 20, 20), (64, 16, 3, 3), padding=1, dtype="float32")
    assert same_bits(run("conv", case, algorithm="fast"), run("conv", case))


# The errors

@pytest.mark.parametrize("w_shape, more, words", [
    ((4, 3, 3, 5), {}, r"needs kernel=3 on each axis, got kernel=\(3, 5\).*\(4, 3, 3, 5\)"),
    ((4, 3, 1, 1), {}, r"needs kernel=3 .*x.shape = \(2, 3, 9, 8\)"),
    ((4, 3, 3, 3), {"stride": (1, 2)}, r"needs stride=1 on each axis, got stride=\(1, 2\)"),
    ((4, 3, 3, 3), {"dilation": 2}, r"needs dilation=1 on each axis, got dilation=\(2, 2\)"),
])
@pytest.mark.parametrize("verb", KINDS)
def test_other_geometries_raise(verb: str, w_shape: Any, more: Any, words: str) -> None:
    case = Case((2, 3, 9, 8), w_shape, **more)
    with pytest.raises(ValueError, match=f"{verb}: algorithm='winograd' {words}"):
        run(verb, case, algorithm="winograd")


@pytest.mark.parametrize("verb", ["conv", "conv_input_grad", "conv_transpose"])
def test_filters_packed_for_another_algorithm_raise(verb: str) -> None:
    case = Case((2, 3, 9, 8), (4, 3, 3, 3))
    values = operands(verb, case)
    values["w"] = sc.pack(values["w"], verb=verb)
    with pytest.raises(ValueError, match=f"{verb}: w was packed with algorithm='direct', "
                                         "got algorithm='winograd'"):
        call(verb, case, values, algorithm="winograd")
    with pytest.raises(ValueError, match=r"pack: tiled_conv: algorithm must be one of 'direct', "
                                         "'fast', got 'winograd'"):
        sc.pack(np.ones((2, 4, 3, 3)), verb="tiled_conv", algorithm="winograd")


@pytest.mark.parametrize("kind", ["", "_input_grad", "_weight_grad"])
@pytest.mark.parametrize("case", [
    Case((1, 2, 5), (2, 3, 2, 3), family="tiled"), Case((1, 2, 5), (3, 3, 2, 3), family="local"),
], ids=["tiled", "local"])
def test_other_families_raise(case: Case, kind: str) -> None:
    verb = f"{case.family}_conv{kind}"
    with pytest.raises(ValueError, match=f"{verb}: algorithm must be one of 'direct', 'fast', "
                                         "got 'winograd'"):
        run(verb, case, algorithm="winograd")


@pytest.mark.parametrize("verb", KINDS)
def test_other_arguments_raise_as_ever(verb: str) -> None:
    case = Case((2, 3, 9, 8), (4, 3, 3, 3), bias=True)
    values = operands(verb, case)
    for name, wrong in ((next(iter(values)), TypeError), ("n_threads", ValueError),
                        ("out", ValueError), ("b", ValueError)):
        bad: dict[str, Any] = {}
        given = dict(values)
        if name == "n_threads":
            bad = {"n_threads": 0}
        elif name == "out":
            bad = {"out": np.empty(3)}
        elif name == "b":
            if name not in values:
                continue
            given["b"] = values["b"][:1]
        else:
            given[name] = values[name].astype(np.int64)
        with pytest.raises(wrong, match=f"{verb}: {name} must"):
            call(verb, case, given, algorithm="winograd", **bad)
