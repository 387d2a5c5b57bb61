"""Phases cover every output once, and read what the index arithmetic of the verb says.

Checked by brute force on every tap of every output: pairs (position p of y, tap t) meet at the
element virtual_index(p*stride + t*dilation - low), with filter p mod period.
"""

import math
from collections import Counter
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import pytest
from support import SPANNED

from sweepconv import phases
from sweepconv.geometry import PADDING_MODES, Geometry, geometry, virtual_index
from sweepconv.testing import Case

Meeting: TypeAlias = tuple[int, int, int, int]  # position of y, tap, filter, element of x

# size, kernel, stride, dilation, low, high, period
GRID = [
    (n, k, s, d, low, high, period)
    for n, k, s, d in product((1, 2, 5, 9), (1, 2, 4), (1, 2, 3, 5), (1, 2))
    for low, high in ((0, 0), (1, 2), (4, 0), (-1, 3), (2, -1), (11, 12))
    for period in (1, 2, 3, 20)
    if n + low + high > (k - 1) * d
]


def axis_geometry(case: tuple[int, ...], mode: str) -> Geometry:
    n, k, s, d, low, high, period = case
    return geometry("test", "tiled", (1, 1, n), (period, 1, 1, k), stride=s, dilation=d,
                    padding=((low, high),), padding_mode=mode)


def meetings(g: Geometry) -> Counter[Meeting]:
    """All that the verb's equation says; zeros of the padding are element -1."""
    p, t = np.indices((g.out_size[0], g.kernel[0])).reshape(2, -1)
    at = virtual_index(p * g.stride[0] + t * g.dilation[0] - g.pads[0][0], g.in_size[0], g.mode)
    return Counter(zip(p.tolist(), t.tolist(), (p % g.period[0]).tolist(), at.tolist(),
                       strict=True))


def covered(cut: tuple[phases.Phase, ...]) -> list[int]:
    return sorted(p.first + p.step * q for p in cut for q in range(p.count))


def reads(phase: phases.Phase) -> list[tuple[int, int, int, int]]:
    """(output, tap, filter, source element) in the order of summation."""
    return [
        (phase.first + phase.step * q, int(t), int(f), int(phase.index[q * phase.stride + o]))
        for q in range(phase.count)
        for o, t, f in zip(phase.offset, phase.tap, phase.filter, strict=True)
    ]


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_forward(mode: str) -> None:
    """Every output once, with all of its taps in ascending order, and nothing else."""
    for case in GRID:
        g = axis_geometry(case, mode)
        cut = phases.forward_phases(phases.axes(g)[0])
        assert covered(cut) == list(range(g.out_size[0])), case
        got = [read for phase in cut for read in reads(phase)]
        assert Counter(got) == meetings(g), case
        taps = list(range(g.kernel[0]))
        assert all(phase.tap.tolist() == taps for phase in cut)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_input_gradient(mode: str, exact: bool) -> None:
    """Every element of the padded image once at most, and folded back every meeting once.

    Beside them a phase may read zeros beyond the ends of dy, but not if it is exact.
    """
    for case in GRID:
        g = axis_geometry(case, mode)
        (axis,), (fold,) = phases.input_grad_axes(g)
        assert axis.size == g.in_size[0] + fold.low + fold.high
        cut = phases.input_grad_phases(axis, exact)
        assert len(set(covered(cut))) == len(covered(cut)), case
        assert set(covered(cut)) <= set(range(axis.size)), case
        if exact:
            met = {u for phase in cut for u, _, _, p in reads(phase) if p >= 0}
            assert met == set(covered(cut)), case
        got: Counter[Meeting] = Counter()
        for u, t, f, p in (read for phase in cut for read in reads(phase)):
            if p < 0:
                assert not exact, case
                continue
            element = int(virtual_index(np.array(u - fold.low), g.in_size[0], g.mode))
            got[p, t, f, element] += 1
        want = meetings(g)
        assert got == Counter({m: n for m, n in want.items() if m[3] >= 0}), case


def test_circular_padding_on_the_lattice_is_one_sum() -> None:
    """There dy is periodic, nothing is folded, and all elements of a phase have the same taps."""
    for n, k, s, d, period in product((4, 6, 12), (1, 2, 3, 5), (1, 2, 3), (1, 2), (1, 2)):
        reach = (k - 1) * d
        if n % (s * period) or reach < s - 1:
            continue
        for low in range(reach - s + 2):
            g = axis_geometry((n, k, s, d, low, reach - s + 1 - low, period), "circular")
            assert g.out_size[0] * s == n
            (axis,), (fold,) = phases.input_grad_axes(g)
            assert fold == phases.Fold(0, 0)
            cut = phases.input_grad_phases(axis)
            assert 1 <= len(cut) <= s * period
            assert all((phase.index >= 0).all() for phase in cut)


def test_stride_inserts_no_zeros() -> None:
    """Of k taps, each phase of the input gradient has those that meet it: k in all, at most."""
    for case in GRID:
        n, k, s, *_, period = case
        g = axis_geometry(case, "zeros")
        (axis,), _ = phases.input_grad_axes(g)
        cut = phases.input_grad_phases(axis)
        assert len(cut) <= min(s * period, n)
        if n >= s * period:
            assert sum(len(phase.tap) for phase in cut) <= k * period


def test_the_index_holds_only_what_is_read() -> None:
    """However far apart: strides and dilations of 2^40 take no more places than those of 1."""
    for k, count in product((1, 2, 5), (1, 2, 7)):
        far = 2**40
        window = (k - 1) * far
        case = ((count - 1) * 3 * far + window + 1, k, 3 * far, far, 0, 0, 1)
        g = axis_geometry(case, "zeros")
        assert g.out_size == (count,)
        (phase,) = phases.forward_phases(phases.axes(g)[0])
        assert Counter(reads(phase)) == meetings(g)
        assert len(phase.index) <= 5 * k * count


@pytest.mark.parametrize("case", SPANNED)
def test_input_gradients_of_long_kernels_read_few_zeros(case: Case) -> None:
    """Along all axes but one at least, so that what they read lies in long runs."""
    axes, _ = phases.input_grad_axes(case.geometry)
    before = [phases.input_grad_phases(a) for a in axes]
    after = phases.input_grad_sweep(axes, False)[-len(axes):]

    def sparse(cut: Any) -> int:
        return sum(sum(p.count * len(p.tap) for p in each) >= 3 * a.out * a.kernel
                   for a, each in zip(axes, cut, strict=True))

    assert sparse(before) > 0
    assert sparse(after) == (sparse(before) == 2)
    assert math.prod(max(p.count for p in cut) for cut in after) >= 8


def test_missing_axes_are_axes_of_one_element() -> None:
    g = axis_geometry((9, 3, 2, 1, 1, 1, 2), "zeros")
    sweeps: list[Any] = [phases.forward_sweep(phases.axes(g)),
                         phases.input_grad_sweep(phases.input_grad_axes(g)[0], False)]
    for d, h, w in sweeps:
        assert len(w) > 1
        for axis in (d, h):
            (phase,) = axis
            assert reads(phase) == [(0, 0, 0, 0)]
