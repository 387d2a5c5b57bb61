"""Both gradients and the transposed convolution are adjoints of the forward sweep:

    <y(x, w), g> = <x, input_grad(g, w)> = <w, weight_grad(x, g)>

for any g.  That needs no reference and no step size.  On small integers both sides are exact and
equal; on reals they differ by rounding, less than 1e-12 of the sum of their terms' sizes.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import KINDS, PREFIX, SMALL, call, output_padding

import sweepconv as sc
from sweepconv.geometry import PADDING_MODES, output_shape
from sweepconv.testing import Case, CaseFamily, check_adjoint, check_grad, conv_cases

SWEEPS: list[CaseFamily] = ["conv", "tiled", "local"]
REAL = 1e-12  # relative to <y(|x|, |w|), |g|>


def verbs(family: CaseFamily) -> tuple[Any, Any, Any]:
    forward, input_grad, weight_grad = (getattr(sc, PREFIX[family] + kind) for kind in KINDS)
    return forward, input_grad, weight_grad


@st.composite
def cases(draw: st.DrawFn, families: list[CaseFamily]) -> Case:
    """Any valid geometry: stride > kernel, padding > kernel, crops, width 1, batch 0, groups."""
    rank, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    most = {1: 6, 2: 4, 3: 2}[rank]  # keeps the bank of a local case small

    def ints(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank)))

    kernel, stride, dilation = ints(1, most), ints(1, most + 1), ints(1, 3)
    pads = tuple(zip(ints(-2, most + 1), ints(-2, most + 1), strict=True))
    size = [max((k - 1) * d + 1 - sum(pad), 1) + more
            for k, d, pad, more in zip(kernel, dilation, pads, ints(0, most), strict=True)]
    w_shape = (groups * draw(st.integers(0, 3)), draw(st.integers(0, 3)), *kernel)
    x_shape = (draw(st.integers(0, 2)), groups * w_shape[1], *size)
    fields: dict[str, Any] = {
        "stride": stride, "dilation": dilation, "padding": pads, "groups": groups,
        "padding_mode": draw(st.sampled_from(PADDING_MODES))}
    family = draw(st.sampled_from(families))
    bank = {
        "tiled": tuple(draw(st.integers(1, 4)) for _ in range(rank)),
        "local": output_shape(x_shape, w_shape, **fields)[2:],
    }.get(family, ())
    return Case(x_shape, (*bank, *w_shape), family=family, **fields)


@given(cases(SWEEPS))
@example(Case((1, 1, 1), (1, 1, 1), stride=6, padding=((6, 0),)))
@example(Case((0, 2, 5, 1), (2, 2, 3, 1), padding=((3, -2), (0, 0)), padding_mode="reflect"))
@example(Case((1, 1, 5), (4, 1, 1, 1), padding=((0, -4),), family="tiled"))  # period > output
def test_gradients_are_adjoint_on_integers(case: Case) -> None:
    check_adjoint(*verbs(case.family), case)


def agree(a: Any, b: Any, scale: Any) -> None:
    assert abs(a - b) <= REAL * scale


@given(cases(SWEEPS))
def test_gradients_are_adjoint_on_reals(case: Case) -> None:
    forward, input_grad, weight_grad = verbs(case.family)
    x, w = case.array("x", case.x_shape, "real"), case.array("w", case.w_shape, "real")
    g = case.array("dy", case.y_shape, "real")
    y = np.vdot(forward(x, w, **case.keywords), g)
    scale = np.vdot(forward(abs(x), abs(w), **case.keywords), abs(g))
    agree(y, np.vdot(x, input_grad(g, w, x.shape, **case.keywords)), scale)
    agree(y, np.vdot(w, weight_grad(x, g, w.shape, **case.keywords)), scale)


@given(cases(["conv"]))
@example(Case((1, 3, 9), (2, 3, 3), stride=4, padding=((0, 1),)))  # two elements left over
def test_conv_transpose_is_adjoint(case: Case) -> None:
    x, w = case.array("x", case.x_shape), case.array("w", case.w_shape)
    g = case.array("dy", case.y_shape)
    back = sc.conv_transpose(g, w, output_padding=output_padding(case), **case.keywords)
    assert back.shape == x.shape
    assert np.vdot(back, x) == np.vdot(sc.conv(x, w, **case.keywords), g)


@pytest.mark.parametrize("family", PREFIX)
def test_gradients_are_adjoint_on_the_grid(family: CaseFamily) -> None:
    """Padding by name, both dtypes and every memory order come from here."""
    for case in conv_cases("full", [family])[:200]:
        check_adjoint(*verbs(family), case)


@pytest.mark.parametrize("family", PREFIX)
def test_central_differences(family: CaseFamily) -> None:
    """Guards the adjoint identity's own conventions."""
    for case in [SMALL[family], *conv_cases("smoke", [family])]:
        check_grad(*verbs(family), case, directions=2)


@pytest.mark.parametrize("family", PREFIX)
def test_bias_grad_is_adjoint(family: CaseFamily) -> None:
    """y depends on b through y(x, w, b) - y(x, w) alone, which is linear."""
    case = SMALL[family]
    x, w = case.array("x", case.x_shape), case.array("w", case.w_shape)
    b, g = case.array("b", case.b_shape), case.array("dy", case.y_shape)
    verb = PREFIX[family]
    y = call(verb, case, {"x": x, "w": w, "b": b}) - call(verb, case, {"x": x, "w": w})
    assert np.vdot(y, g) == np.vdot(b, sc.bias_grad(g, b.shape))
