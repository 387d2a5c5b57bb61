"""The bits of a result follow from its geometry and operands alone.

Neither the number of threads, nor how a batch is split, nor the operands' order in memory, nor
what ran before changes one; and where padding is circular, a shift of the input by whole strides
is a shift of the result.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from support import (
    BANKS,
    FEW,
    IMAGES,
    LAYOUTS,
    LONG,
    PHASES,
    PIECES,
    PREFIX,
    SMALL,
    SPANNED,
    STRIDED,
    VECTORS,
    VERBS,
    Array,
    call,
    digest,
    family_of,
    operands,
    run,
    same_bits,
    work,
)

import sweepconv as sc
from sweepconv.testing import Case

SERIAL_WORK = 200_000  # multiply-adds below which a sweep runs in one thread: ext/sweepconv
THREADS = (2, 3, 7)
MANY_THREADS = 40  # more than tasks have shares: ext/sweepconv/_share.pxd

# Each splits another axis into tasks, or sums in another order.
LARGE = [
    Case((4, 32, 28, 28), (48, 32, 3, 3), padding=1, bias=True, dtype="float32"),
    Case((1, 3, 96, 80), (16, 3, 7, 7), stride=2, padding=3, dtype="float32"),
    Case((3, 300, 9, 9), (70, 300, 1, 1), bias=True, dtype="float32"),
    Case((2, 48, 24, 24), (48, 1, 5, 5), padding="same", groups=48, dtype="float32"),
    Case((2, 24, 30, 30), (36, 8, 3, 3), padding=2, dilation=2, groups=3, padding_mode="circular"),
    Case((2, 16, 30, 31), (20, 16, 3, 5), stride=(1, 2), padding=5, padding_mode="reflect"),
    Case((3, 20, 700), (24, 20, 9), padding="causal", bias=True),
    Case((1, 8, 12, 13, 14), (12, 8, 3, 3, 3), padding=1, dtype="float32"),
    Case((40, 64, 3, 3), (64, 64, 3, 3), dtype="float32"),
    Case((4, 16, 24, 24), (2, 3, 24, 16, 3, 3), padding=1, bias=True, dtype="float32",
         family="tiled"),
    Case((3, 12, 33, 33), (2, 2, 20, 6, 3, 3), stride=2, padding=1, groups=2, family="tiled"),
    Case((6, 12, 14, 14), (12, 12, 24, 12, 3, 3), bias=True, dtype="float32", family="local"),
    Case((8, 16, 9, 9), (5, 5, 16, 16, 3, 3), stride=2, padding=1, family="local"),
    Case((64, 12, 10, 10), (96, 12, 10, 10), bias=True, dtype="float32", family="dense"),
    Case((70, 900), (130, 900), family="dense"),
]

# Depthwise: channels-last they are read where they lie, in pieces; others are packed.
BORDERS = [
    Case((3, 40, 11, 9), (40, 1, 3, 3), padding=1, groups=40, bias=True, dtype="float32"),
    Case((1, 21, 14, 15), (21, 1, 5, 4), padding=((4, 1), (0, 2)), stride=(2, 1), groups=21),
    Case((2, 19, 12, 13), (38, 1, 3, 3), padding=2, dilation=2, groups=19, dtype="float32"),
    Case((1, 24, 5, 9, 10), (24, 1, 3, 3, 3), padding=1, stride=(1, 2, 2), groups=24),
]


def problems(verbs: list[str], cases: list[Case]) -> pytest.MarkDecorator:
    """Every verb with every case of its family."""
    return pytest.mark.parametrize("verb, case", [
        pytest.param(verb, case, id=f"{verb}-{case}")
        for verb in verbs for case in cases if case.family == family_of(verb)])


def test_the_large_cases_run_in_threads() -> None:
    """They are worth a parallel region, and every verb has some."""
    assert min(map(work, LARGE)) > 2 * SERIAL_WORK
    assert {case.family for case in LARGE} == set(PREFIX)


@problems(VERBS, [LARGE[0], LARGE[9]])
def test_more_threads_than_shares(verb: str, case: Case) -> None:
    values = operands(verb, case)
    assert (digest(call(verb, case, values, n_threads=MANY_THREADS))
            == digest(call(verb, case, values, n_threads=1)))


@problems(VERBS, [*LARGE, *FEW, *BANKS, *VECTORS])
def test_any_number_of_threads(verb: str, case: Case) -> None:
    values = operands(verb, case)
    expected = digest(call(verb, case, values, n_threads=1))
    for n in THREADS:
        assert digest(call(verb, case, values, n_threads=n)) == expected, f"n_threads={n}"
    with sc.threads(2):
        assert digest(call(verb, case, values)) == expected


@pytest.mark.parametrize("case", [c for c in [*LARGE, *BANKS] if c.family != "dense"],
                         ids=str)
def test_any_number_of_threads_when_accumulating(case: Case) -> None:
    for kind in ("_input_grad", "_weight_grad"):
        verb = PREFIX[case.family] + kind
        values = operands(verb, case)
        start = run(verb, case)
        outs = [call(verb, case, values, out=start.copy(), accumulate=True, n_threads=n)
                for n in (1, *THREADS)]
        assert len(set(map(digest, outs))) == 1


def batch_of(case: Case, verb: str, values: dict[str, Any], images: slice) -> Array:
    """The verb on some images of the batch."""
    data = next(iter(values))
    part = values | {data: values[data][images]}
    n = len(part[data])
    if "x_shape" in part:
        part |= {"x_shape": (n, *case.x_shape[1:])}
    return call(verb, case, part)


@problems([v for v in VERBS if not v.endswith("_weight_grad")],
          [*LARGE, *FEW, *IMAGES, *PHASES, *PIECES, *STRIDED, *SPANNED, *VECTORS, *SMALL.values()])
def test_any_split_of_the_batch(verb: str, case: Case) -> None:
    values = operands(verb, case)
    whole = call(verb, case, values)
    n = len(whole)
    for cuts in ([0, 1, n], [0, n // 2, n], [0, n - 1, n], list(range(n + 1))[:9]):
        for low, high in pairwise(cuts):
            assert same_bits(batch_of(case, verb, values, slice(low, high)), whole[low:high])


@pytest.mark.parametrize("weights", ["C", "F", "packed"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(1300, 201), (70, 48), (601, 33), (45, 5), (7, 900)], ids=str)
@pytest.mark.parametrize("verb", ["dense", "dense_input_grad"])
def test_a_few_vectors_have_the_bits_of_a_batch(verb: str, sizes: tuple[int, int], dtype: str,
                                                weights: str) -> None:
    """They are summed by other kernels."""
    inputs, outputs = sizes
    rng = np.random.default_rng(inputs)
    w: Any = rng.standard_normal((outputs, inputs)).astype(dtype)
    data = rng.standard_normal((12, inputs if verb == "dense" else outputs)).astype(dtype)
    w = sc.pack(w, verb=verb) if weights == "packed" else w.copy(order=weights)

    def run_on(rows: Array) -> Array:
        if verb == "dense":
            return sc.dense(rows, w)
        return sc.dense_input_grad(rows, w, (len(rows), inputs))

    whole = run_on(data)
    for few in (1, 2, 4, 6):
        for i in range(0, 12, few):
            assert same_bits(run_on(data[i:i + few]), whole[i:i + few])


@problems(["conv", "conv_input_grad"], [*LONG, *FEW, *BORDERS, LARGE[0]])
def test_what_is_not_finite_changes_no_bit_elsewhere(verb: str, case: Case) -> None:
    """Another kernel may run there, which adds zeros in other places: the sums are the same."""
    values = operands(verb, case)
    name = "x" if verb == "conv" else "dy"
    want, wild = call(verb, case, values), values[name].copy()
    wild[0, 0].flat[wild[0, 0].size // 3] = np.inf
    got = call(verb, case, values | {name: wild})
    finite = np.isfinite(got)
    assert 0 < np.count_nonzero(~finite) < finite.size
    assert same_bits(np.where(finite, got, 0), np.where(finite, want, 0))


@problems(["conv", "conv_input_grad"], [*STRIDED, *LONG[:2], LARGE[0]])
def test_what_is_not_finite_changes_no_bit_of_another_image(verb: str, case: Case) -> None:
    values = operands(verb, case)
    name = "x" if verb == "conv" else "dy"
    if len(values[name]) == 1:
        values |= {n: np.concatenate([values[n]] * 2) for n in ("x", "dy") if n in values}
        values |= {"x_shape": (2, *case.x_shape[1:])} if "x_shape" in values else {}
    wild = values[name].copy()
    wild[0, 0].flat[::3] = np.inf
    got = call(verb, case, values | {name: wild})
    assert not np.isfinite(got[0]).all()
    assert same_bits(got[1], call(verb, case, values)[1])


@pytest.mark.parametrize("verb", VERBS)
def test_repeated_calls(verb: str) -> None:
    for case in [c for c in LARGE if c.family == family_of(verb)][:2]:
        values = operands(verb, case)
        assert len({digest(call(verb, case, values, n_threads=2)) for _ in range(10)}) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
@problems(VERBS, [*SMALL.values(), *BORDERS, *FEW, *IMAGES, *SPANNED, *STRIDED,
                  *PIECES, *VECTORS, LARGE[0], LARGE[9], LARGE[13]])
def test_any_memory_order_of_the_operands(verb: str, case: Case, layout: str) -> None:
    values = operands(verb, case)
    expected = digest(call(verb, case, values))
    other = {k: LAYOUTS[layout](v) if isinstance(v, np.ndarray) else v for k, v in values.items()}
    assert digest(call(verb, case, other)) == expected
    for name in values:  # and one operand alone
        assert digest(call(verb, case, values | {name: other[name]})) == expected, name


# size = stride * positions on each axis, and positions a multiple of the period.
CIRCULAR = [
    Case((2, 3, 12), (5, 3, 4), padding=((1, 2),)),
    Case((2, 20, 12, 10), (24, 20, 3, 3), padding=1, dtype="float32"),
    Case((2, 6, 12, 10), (4, 3, 3, 4), padding=((0, 1), (1, 1)), stride=2, groups=2),
    Case((1, 4, 9, 8), (4, 4, 3, 3), padding=3, dilation=3),
    Case((1, 2, 6, 6), (3, 2, 5, 5), padding=((9, 7), (1, 15)), dilation=4),
    Case((1, 2, 4, 6, 6), (3, 2, 3, 3, 3), padding=((1, 1), (1, 0), (0, 0)), stride=(1, 2, 3)),
    Case((2, 3, 12, 12), (2, 3, 5, 3, 3, 3), padding=1, family="tiled"),
    Case((2, 3, 24, 12), (3, 2, 4, 3, 3, 3), padding=((1, 0), (1, 1)), stride=(2, 1),
         family="tiled"),
]
CIRCULAR = [replace(case, padding_mode="circular") for case in CIRCULAR]


@pytest.mark.parametrize("case", CIRCULAR, ids=str)
def test_circular_padding_commutes_with_shifts(case: Case) -> None:
    """By k positions of the output, which is k strides of the input; k a multiple of the period."""
    g, verb = case.geometry, PREFIX[case.family]
    spatial = tuple(range(2, 2 + g.rank))
    assert all(n == m * s and m % p == 0 for n, m, s, p in zip(
        g.in_size, g.out_size, g.stride, g.period, strict=True))
    x, w = case.array("x", case.x_shape, "real"), case.array("w", case.w_shape, "real")
    dy = case.array("dy", case.y_shape, "real")
    y, dx = (call(verb, case, {"x": x, "w": w}),
             call(verb + "_input_grad", case, {"dy": dy, "w": w, "x_shape": x.shape}))
    for shift in (1, 2, -1, 5):
        k = [shift * (a + 1) * p for a, p in enumerate(g.period)]
        steps = [i * s for i, s in zip(k, g.stride, strict=True)]
        moved: dict[str, Any] = {"x": np.roll(x, steps, spatial), "w": w}
        assert same_bits(call(verb, case, moved), np.roll(y, k, spatial))
        moved = {"dy": np.roll(dy, k, spatial), "w": w, "x_shape": x.shape}
        assert same_bits(call(verb + "_input_grad", case, moved), np.roll(dx, steps, spatial))
