"""The conformance kit passes the reference, covers its grid and catches planted bugs."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

from sweepconv import reference as ref
from sweepconv import testing
from sweepconv.geometry import PADDING_MODES, PADDING_NAMES
from sweepconv.testing import Case, check_adjoint, check_conv, check_grad, conv_cases

SWEEPS = ["conv", "tiled_conv", "local_conv", "dense"]
VERBS = [verb + kind for verb in SWEEPS for kind in ("", "_input_grad", "_weight_grad")]
ALL = ["conv", "tiled", "local", "dense"]


# The reference itself


@pytest.mark.parametrize("verb", [*VERBS, "conv_transpose"])
def test_reference_passes(verb: str) -> None:
    summary = check_conv(getattr(ref, verb), verb=verb, level="smoke", fills=testing.FILLS)
    assert summary.verb == verb
    assert summary.cases == len(conv_cases("smoke", [testing._family(verb)]))
    assert 0 < summary.worst <= 1
    assert summary.worst_case in [case.id for case in conv_cases("smoke", ALL)]


@pytest.mark.parametrize("verb", SWEEPS)
def test_reference_is_its_own_adjoint(verb: str) -> None:
    forward, dx, dw = (getattr(ref, verb + kind) for kind in ("", "_input_grad", "_weight_grad"))
    for case in conv_cases("smoke", [testing._family(verb)]):
        check_adjoint(forward, dx, dw, case)
        check_grad(forward, dx, dw, case, directions=1)


def test_bound_holds_for_every_order_of_summation() -> None:
    """Forwards, backwards and in blocks, all in float32."""
    x = np.random.default_rng(0).uniform(-1, 1, (1, 3000, 1)).astype(np.float32)
    w = np.random.default_rng(1).uniform(-1, 1, (2, 3000, 1)).astype(np.float32)
    terms = x[0, :, 0] * w[:, :, 0]
    bound = testing._bound(ref.conv, [x, w], {}, "float32", None)[0, :, 0]
    exact = ref.conv(x.astype(np.float64), w.astype(np.float64))[0, :, 0]
    for total in (np.cumsum(terms, axis=1)[:, -1], np.cumsum(terms[:, ::-1], axis=1)[:, -1],
                  terms.reshape(2, 60, 50).sum(axis=1).sum(axis=1)):
        assert total.dtype == np.float32
        assert (abs(total - exact) <= bound).all()


# The cases


def test_levels() -> None:
    assert len(conv_cases("smoke")) == 60
    assert len(conv_cases()) >= 1_000
    assert len(conv_cases("deep")) >= 4_900
    for level in testing.LEVELS:
        cases = conv_cases(level, ALL)
        assert len({case.id for case in cases}) == len(set(cases)) == len(cases)
    with pytest.raises(ValueError, match="level must be one of 'smoke', 'full', 'deep', got 'all'"):
        conv_cases("all")
    with pytest.raises(ValueError, match="families must be among"):
        conv_cases("smoke", ["pool"])


def test_the_cases_are_always_the_same() -> None:
    first = conv_cases("full", ALL)
    testing._cases.cache_clear()
    assert conv_cases("full", ALL) == first
    assert first[700].id == conv_cases("full")[700].id
    a, b = (case.array("x", case.x_shape) for case in (first[5], replace(first[5])))
    np.testing.assert_array_equal(a, b)


def padding_form(padding: Any) -> str:
    if isinstance(padding, str):
        return padding
    if isinstance(padding, int):
        return "int"
    if isinstance(padding[0], int):
        return "axes"
    return "crop" if np.min(padding) < 0 else "pairs"


def groups_form(case: Case) -> str:
    inside = case.w_shape[-len(case.x_shape) + 1]
    return "one" if case.groups == 1 else "depthwise" if inside == 1 else "some"


FACTORS: dict[str, Callable[[Case], Any]] = {
    "rank": lambda case: len(case.x_shape) - 2,
    "mode": lambda case: case.padding_mode,
    "padding": lambda case: padding_form(case.padding),
    "strided": lambda case: case.stride if case.stride in (1, 2, 3) else "axes",
    "dilated": lambda case: case.dilation if isinstance(case.dilation, int) else "axes",
    "groups": groups_form,
    "bias": lambda case: case.bias,
    "dtype": lambda case: case.dtype,
    "x memory": lambda case: case.x_memory,
    "w memory": lambda case: case.w_memory,
}


@pytest.mark.parametrize(("first", "second"), list(combinations(FACTORS, 2)))
def test_every_pair_of_levels_is_covered(first: str, second: str) -> None:
    cases = conv_cases("full", ["conv"])
    one, two = FACTORS[first], FACTORS[second]
    seen = {(one(case), two(case)) for case in cases}
    wanted = set(product({one(case) for case in cases}, {two(case) for case in cases}))
    if {first, second} == {"rank", "padding"}:
        wanted -= {(2, "causal"), (3, "causal")}
    assert seen == wanted


def test_levels_of_the_factors() -> None:
    cases = conv_cases("full", ["conv"])
    assert {case.padding_mode for case in cases} == set(PADDING_MODES)
    assert {case.padding for case in cases} >= set(PADDING_NAMES)
    assert {case.x_memory for case in cases} == set(testing.MEMORY)
    g = [case.geometry for case in cases]
    assert any(c.batch == 0 for c in g)
    assert {c.in_channels for c in g} & {c.out_channels for c in g} >= {1, 3, 7, 17, 33}
    for beyond in (
        [k > n for c in g for k, n in zip(c.kernel, c.in_size, strict=True)],
        [s > k for c in g for s, k in zip(c.stride, c.kernel, strict=True)],
        [low > k for c in g for (low, _), k in zip(c.pads, c.kernel, strict=True)],
        [low < 0 for c in g for low, _ in c.pads],
        [n == 1 for c in g for n in c.in_size],
    ):
        assert sum(beyond) >= 20


@pytest.mark.parametrize("memory", testing.MEMORY)
def test_memory_orders(memory: str) -> None:
    case = Case((2, 3, 4, 5), (6, 3, 1, 1), x_memory=memory)
    a = case.array("x", case.x_shape)
    assert a.shape == case.x_shape
    assert a.dtype == case.dtype
    wanted = {
        "C": a.flags.c_contiguous,
        "channels_last": a.transpose(0, 2, 3, 1).flags.c_contiguous,
        "reversed_axes": a.T.flags.c_contiguous,
        "negative": max(a.strides) < 0,
        "strided": a.strides[-1] == 2 * a.itemsize,
        "broadcast": a.strides[:2] == (0, 0),
        "misaligned": not a.flags.aligned,
        "read_only": not a.flags.writeable,
    }
    assert wanted[memory]


# Planted bugs


def wrong_stride_gradient(dy: Any, w: Any, x_shape: Any, **keywords: Any) -> Any:
    """Forgets the input elements beyond the last window, as if the size had been a fit."""
    dx = ref.conv_input_grad(dy, w, x_shape, **keywords)
    return dx if keywords["stride"] == 1 else np.roll(dx, 1, axis=-1)


def wrong_groups(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    """Channels are dealt to the groups in turn instead of in blocks."""
    order = np.arange(x.shape[1]).reshape(keywords["groups"], -1).T.ravel()
    return ref.conv(x[:, order], w, b, **keywords)


def nan_leak(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    """A NaN anywhere in a row of outputs poisons the row, as a masked vector may."""
    y = ref.conv(x, w, b, **keywords)
    y[np.isnan(y).any(axis=-1)] = np.nan
    return y


def nan_swallowed(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    return ref.conv(np.nan_to_num(x), w, b, **keywords)


def wrong_dtype(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    return ref.conv(x, w, b, **keywords).astype(np.float64)


def swapped_padding(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    """(high, low) for (low, high)."""
    pads = keywords["padding"]
    if isinstance(pads, tuple) and isinstance(pads[0], tuple):
        keywords["padding"] = tuple(pair[::-1] for pair in pads)
    return ref.conv(x, w, b, **keywords)


def same_at_the_wrong_end(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    if keywords["padding"] == "same":
        keywords["padding"] = "same_lower"
    return ref.conv(x, w, b, **keywords)


def flipped(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    """Convolution instead of cross-correlation."""
    rank = x.ndim - 2
    return ref.conv(x, np.flip(w, tuple(range(-rank, 0))), b, **keywords)


def zeros_for_any_mode(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    return ref.conv(x, w, b, **{**keywords, "padding_mode": "zeros"})


def ignores_strides(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    """Reads the memory of a channels-last array as if it were C order."""
    if x.ndim == 4 and x.transpose(0, 2, 3, 1).flags.c_contiguous:
        x = x.transpose(0, 2, 3, 1).reshape(x.shape)
    return ref.conv(x, w, b, **keywords)


def without_bias(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    return ref.conv(x, w, **keywords)


def half_precision(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    """Small integers pass, real numbers lose bits."""
    return ref.conv(x.astype(np.float16).astype(x.dtype), w, b, **keywords)


def writes_its_input(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    y = ref.conv(x, w, b, **keywords)
    if x.flags.writeable:
        x[...] = 0
    return y


def drops_the_last_row(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    return ref.conv(x, w, b, **keywords)[..., :-1]


def unsupported(x: Any, w: Any, b: Any = None, **keywords: Any) -> Any:
    if keywords["dilation"] != 1:
        raise NotImplementedError("no dilation")
    return ref.conv(x, w, b, **keywords)


@pytest.mark.parametrize(("fn", "words"), [
    (wrong_stride_gradient, "conv_input_grad fails on .* with exact values .*at index"),
    (wrong_groups, "with exact values .*at index"),
    (nan_leak, r"with special values .*got .*nan.*expected"),
    (nan_swallowed, r"with special values .*expected .*(nan|inf)"),
    (wrong_dtype, "got dtype float64, expected float32"),
    (swapped_padding, "at index|got shape"),
    (same_at_the_wrong_end, "-psame-"),
    (flipped, "at index"),
    (zeros_for_any_mode, "'padding_mode': '(reflect|symmetric|replicate|circular)'"),
    (ignores_strides, "channels_last"),
    (without_bias, "-bias-"),
    (half_precision, "with real values .*the first error is .*, its bound"),
    (writes_its_input, "the call changed its input x"),
    (drops_the_last_row, "got shape .*, expected"),
    (unsupported, "raised NotImplementedError: no dilation"),
])
def test_planted_bugs_are_caught(fn: Any, words: str) -> None:
    verb = "conv_input_grad" if fn is wrong_stride_gradient else "conv"
    with pytest.raises(AssertionError, match=f"(?s){words}"):
        check_conv(fn, verb=verb, level="smoke")


def test_a_message_has_all_that_is_needed() -> None:
    case = Case((1, 2, 5), (3, 2, 3), padding=((0, 1),), dtype="float32")

    def off_by_one(x: Any, w: Any, **keywords: Any) -> Any:
        y = ref.conv(x, w, **keywords)
        y[0, 1, 2] += 1
        return y

    with pytest.raises(AssertionError) as caught:
        check_conv(off_by_one, cases=[case])
    message = str(caught.value)
    for words in (case.id, "x.shape = (1, 2, 5)", "w.shape = (3, 2, 3)", "'padding': ((0, 1),)",
                  "at index (0, 1, 2) got", "1 of 12 elements differ"):
        assert words in message


def test_cases_restrict_the_grid() -> None:
    undilated = [case for case in conv_cases("smoke") if case.dilation == 1]
    summary = check_conv(unsupported, cases=undilated)
    assert summary.cases == sum(case.family == "conv" for case in undilated)
    with pytest.raises(ValueError, match="a case of the family 'dense'"):
        check_conv(ref.dense, verb="dense", cases=undilated)
    with pytest.raises(ValueError, match="got 'max_pool'"):
        check_conv(ref.max_pool, verb="max_pool")
    with pytest.raises(ValueError, match="fills must be among"):
        check_conv(ref.conv, fills=["nan"])


def test_a_smaller_c_is_a_stricter_check() -> None:
    case = Case((1, 33, 9), (2, 33, 1), dtype="float32")
    assert check_conv(ref.conv, cases=[case], fills=["real"], c=1).worst <= 1
    with pytest.raises(AssertionError, match="its bound"):
        check_conv(ref.conv, cases=[case], fills=["real"], c=1e-6)


# Adjoints and differences


GOOD = ref.conv, ref.conv_input_grad, ref.conv_weight_grad


def twice_dx(dy: Any, w: Any, x_shape: Any, **keywords: Any) -> Any:
    return 2 * ref.conv_input_grad(dy, w, x_shape, **keywords)


def zero_padded_dw(x: Any, dy: Any, w_shape: Any, **keywords: Any) -> Any:
    return ref.conv_weight_grad(x, dy, w_shape, **{**keywords, "padding_mode": "zeros"})


@pytest.mark.parametrize("check", [check_adjoint, check_grad])
@pytest.mark.parametrize(("verbs", "words"), [
    ((GOOD[0], twice_dx, GOOD[2]), r"input_grad\(g, w\)"),
    ((*GOOD[:2], zero_padded_dw), r"weight_grad\(x, g\)"),
])
def test_wrong_gradients_are_caught(check: Any, verbs: Any, words: str) -> None:
    keywords = {"padding": 2, "padding_mode": "symmetric", "stride": 2}
    check(*GOOD, (2, 3, 7, 6), (4, 3, 3, 3), **keywords)
    with pytest.raises(AssertionError, match=words):
        check(*verbs, (2, 3, 7, 6), (4, 3, 3, 3), **keywords)


@pytest.mark.parametrize("check", [check_adjoint, check_grad])
def test_inexact_verbs_need_a_tolerance(check: Any) -> None:
    third = np.float32(1) / 3

    def inexact(x: Any, w: Any) -> Any:
        """As Winograd's: the result is right up to rounding only."""
        return ref.conv(x, w * third) / third

    verbs = inexact, *GOOD[1:]
    check(*verbs, (2, 3, 7, 6), (4, 3, 3, 3), dtype=np.float32, c=4)
    with pytest.raises(AssertionError):
        check(*verbs, (2, 3, 7, 6), (4, 3, 3, 3), dtype=np.float32)


def test_shapes_go_together() -> None:
    with pytest.raises(TypeError, match="w_shape must be given"):
        check_adjoint(*GOOD, (1, 1, 3))
