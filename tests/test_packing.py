"""A packed handle takes the place of the filters: the same bits, or a clear error."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support import (
    DTYPES,
    FORWARD,
    INPUT_GRADS,
    ISAS,
    LAYOUTS,
    ONE_PIXEL,
    SMALL,
    WEIGHT_GRADS,
    call,
    digest,
    family_of,
    keywords,
    operands,
    same_bits,
)

import sweepconv as sc
from sweepconv.testing import Case

PACKABLE = [*FORWARD, *INPUT_GRADS]
LARGE: dict[str, Case] = {
    "conv": Case((3, 40, 12, 11), (50, 20, 3, 3), padding=1, groups=2, bias=True),
    "tiled": Case((3, 20, 12, 11), (2, 3, 50, 20, 3, 3), padding=1, bias=True, family="tiled"),
    "local": Case((3, 20, 6, 7), (6, 7, 50, 20, 3, 3), padding=1, bias=True, family="local"),
    "dense": Case((3, 20, 6, 7), (50, 20, 6, 7), bias=True, family="dense"),
}
PAIRS = [(verb, case) for verb in PACKABLE for family in [family_of(verb)]
         for case in (SMALL[family], LARGE[family], *ONE_PIXEL[family])]
each = pytest.mark.parametrize("verb, case", PAIRS, ids=str)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = sc.show_config()["isa"]
    yield
    sc.use_isa(before)


def packed(verb: str, case: Case, w: Any) -> Any:
    return sc.pack(w, verb=verb, **keywords(verb, case))


@pytest.mark.parametrize("dtype", DTYPES)
@each
def test_same_bits(verb: str, case: Case, dtype: Any) -> None:
    """On the first call, on the next, with several threads and into out=."""
    case = replace(case, dtype=np.dtype(dtype).name)
    values = operands(verb, case)
    want = digest(call(verb, case, values))
    handle = packed(verb, case, values["w"])
    for more in ({}, {}, {"n_threads": 2}, {"n_threads": 1}):
        assert digest(call(verb, case, values | {"w": handle}, **more)) == want
    out = call(verb, case, values)
    out[...] = 7
    assert call(verb, case, values | {"w": handle}, out=out) is out
    assert digest(out) == want


@each
def test_several_input_shapes(verb: str, case: Case) -> None:
    """Other batches, and for shared filters other images, there and back."""
    w = operands(verb, case)["w"]
    handle = packed(verb, case, w)
    shared = family_of(verb) in ("conv", "tiled")
    sizes = [(0, 0), (1, 0), (5, 0), *([(2, 1), (1, 4), (3, 2)] if shared else [])]
    for batch, more in [*sizes, *sizes[::-1]]:
        spatial = [n + more for n in case.x_shape[2:]]
        other = replace(case, x_shape=(batch, case.x_shape[1], *spatial), bias=False)
        values = operands(verb, other)
        plain, got = (getattr(sc, verb)(*(values | {"w": filters}).values(), **keywords(verb, case))
                      for filters in (w, handle))
        assert same_bits(got, plain), other.x_shape


@pytest.mark.parametrize("isa", ISAS)
@each
def test_after_another_instruction_set(verb: str, case: Case, isa: str) -> None:
    """A handle made and used on one set of tiles serves another, and the first again."""
    values = operands(verb, case)
    handle = packed(verb, case, values["w"])
    for name in (ISAS[0], isa, ISAS[-1], isa):
        sc.use_isa(name)
        assert same_bits(call(verb, case, values | {"w": handle}), call(verb, case, values))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@each
def test_special_weights(verb: str, case: Case, value: float) -> None:
    values = operands(verb, case)
    values["w"].flat[7] = value
    handle = packed(verb, case, values["w"])
    assert same_bits(call(verb, case, values | {"w": handle}), call(verb, case, values))


@pytest.mark.parametrize("layout", LAYOUTS)
@each
def test_packing_copies_filters_of_any_strides(verb: str, case: Case, layout: str) -> None:
    """So that later changes of the array have no effect."""
    values = operands(verb, case)
    want = call(verb, case, values)
    w = LAYOUTS[layout](values["w"])
    handle = packed(verb, case, w)
    if w.flags.writeable:
        w[...] = 3
    assert same_bits(call(verb, case, values | {"w": handle}), want)


def test_many_threads_share_a_handle() -> None:
    case = LARGE["conv"]
    values = operands("conv", case)
    want = digest(call("conv", case, values))
    for _ in range(5):
        shared = values | {"w": packed("conv", case, values["w"])}
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _, v=shared: digest(call("conv", case, v)), range(16)))
        assert set(results) == {want}


@pytest.mark.parametrize("given, used", [
    ({}, {"stride": 1, "padding": 0, "dilation": (1, 1), "groups": 1, "padding_mode": "zeros"}),
    ({"stride": 2}, {"stride": (2, 2)}), ({"stride": [2, 1]}, {"stride": (2, 1)}),
    ({"padding": 1}, {"padding": ((1, 1), (1, 1))}),
    ({"padding": (1, 2)}, {"padding": [1, (2, 2)]}),
    ({"padding": "same"}, {"padding": "same"}), ({"dilation": np.int64(2)}, {"dilation": 2}),
    ({"stride": np.array([2, 1])}, {"stride": np.array([2, 1])}),
    ({"stride": np.array([2, 1])}, {"stride": (2, 1)}),
    ({"padding": np.array([[1, 2], [0, 1]])}, {"padding": ((1, 2), (0, 1))}),
], ids=str)
def test_keywords_that_mean_the_same(given: dict[str, Any], used: dict[str, Any]) -> None:
    x, w = np.ones((2, 3, 9, 9)), np.ones((4, 3, 3, 3))
    handle = sc.pack(w, **given)
    want = sc.conv(x, w, **used)
    for named in (used, given, used, deepcopy(used), given):
        assert same_bits(sc.conv(x, handle, **named), want)


@pytest.mark.parametrize("other", [
    {"stride": 2}, {"padding": 1}, {"padding": "same"}, {"padding": ((0, 0), (0, 1))},
    {"dilation": (1, 2)}, {"groups": 3}, {"padding_mode": "circular"},
], ids=str)
def test_other_keywords(other: dict[str, Any]) -> None:
    x, w = np.ones((2, 3, 9, 9)), np.ones((3, 3, 3, 3))
    (name, value), = other.items()
    with pytest.raises(ValueError, match=f"conv: w was packed with {name}=") as raised:
        sc.conv(x, sc.pack(w), **other)
    assert repr(value) in str(raised.value)
    handle = sc.pack(w if name != "groups" else w[:, :1], **other)
    with pytest.raises(ValueError, match=f"conv: w was packed with {name}="):
        sc.conv(x, handle)
    assert sc.conv(x, handle, **other).size


@pytest.mark.parametrize("verb", PACKABLE)
def test_other_verbs(verb: str) -> None:
    case = SMALL[family_of(verb)]
    handle = packed(verb, case, operands(verb, case)["w"])
    for other in set(PACKABLE) - {verb}:
        theirs = SMALL[family_of(other)]
        with pytest.raises(ValueError, match=f"{other}: w was packed for '{verb}'"):
            call(other, theirs, operands(other, theirs) | {"w": handle})


@pytest.mark.parametrize("verb", [*WEIGHT_GRADS, "max_pool", "", None, 3])
def test_verbs_without_filters(verb: Any) -> None:
    with pytest.raises(ValueError, match="pack: verb must be one of 'conv'"):
        sc.pack(np.ones((2, 2, 3)), verb=verb)


@pytest.mark.parametrize("verb", PACKABLE)
def test_what_cannot_be_packed(verb: str) -> None:
    case = SMALL[family_of(verb)]
    w = case.array("w", case.w_shape)
    with pytest.raises(TypeError, match="pack: w must be float32 or float64, got int64"):
        packed(verb, case, w.astype(np.int64))
    for wrong in (w[0, 0, 0], w.reshape(-1), np.float64(1.0)):
        if wrong.ndim < 2:
            with pytest.raises(ValueError, match="pack: w does not have the axes"):
                packed(verb, case, wrong)
    with pytest.raises(TypeError, match="'n_threads'"):
        sc.pack(w, verb=verb, n_threads=2)
    if not verb.startswith("dense"):
        with pytest.raises(TypeError, match=f"pack: {verb}: stride"):
            sc.pack(w, verb=verb, stride=1.5)
    else:
        with pytest.raises(TypeError, match="'stride'"):
            sc.pack(w, verb=verb, stride=1)


@pytest.mark.parametrize("verb", PACKABLE)
def test_calls_that_do_not_fit_the_handle(verb: str) -> None:
    """As with plain filters: the dtype and the channels of the data must be theirs."""
    case = SMALL[family_of(verb)]
    values = operands(verb, case)
    handle = packed(verb, case, values["w"])
    data = next(iter(values))
    with pytest.raises(TypeError, match=f"{verb}: w must have the dtype of {data}"):
        call(verb, case, values | {"w": handle, data: values[data].astype(np.float32)})
    wide = np.concatenate([values[data]] * 2, axis=1)
    with pytest.raises(ValueError, match=verb):
        call(verb, case, values | {"w": handle, data: wide})


def test_a_handle_packs_once_for_any_batch_and_keeps_few() -> None:
    """Panels follow the image's size: a new batch size finds them, many image sizes do not pile
    up."""
    w = np.ones((4, 3, 3, 3))
    handle = sc.pack(w)
    for n in range(1, 12):
        sc.conv(np.ones((n, 3, 8, 8)), handle)
    assert len(handle._panels) == 1
    for size in range(5, 40):
        x = np.ones((1, 3, size, size))
        assert same_bits(sc.conv(x, handle), sc.conv(x, w))
    assert len(handle._panels) <= 8


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_call_that_came_before_is_checked_again(packed: bool, channels_last: bool) -> None:
    """What follows from its shapes is known; what `out`, data and keywords are is not."""
    rng = np.random.default_rng(0)
    x, b = rng.standard_normal((2, 3, 6, 5)).astype(np.float32), np.ones(4, np.float32)
    if channels_last:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    given = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    w = sc.pack(given, padding=1) if packed else given
    want = sc.conv(x, w, b, padding=1)
    for _ in range(2):
        out = np.full_like(want, np.nan)
        assert sc.conv(x, w, b, padding=1, out=out) is out
        np.testing.assert_array_equal(out, want)
        np.testing.assert_array_equal(sc.conv(x, w, b, padding=1), want)
        with pytest.raises(ValueError, match="out must have shape"):
            sc.conv(x, w, b, padding=1, out=out[:1])
        with pytest.raises(TypeError, match="out must have dtype"):
            sc.conv(x, w, b, padding=1, out=out.astype(np.float64))
        with pytest.raises(TypeError):
            sc.conv(x, w, b, padding=1.0)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="b must have shape"):
            sc.conv(x, w, b[:2], padding=1)
    overlap = np.zeros(x.size + want.size, np.float32)[:x.size].reshape(x.shape)
    overlap[...] = x
    into = overlap.base[5:5 + want.size].reshape(want.shape)  # type: ignore[index]
    np.testing.assert_array_equal(sc.conv(overlap, w, b, padding=1, out=into), want)


@pytest.mark.parametrize("verb", ["conv", "tiled_conv"])
def test_calls_that_differ_in_the_name_of_a_keyword_are_not_the_same(verb: str) -> None:
    """Stride 2 and dilation 2 give as many outputs here, of the same shapes."""
    x, taps = np.arange(6.0).reshape(1, 1, 6), np.array([1.0, 10, 100])
    w = taps.reshape(1, 1, 3) if verb == "conv" else taps.reshape(1, 1, 1, 3)
    dy = np.array([1.0, 1]).reshape(1, 1, 2)
    sweep, gradient = getattr(sc, verb), getattr(sc, f"{verb}_input_grad")
    filters = getattr(sc, f"{verb}_weight_grad")
    for _ in range(2):
        np.testing.assert_array_equal(sweep(x, w, stride=2)[0, 0], [210, 432])
        np.testing.assert_array_equal(sweep(x, w, dilation=2)[0, 0], [420, 531])
        np.testing.assert_array_equal(gradient(dy, w, x.shape, stride=2)[0, 0],
                                      [1, 10, 101, 10, 100, 0])
        np.testing.assert_array_equal(gradient(dy, w, x.shape, dilation=2)[0, 0],
                                      [1, 1, 10, 10, 100, 100])
        np.testing.assert_array_equal(filters(x, dy, w.shape, stride=2).ravel(), [2, 4, 6])
        np.testing.assert_array_equal(filters(x, dy, w.shape, dilation=2).ravel(), [1, 5, 9])


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_gradient_that_came_before_is_checked_again(packed: bool, channels_last: bool) -> None:
    rng = np.random.default_rng(1)
    x, dy = rng.standard_normal((2, 2, 3, 6, 5)).astype(np.float32)
    if channels_last:
        x, dy = (np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1) for a in (x, dy))
    w = rng.standard_normal((3, 3, 3, 3)).astype(np.float32)
    given = sc.pack(w, verb="conv_input_grad", padding=1) if packed else w

    def input_grad(**keywords: Any) -> np.ndarray:
        return sc.conv_input_grad(dy, given, x.shape, **{"padding": 1, **keywords})

    def weight_grad(**keywords: Any) -> np.ndarray:
        return sc.conv_weight_grad(x, dy, w.shape, **{"padding": 1, **keywords})

    for gradient in (input_grad, weight_grad):
        want = gradient()
        for _ in range(2):
            out = np.full_like(want, np.nan)
            assert gradient(out=out) is out
            np.testing.assert_array_equal(out, want)
            again = gradient()
            np.testing.assert_array_equal(again, want)
            assert again.strides == want.strides
            np.testing.assert_allclose(gradient(out=out, accumulate=True), 2 * want, rtol=1e-5,
                                       atol=1e-5)
            with pytest.raises(ValueError, match="out is None"):
                gradient(accumulate=True)
            with pytest.raises(ValueError, match="out must have shape"):
                gradient(out=out[:1])
            with pytest.raises(TypeError):
                gradient(padding=1.0)
    with pytest.raises(TypeError, match="x_shape must be a tuple of ints"):
        sc.conv_input_grad(dy, given, (2.0, 3, 6, 5), padding=1)
    with pytest.raises(ValueError, match="dy must have shape"):
        sc.conv_input_grad(dy[:1], given, x.shape, padding=1)
    parts = sc.conv_weight_grad(x, dy, w.shape, padding=1, reduce="sample")
    assert parts.shape == (2, *w.shape)


def test_a_gradient_that_came_before_finds_inf_in_its_weights() -> None:
    """An Inf reaches the dx that its tap touches and no padding zero, also where finite weights
    came before."""
    dy, w = np.ones((1, 1, 4)), np.array([1.0, 2, 3]).reshape(1, 1, 3)
    for _ in range(2):
        np.testing.assert_array_equal(sc.conv_input_grad(dy, w, (1, 1, 6))[0, 0],
                                      [1, 3, 6, 6, 5, 3])
        wild = w.copy()
        wild[0, 0, 2] = np.inf
        np.testing.assert_array_equal(sc.conv_input_grad(dy, wild, (1, 1, 6))[0, 0],
                                      [1, 3, np.inf, np.inf, np.inf, np.inf])
