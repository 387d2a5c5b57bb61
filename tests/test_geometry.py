"""Shapes and padding in integers, against the formulas of ONNX, TensorFlow and np.pad."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from sweepconv import geometry as geo
from sweepconv import output_shape, padding_amounts
from sweepconv.geometry import PADDING_MODES, virtual_index

# size, kernel, stride, dilation of one axis
GRID = list(product(range(1, 14), range(1, 6), range(1, 6), range(1, 4)))
NUMPY_PAD: dict[str, Any] = {"reflect": "reflect", "symmetric": "symmetric", "replicate": "edge",
                             "circular": "wrap"}


def amounts(n: int, k: int, s: int, d: int, padding: Any) -> tuple[int, int]:
    return padding_amounts((1, 1, n), (1, 1, k), stride=s, padding=padding, dilation=d)[0]


def length(n: int, k: int, s: int, d: int, padding: Any) -> int:
    return output_shape((1, 1, n), (1, 1, k), stride=s, padding=padding, dilation=d)[2]


# Padding by name


def test_same_is_tensorflows_rule() -> None:
    """tf.nn: pad = max(k - s, 0) if n % s == 0 else max(k - n % s, 0), more of it at the end."""
    for n, k, s, d in GRID:
        window = (k - 1) * d + 1
        total = max(window - (s if n % s == 0 else n % s), 0)
        assert amounts(n, k, s, d, "same") == (total // 2, total - total // 2)
        assert amounts(n, k, s, d, "same_lower") == (total - total // 2, total // 2)
        assert length(n, k, s, d, "same") == length(n, k, s, d, "same_lower") == -(-n // s)


def test_same_is_onnx_rule() -> None:
    """SAME_UPPER: pad = (out - 1) * s + (k - 1) * d + 1 - n, which keeps out = ceil(n / s)."""
    for n, k, s, d in GRID:
        pad = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        assert amounts(n, k, s, d, "same") == (pad // 2, pad - pad // 2)
        assert amounts(n, k, s, d, "same_lower") == (pad - pad // 2, pad // 2)


def test_full_lets_every_overlap_count() -> None:
    for n, k, s, d in GRID:
        reach = (k - 1) * d
        assert amounts(n, k, s, d, "full") == (reach, reach)
        assert length(n, k, 1, d, "full") == n + reach
        assert length(n, k, s, d, "full") == -(-(n + reach) // s)


def test_causal_reads_no_later_element() -> None:
    """The last element that output p reads is element p * stride."""
    for n, k, s, d in GRID:
        low, high = amounts(n, k, s, d, "causal")
        assert high == 0
        assert (k - 1) * d - low == 0
        assert length(n, k, s, d, "causal") == -(-n // s)


def test_valid_is_no_padding() -> None:
    for n, k, s, d in GRID:
        window = (k - 1) * d + 1
        if n >= window:
            assert amounts(n, k, s, d, "valid") == (0, 0)
            assert length(n, k, s, d, "valid") == len(range(0, n - window + 1, s))


# Padding in numbers


@pytest.mark.parametrize("given, pads", [
    (0, ((0, 0), (0, 0))), (2, ((2, 2), (2, 2))), (np.int64(1), ((1, 1), (1, 1))),
    ((1, 2), ((1, 1), (2, 2))), ([1, 2], ((1, 1), (2, 2))), (((1, 2), (0, -1)), ((1, 2), (0, -1))),
    ([[1, 2], [3, 4]], ((1, 2), (3, 4))), (np.array([[1, 2], [3, 4]]), ((1, 2), (3, 4))),
    ((1, (2, 0)), ((1, 1), (2, 0))), (-1, ((-1, -1), (-1, -1))), (True, ((1, 1), (1, 1))),
], ids=str)
def test_forms_of_padding(given: Any, pads: Any) -> None:
    got = padding_amounts((1, 1, 9, 9), (1, 1, 2, 2), padding=given)
    assert got == pads
    assert all(type(n) is int for pair in got for n in pair)


def test_output_shape_counts_the_windows() -> None:
    """By brute force: windows of the padded axis whose last tap is inside."""
    for (n, k, s, d), low, high in product(GRID, (-2, 0, 3), (-1, 0, 4)):
        padded, window = n + low + high, (k - 1) * d + 1
        starts = len(range(0, padded - window + 1, s))
        if padded >= window:
            assert length(n, k, s, d, ((low, high),)) == starts
        else:
            with pytest.raises(ValueError, match="padded input has only"):
                length(n, k, s, d, ((low, high),))


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_modes_do_not_change_shapes(mode: str) -> None:
    keywords: dict[str, Any] = {"stride": (1, 2), "padding": ((7, 1), (-1, 4)), "dilation": 2}
    assert output_shape((3, 4, 5, 9), (6, 2, 2, 3), groups=2, padding_mode=mode, **keywords) == (
        3, 6, 11, 4)


# Which element stands at a coordinate


@pytest.mark.parametrize("mode", NUMPY_PAD)
def test_virtual_index_is_np_pad(mode: str) -> None:
    """Also where the padding is several times as wide as the axis."""
    for n, low, high in product(range(1, 7), range(0, 20, 3), range(0, 20, 4)):
        want = np.pad(np.arange(n), (low, high), NUMPY_PAD[mode])
        got = virtual_index(np.arange(-low, n + high), n, mode)
        assert got.tolist() == want.tolist(), (n, low, high)


def test_virtual_index_of_zero_padding() -> None:
    for n in range(6):
        got = virtual_index(np.arange(-5, 11), n, "zeros")
        assert got.tolist() == [-1] * 5 + list(range(n)) + [-1] * (11 - n)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_virtual_index_far_away(mode: str) -> None:
    """No 64-bit coordinate overflows, and patterns go on: their period is 2n at most."""
    far = np.array([-2**62, 2**62 - 1])
    for n in (1, 2, 5):
        got = virtual_index(far, n, mode)
        assert got.min() >= -1
        assert got.max() < n
        period = {"circular": n, "symmetric": 2 * n, "reflect": max(2 * n - 2, 1)}.get(mode)
        if period:
            near = [int(u) % period for u in far]
            assert got.tolist() == virtual_index(np.array(near), n, mode).tolist()


# Errors


@pytest.mark.parametrize("x_shape, w_shape, keywords, words", [
    ((1, 2), (3, 2), {}, "spatial axes"),
    ((1, 2, 3, 4, 5, 6), (3, 2, 1, 1, 1, 1), {}, "spatial axes"),
    ((1, 2, 9), (3, 2), {}, "w must be (O, C/groups, *kernel)"),
    ((1, 2, 9), (3, 3, 3), {}, "w has 3 input channels (w.shape = (3, 3, 3)) but x has 2"),
    ((1, 4, 9), (3, 2, 3), {"groups": 2}, "3 output channels"),
    ((1, 2, 9), (3, 2, 3), {"groups": 0}, "groups"),
    ((1, 2, 9), (3, 2, 0), {}, "at least one tap"),
    ((1, 2, 9), (3, 2, 10), {}, "reaches over 10 elements but the padded input has only 9"),
    ((1, 2, 9), (3, 2, 3), {"dilation": 5}, "reaches over 11"),
    ((1, 2, 9), (3, 2, 3), {"padding": -4}, "has only 1"),
    ((1, 2, 9), (3, 2, 3), {"padding": -9}, "has only 0"),
    ((1, 2, 0), (3, 2, 3), {"padding": 2, "padding_mode": "circular"}, "empty axis"),
    ((1, 2, 9, 9), (3, 2, 3, 3), {"padding": "causal"}, "one spatial axis"),
    ((1, 2, 9), (3, 2, 3), {"padding": "SAME"}, "'same_lower'"),
    ((1, 2, 9), (3, 2, 3), {"padding_mode": "edge"}, "'replicate'"),
    ((1, 2, 9), (3, 2, 3), {"stride": 0}, "stride must be at least 1"),
    ((1, 2, 9), (3, 2, 3), {"stride": (1, 1)}, "one per spatial axis"),
    ((1, 2, 9), (3, 2, 3), {"padding": 2**61}, "64-bit"),
    ((2**31, 2**31, 9), (3, 2**31, 3), {}, "64-bit"),
    ((2**20, 1, 2**20), (2**20, 1, 1), {"padding": 2**20}, "64-bit"),
    ((-1, 2, 9), (3, 2, 3), {}, "negative"),
])
def test_output_shape_errors(x_shape: Any, w_shape: Any, keywords: Any, words: str) -> None:
    for function in (output_shape, padding_amounts):
        with pytest.raises(ValueError) as raised:
            function(x_shape, w_shape, **keywords)
        message = str(raised.value)
        assert message.startswith(f"{function.__name__}: ")
        assert words in message
        shown = (*map(str, keywords.values()), str(x_shape), str(w_shape))
        assert any(text in message for text in shown)


@pytest.mark.parametrize("x_shape, w_shape", [
    (5, (3, 2, 3)), ((1, 2, 9), None), ((1, 2, 9.0), (3, 2, 3)), ("abc", (3, 2, 3))])
def test_shapes_are_tuples_of_ints(x_shape: Any, w_shape: Any) -> None:
    with pytest.raises(TypeError, match=r"output_shape: [xw]_shape must be a tuple of ints"):
        output_shape(x_shape, w_shape)


@pytest.mark.parametrize("bank", [(), (2, 3), (7, 8), (9, 1)])
def test_a_bank_in_front_changes_no_shape(bank: tuple[int, ...]) -> None:
    assert output_shape((5, 4, 9, 10), (*bank, 6, 4, 3, 3)) == (5, 6, 7, 8)


def test_a_geometry_is_made_once() -> None:
    """Equal calls share it, whatever the form of their keywords."""
    a = geo.geometry("conv", "conv", (1, 2, 9), (3, 2, 3), stride=[2], padding=((1, 2),))
    b = geo.geometry("conv", "conv", (1, 2, 9), (3, 2, 3), stride=(2,), padding=[[1, 2]])
    assert a is b
    with pytest.raises(AttributeError):
        a.batch = 2  # type: ignore[misc]
    # True equals 1 and is no other geometry, but what is no int must not be taken for one.
    geo.geometry("conv", "conv", (1, 2, 9), (3, 2, 3), stride=1)
    with pytest.raises(TypeError, match="stride"):
        geo.geometry("conv", "conv", (1, 2, 9), (3, 2, 3), stride=1.0)
