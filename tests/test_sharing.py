"""The families are one sweep with more or less sharing: where they say the same, they do the same.

Tied filters, a period of 1, a period as long as the output and a kernel as large as the input each
turn one family into its neighbour.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support import (
    DTYPES,
    GRADIENTS,
    KINDS,
    PREFIX,
    SMALL,
    Array,
    call,
    family_of,
    operands,
    run,
    same_bits,
)

import sweepconv as sc
from sweepconv.testing import Case

# Large enough for several tiles, channel blocks and tasks; and small, odd ones.
CASES = [
    Case((3, 40, 17, 13), (21, 40, 3, 3), padding=1),
    Case((2, 6, 15, 14), (9, 2, 4, 3), stride=(2, 3), padding=((1, 2), (0, -1)), groups=3),
    Case((2, 3, 9, 8), (4, 3, 3, 3), padding=3, dilation=2, padding_mode="circular"),
    Case((2, 3, 9, 8), (4, 3, 3, 3), padding=4, padding_mode="reflect"),
    Case((5, 8, 40), (8, 1, 7), padding="causal", groups=8),
    Case((2, 5, 6, 5, 4), (3, 5, 2, 3, 2), stride=(1, 2, 1), padding="same"),
]
by_case = pytest.mark.parametrize("case", CASES, ids=str)
by_dtype = pytest.mark.parametrize("dtype", [np.dtype(d).name for d in DTYPES])


def banked(case: Case, family: Any, bank: tuple[int, ...], dtype: str) -> Case:
    return replace(case, family=family, w_shape=(*bank, *case.w_shape), dtype=dtype)


def pair(kind: str, one: Case, other: Case, fill: str = "real") -> tuple[Array, Array]:
    """The verbs of two families on the same values; filters and banks differ in shape alone."""
    values = operands(PREFIX[one.family] + kind, one, fill)
    if "w" in values:
        theirs = values | {"w": values["w"].reshape(other.w_shape)}
    else:
        theirs = {k: v for k, v in values.items() if k != "w_shape"}
        theirs |= {"w_shape": other.w_shape} if "w_shape" in values else {}
    a = call(PREFIX[one.family] + kind, one, values)
    b = call(PREFIX[other.family] + kind, other, theirs)
    return a, b


@by_dtype
@by_case
def test_tied_local_is_conv(case: Case, dtype: str) -> None:
    """Forward to the bit: an output's sum runs over taps and channels in the same order."""
    out = case.y_shape[2:]
    x, w, b = (case.array(name, shape, "real").astype(dtype) for name, shape in (
        ("x", case.x_shape), ("w", case.w_shape), ("b", case.b_shape)))
    y = sc.conv(x, w, b, **case.keywords)
    bank, biases = np.broadcast_to(w, (*out, *w.shape)), np.broadcast_to(b, (*out, *b.shape))
    assert same_bits(sc.local_conv(x, bank, biases, **case.keywords), y)
    assert same_bits(sc.local_conv(x, bank.copy(), biases.copy(), **case.keywords), y)


@by_case
def test_gradients_of_tied_filters(case: Case) -> None:
    """The gradient of a shared weight is the sum of the gradients of its copies; dx is the same.
    On integers, since the copies' sums have another order."""
    out = case.y_shape[2:]
    x, w = case.array("x", case.x_shape), case.array("w", case.w_shape)
    dy = case.array("dy", case.y_shape)
    bank = np.broadcast_to(w, (*out, *w.shape))
    dw = sc.conv_weight_grad(x, dy, w.shape, **case.keywords)
    each = sc.local_conv_weight_grad(x, dy, bank.shape, **case.keywords)
    assert np.array_equal(each.sum(axis=tuple(range(len(out)))), dw)
    assert np.array_equal(sc.local_conv_input_grad(dy, bank, x.shape, **case.keywords),
                          sc.conv_input_grad(dy, w, x.shape, **case.keywords))
    period = tuple(min(2, n) for n in out)
    parts = sc.tiled_conv_weight_grad(x, dy, (*period, *w.shape), **case.keywords)
    assert np.array_equal(parts.sum(axis=tuple(range(len(out)))), dw)


@by_dtype
@by_case
@pytest.mark.parametrize("kind", KINDS)
def test_tiled_with_period_1_is_conv(kind: str, case: Case, dtype: str) -> None:
    conv = replace(case, dtype=dtype)
    a, b = pair(kind, conv, banked(case, "tiled", (1,) * len(case.y_shape[2:]), dtype))
    assert same_bits(a.reshape(b.shape), b)


@by_dtype
@by_case
@pytest.mark.parametrize("kind", KINDS)
def test_tiled_with_the_output_as_its_period_is_local(kind: str, case: Case, dtype: str) -> None:
    out = case.y_shape[2:]
    assert same_bits(*pair(kind, banked(case, "tiled", out, dtype),
                           banked(case, "local", out, dtype)))


@pytest.mark.parametrize("shape", [(7,), (3, 11), (4, 5, 6), (2, 3, 4, 5)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kernel_as_large_as_the_input_is_dense(kind: str, shape: tuple[int, ...]) -> None:
    one = (1,) * max(len(shape) - 1, 1)
    image = shape if len(shape) > 1 else (*shape, 1)
    conv = Case((3, *image), (4, *image))
    assert conv.y_shape == (3, 4, *one)
    dense = Case((3, *shape), (4, *shape), family="dense")
    values = operands("conv" + kind, conv, "exact")
    flat: dict[str, Any] = {
        "x": dense.x_shape, "w": dense.w_shape, "dy": dense.y_shape}
    theirs = {name: v.reshape(flat[name]) if isinstance(v, np.ndarray) else
              flat[name.removesuffix("_shape")] for name, v in values.items()}
    a, b = call("conv" + kind, conv, values), call("dense" + kind, dense, theirs)
    assert np.array_equal(a.reshape(b.shape), b)


@pytest.mark.parametrize("accumulate", [False, True])
def test_filters_that_serve_no_position_have_no_gradient(accumulate: bool) -> None:
    """A period longer than the output leaves filters without work."""
    case = Case((2, 3, 6, 7), (7, 3, 4, 3, 3, 2), stride=2, family="tiled", dtype="float32")
    served = case.y_shape[2]
    assert served < 7
    out = np.full(case.w_shape, 5, np.float32)
    dw = run("tiled_conv_weight_grad", case, "exact", out=out, accumulate=accumulate)
    assert (dw[served:] == 5 * accumulate).all()
    assert np.array_equal(dw - 5 * accumulate, run("tiled_conv_weight_grad", case, "exact"))
    assert (dw[:served] != 5 * accumulate).any()


@by_dtype
@pytest.mark.parametrize("verb", GRADIENTS)
def test_accumulating_calls_add_up(verb: str, dtype: str) -> None:
    """A gradient that is shared by many calls, one call after the other, as NumPy would add."""
    case = replace(SMALL[family_of(verb)], dtype=dtype)
    values = operands(verb, case)
    halved = {k: v / 2 if isinstance(v, np.ndarray) else v for k, v in values.items()}
    first, second = call(verb, case, values), call(verb, case, halved)
    total = call(verb, case, values)
    assert call(verb, case, halved, out=total, accumulate=True) is total
    assert same_bits(total, first + second)
    assert not same_bits(total, first)
