"""Calls that came before take a shorter way: the same bits and the same errors as the first."""

from typing import Any

import numpy as np
import pytest
from support import (
    LAYOUTS,
    PREFIX,
    SMALL,
    Array,
    family_of,
    keywords,
    operands,
    run,
    same_bits,
)

import sweepconv as sc
from sweepconv import _engine

VERBS = [prefix + kind for family, prefix in PREFIX.items() if family != "dense"
         for kind in ("", "_input_grad", "_weight_grad")]


class LongWay:
    """An array that is no plain one: no call with it is known."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.array


def call(verb: str, values: dict[str, Any], *, long: bool = False, **more: Any) -> Array:
    first, *rest = values.values()
    given = LongWay(first) if long else first
    case = SMALL[family_of(verb)]
    result: Array = getattr(sc, verb)(given, *rest, **keywords(verb, case), **more)
    return result


def fresh(verb: str, seed: int) -> dict[str, Any]:
    """Operands with other data in each call."""
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(v.shape) if isinstance(v, np.ndarray) else v
            for name, v in operands(verb, SMALL[family_of(verb)]).items()}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("verb", VERBS)
def test_same_bits_in_any_memory_order(verb: str, layout: str) -> None:
    for seed in range(3):
        values = {name: LAYOUTS[layout](v) if isinstance(v, np.ndarray) else v
                  for name, v in fresh(verb, seed).items()}
        got = call(verb, values)
        assert same_bits(got, call(verb, values, long=True))
        assert got.strides == call(verb, values, long=True).strides


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "read_only"])
@pytest.mark.parametrize("verb", VERBS)
def test_out_of_any_memory_order(verb: str, layout: str) -> None:
    accumulates = [{}, {"accumulate": True}] if "grad" in verb else [{}]
    for seed in range(3):
        values = fresh(verb, seed)
        for more in accumulates:
            start = np.random.default_rng(9).standard_normal(call(verb, values).shape)
            ours, theirs = LAYOUTS[layout](start), start.copy()
            assert call(verb, values, out=ours, **more) is ours
            call(verb, values, long=True, out=theirs, **more)
            assert same_bits(ours, theirs)


@pytest.mark.parametrize("verb", VERBS)
def test_an_out_that_no_call_may_write(verb: str) -> None:
    values = fresh(verb, 0)
    good = call(verb, values)
    bad: list[Any] = [
        good[..., 1:], good.astype(np.float32), LAYOUTS["read_only"](good), good.tolist(),
        np.broadcast_to(good[:1], good.shape), good.astype(good.dtype.newbyteorder()),
        np.lib.stride_tricks.as_strided(np.zeros(64), good.shape, (8,) * good.ndim)]
    for out in bad:
        errors = []
        for long in (True, False, False):
            with pytest.raises((ValueError, TypeError)) as caught:
                call(verb, values, long=long, out=out)
            errors.append(str(caught.value))
        assert len(set(errors)) == 1, errors


@pytest.mark.parametrize("shift", [0, 1, -1, 30])
@pytest.mark.parametrize("backwards", [False, True])
def test_an_out_that_shares_memory_with_an_operand(backwards: bool, shift: int) -> None:
    """As if the operand had been copied first."""
    w = np.random.default_rng(1).standard_normal((1, 1, 3, 3))
    for seed in range(3):
        memory = np.random.default_rng(seed).standard_normal(200)
        x = memory[40:104].reshape(1, 1, 8, 8)
        out = memory[40 + shift:104 + shift].reshape(1, 1, 8, 8)
        if backwards:
            x = x[..., ::-1, ::-1]
        expected = sc.conv(x.copy(), w, padding=1)
        sc.conv(x, w, padding=1, out=out)
        assert same_bits(out, expected)


def test_a_bias_or_filters_that_share_memory_with_out() -> None:
    for _ in range(3):
        w = np.random.default_rng(1).standard_normal((4, 4, 1))
        b = w[0, :, 0]
        x = np.random.default_rng(2).standard_normal((1, 4, 4))
        expected = sc.conv(x, w.copy(), b.copy())
        out = w.reshape(1, 4, 4)
        sc.conv(x, w, b, out=out)
        assert same_bits(out, expected)


def test_keywords_that_are_equal_but_not_allowed() -> None:
    x, w = np.ones((1, 2, 6)), np.ones((2, 2, 3))
    for _ in range(2):
        assert sc.conv(x, w, stride=1, groups=1).shape == (1, 2, 4)
    for bad in ({"stride": 1.0}, {"groups": 1.0}, {"padding_mode": b"zeros"}, {"n_threads": "1"}):
        for _ in range(2):
            with pytest.raises((ValueError, TypeError)):
                sc.conv(x, w, **bad)
    for _ in range(2):
        with pytest.raises(TypeError, match="x_shape"):
            sc.conv_input_grad(np.ones((1, 2, 4)), w, (1, 2, 6.0))


def test_a_list_that_changes_between_calls() -> None:
    x, w, stride = np.ones((1, 2, 9, 9)), np.ones((2, 2, 3, 3)), [1, 1]
    for _ in range(2):
        assert sc.conv(x, w, stride=stride).shape == (1, 2, 7, 7)
    stride[0] = 2
    assert sc.conv(x, w, stride=stride).shape == (1, 2, 4, 7)


@pytest.mark.parametrize("other", [np.float32, np.int64, ">f8", "M8[s]", object, np.complex128])
def test_another_dtype_after_a_known_one(other: Any) -> None:
    x, w = np.ones((1, 1, 5)), np.ones((1, 1, 3))
    for _ in range(2):
        sc.conv(x, w)
    for a, b in ((x.astype(other), w), (x, w.astype(other))):
        for _ in range(2):
            with pytest.raises(TypeError):
                sc.conv(a, b)


def test_a_name_that_no_verb_has() -> None:
    x, w = np.ones((1, 1, 5)), np.ones((1, 1, 3))
    for _ in range(3):
        sc.conv(x, w)
        with pytest.raises(TypeError, match="unexpected keyword argument 'strides'"):
            sc.conv(x, w, strides=1)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="unexpected keyword argument 'reduce'"):
            sc.conv_input_grad(x, w, (1, 1, 7), reduce="all")  # type: ignore[call-arg]


@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_special_weights_after_plain_ones(special: float) -> None:
    """0 * Inf of padding must not leave the receptive field, nor once such a call is known."""
    dy = np.ones((1, 1, 6))
    for value in (1.0, special, 2.0, special):
        w = np.array([[[1.0, value, 1.0]]])
        expected = sc.reference.conv_input_grad(dy, w, (1, 1, 6), padding=((0, 2),))
        for out in (None, np.empty((1, 1, 6))):
            got = sc.conv_input_grad(dy, w, (1, 1, 6), padding=((0, 2),), out=out)
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("verb", [v for v in VERBS if "weight" not in v])
def test_packed_filters(verb: str, layout: str) -> None:
    case = SMALL[family_of(verb)]
    w = fresh(verb, 0)["w"]
    handle = sc.pack(w, verb=verb, **keywords(verb, case))
    for seed in range(3):
        data, _, *rest = fresh(verb, seed).values()
        data = LAYOUTS[layout](data)
        plain = getattr(sc, verb)(LongWay(data), w, *rest, **keywords(verb, case))
        out = np.empty_like(plain)
        for more in ({}, {"out": out}):
            got = getattr(sc, verb)(data, handle, *rest, **keywords(verb, case), **more)
            assert same_bits(got, plain)


def test_packed_dense_filters() -> None:
    w = np.random.default_rng(1).standard_normal((6, 3, 4))
    handle = sc.pack(w, verb="dense")
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal((2, 3, 4))
        assert same_bits(sc.dense(x, handle), sc.dense(x, w))


@pytest.mark.parametrize("algorithm", ["fast", "winograd"])
@pytest.mark.parametrize("channels", [2, 64])
def test_other_algorithms(channels: int, algorithm: str) -> None:
    """Small layers are swept directly by "fast", and are known then."""
    w = np.random.default_rng(1).standard_normal((channels, channels, 3, 3))
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal((1, channels, 14, 14))
        y = sc.conv(x, w, algorithm=algorithm)
        for got, expected in (
                (y, sc.conv(LongWay(x), w, algorithm=algorithm)),
                (sc.conv_input_grad(y, w, x.shape, algorithm=algorithm),
                 sc.conv_input_grad(LongWay(y), w, x.shape, algorithm=algorithm)),
                (sc.conv_weight_grad(x, y, w.shape, algorithm=algorithm),
                 sc.conv_weight_grad(LongWay(x), y, w.shape, algorithm=algorithm))):
            assert same_bits(got, expected)


@pytest.mark.parametrize("algorithm", ["direct", "winograd"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_long_calls(algorithm: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With threads; weights that are not finite take the way of a first call."""
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((2, 16, 20, 20)), rng.standard_normal((24, 16, 3, 3))
    out = np.empty((2, 24, 18, 18))
    kwargs: dict[str, Any] = {"algorithm": algorithm, "n_threads": threads}
    y = sc.conv(x, w, **kwargs)
    dx = sc.conv_input_grad(y, w, x.shape, **kwargs)
    dw = sc.conv_weight_grad(x, y, w.shape, **kwargs)
    sc.conv(x, w, out=out, **kwargs)
    bad = w.copy()
    bad[3, 2, 1, 1] = np.nan
    y_bad = sc.conv(LongWay(x), bad, **kwargs)
    dx_bad = sc.conv_input_grad(LongWay(y), bad, x.shape, **kwargs)
    assert same_bits(sc.conv(x, bad, **kwargs), y_bad)
    assert same_bits(sc.conv_input_grad(y, bad, x.shape, **kwargs), dx_bad)
    assert np.isnan(y_bad).any()
    assert not np.isnan(y_bad).all()
    monkeypatch.delattr(_engine, "sort_keywords")
    assert same_bits(sc.conv(x, w, **kwargs), y)
    assert same_bits(sc.conv(x, w, out=out, **kwargs), y)
    assert same_bits(out, y)
    assert same_bits(sc.conv_input_grad(y, w, x.shape, **kwargs), dx)
    if algorithm == "direct":
        assert same_bits(sc.conv_weight_grad(x, y, w.shape, **kwargs), dw)


@pytest.mark.parametrize("keywords", [
    {}, {"stride": 2, "output_padding": 1}, {"stride": (2, 1), "padding": 1}, {"groups": 2},
    {"padding": 1, "padding_mode": "circular"}, {"stride": 3}, {"algorithm": "fast", "padding": 1}])
def test_transposed_convolutions(keywords: dict[str, Any]) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, w = rng.standard_normal((2, 4, 9, 8)), rng.standard_normal((4, 6, 3, 3))
        for values in (w, np.where(w > 2, np.nan, w)):
            for b in (None, rng.standard_normal(6 * keywords.get("groups", 1))):
                got = sc.conv_transpose(x, values, b, **keywords)
                assert same_bits(got, sc.conv_transpose(LongWay(x), values, b, **keywords))
        with pytest.raises(ValueError, match="output_padding"):
            sc.conv_transpose(x, w, **(keywords | {"output_padding": 3}))


def test_values_of_keywords_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not their objects, where they are whole numbers or lists of such."""
    x, w = np.ones((1, 2, 9, 9)), np.ones((2, 2, 3, 3))
    first = sc.conv(x, w, padding=[[1, 1], (2, 0)], stride=(2, 1))
    other = sc.conv(x, w, padding=[[1, 1], (0, 2)], stride=(2, 1))
    transposed = sc.conv_transpose(x, w, output_padding=[1, 0], stride=[2, 1])
    monkeypatch.delattr(_engine, "sort_keywords")
    for one in (1, 1):
        pads, strides = [[one, one], (2 * one, 0)], (2 * one, one)
        assert same_bits(sc.conv(x, w, padding=pads, stride=strides), first)
        pads[1] = (0, 2 * one)
        assert same_bits(sc.conv(x, w, padding=pads, stride=strides), other)
        assert same_bits(sc.conv_transpose(x, w, output_padding=[1, 0], stride=list(strides)),
                         transposed)
    assert not same_bits(first, other)


def test_more_shapes_than_are_kept() -> None:
    w = np.ones((1, 1, 3))
    for n in [*range(3, 1200), 3, 4, 5]:
        assert sc.conv(np.ones((1, 1, n)), w)[0, 0, -1] == 3


@pytest.mark.parametrize("verb", [prefix + kind for prefix in PREFIX.values()
                                  for kind in ("", "_input_grad", "_weight_grad")])
def test_plain_calls_are_known_from_the_second_on(verb: str,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    case = SMALL[family_of(verb)]
    first = run(verb, case)
    monkeypatch.delattr(_engine, "sort_keywords")  # which every other call needs
    assert same_bits(run(verb, case), first)
