"""Whatever NumPy can hold: any strides and alignment, empty axes, shared memory, special values.

That the memory order of operands changes no bit is in test_determinism.py.
"""

import mmap
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support import (
    DTYPES,
    FORWARD,
    GRADIENTS,
    IMAGES,
    INPUT_GRADS,
    LAYOUTS,
    SMALL,
    VERBS,
    WEIGHT_GRADS,
    Array,
    call,
    child,
    family_of,
    operands,
    run,
    same_bits,
)

import sweepconv as sc
from sweepconv.testing import Case, check_conv, conv_cases

SWEEPS = [v for v in VERBS if not v.startswith("dense")]
WRITEABLE = [name for name in LAYOUTS if name != "read_only"]


# Memory order of results


@pytest.mark.parametrize("layout", WRITEABLE)
@pytest.mark.parametrize("verb", SWEEPS)
def test_a_new_result_has_the_memory_order_of_the_data(verb: str, layout: str) -> None:
    """As order="K" in NumPy; a weight gradient is in C order, as weights are kept."""
    case = SMALL[family_of(verb)]
    values = operands(verb, case)
    data = next(iter(values))
    values[data] = LAYOUTS[layout](values[data])
    got = call(verb, case, values)
    if verb in WEIGHT_GRADS:
        assert got.flags.c_contiguous
    else:
        assert got.strides == np.empty_like(values[data], shape=got.shape).strides


@pytest.mark.parametrize("layout", ["C", "channels_last", "strided", "negative"])
@pytest.mark.parametrize("verb", ["conv", "conv_input_grad", "conv_weight_grad"])
def test_no_operand_is_copied(verb: str, layout: str) -> None:
    """NumPy reports its allocations to tracemalloc; the engine's own are in test_memory.py."""
    case = Case((2, 32, 40, 40), (32, 32, 3, 3), padding=1, dtype="float32")
    values = {k: LAYOUTS[layout](v) if isinstance(v, np.ndarray) else v
              for k, v in operands(verb, case).items()}
    out = call(verb, case, values)
    largest = max(v.nbytes for v in values.values() if isinstance(v, np.ndarray))
    for more, new in (({}, out.nbytes), ({"out": out}, 0)):
        tracemalloc.start()
        try:
            call(verb, case, values, **more)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak - new < largest / 10


# Where results go


@pytest.mark.parametrize("layout", WRITEABLE)
@pytest.mark.parametrize("verb", VERBS)
def test_out_of_any_strides(verb: str, layout: str) -> None:
    """It is what is returned, all of it is written, and nothing between its elements."""
    family = family_of(verb)
    for case in [SMALL[family], *(c for c in IMAGES if c.family == family)]:
        want = run(verb, case)
        out = LAYOUTS[layout](np.full_like(want, np.nan))
        assert run(verb, case, out=out) is out
        assert same_bits(out, want)
        if layout == "strided":
            whole = out.base
            assert whole is not None
            assert np.count_nonzero(whole == 77) == whole.size - out.size
        if verb in GRADIENTS:
            out = LAYOUTS[layout](want)
            assert run(verb, case, out=out, accumulate=True) is out
            assert same_bits(out, want + want)


def overlapping(a: Array, shape: tuple[int, ...], at: float) -> tuple[Array, Array]:
    """An array that equals `a`, and one of `shape` that begins inside of its memory."""
    size = int(np.prod(shape))
    first = int(at * a.size)
    memory = np.zeros(max(a.size, first + size), a.dtype)
    memory[:a.size] = a.ravel()
    return memory[:a.size].reshape(a.shape), memory[first:first + size].reshape(shape)


@pytest.mark.parametrize("at", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("verb", VERBS)
def test_out_that_overlaps_with_an_operand(verb: str, at: float) -> None:
    """As if the operand had been copied first."""
    case = SMALL[family_of(verb)]
    values = operands(verb, case)
    want = call(verb, case, values)
    for name in [k for k, v in values.items() if isinstance(v, np.ndarray)]:
        inside, out = overlapping(values[name], want.shape, at)
        assert np.shares_memory(inside, out)
        assert same_bits(call(verb, case, values | {name: inside}, out=out), want), name
        if verb in GRADIENTS:
            inside, out = overlapping(values[name], want.shape, at)
            old = out.copy()
            call(verb, case, values | {name: inside}, out=out, accumulate=True)
            assert same_bits(out, want + old), name


def test_out_may_be_the_input_itself() -> None:
    case = Case((2, 4, 8, 8), (4, 4, 3, 3), padding=1)
    values = operands("conv", case)
    want = call("conv", case, values)
    assert same_bits(call("conv", case, values, out=values["x"]), want)


# Nothing at all


EMPTY = {
    "batch": Case((0, 4, 7, 6), (6, 4, 3, 2), bias=True),
    "sources": Case((2, 0, 7, 6), (6, 0, 3, 2), bias=True),
    "targets": Case((2, 4, 7, 6), (0, 4, 3, 2), bias=True),
    "channels": Case((2, 0, 7, 6), (0, 0, 3, 2), bias=True),
    "all": Case((0, 0, 7), (0, 0, 3), bias=True),
    "groups": Case((2, 0, 7, 6), (6, 0, 3, 2), groups=3),
    "image": Case((2, 3, 0, 4), (5, 3, 2, 3), padding=2, bias=True),
    "line": Case((1, 1, 0), (1, 1, 3), padding=((2, 1),), dtype="float32"),
    "crop": Case((2, 3, 6, 5), (4, 3, 2, 2), padding=((-6, 3), (0, 0)), bias=True),
}
EMPTY_DENSE = [
    Case((n, *d), (o, *d), family="dense", bias=True)
    for n, o, d in ((0, 3, (4,)), (2, 0, (4,)), (2, 3, (0,)), (0, 0, (0,)), (2, 3, (3, 0, 4)))
]


@pytest.mark.parametrize("verb, what", [
    (v, what) for v in SWEEPS for what, case in EMPTY.items()
    # A result of conv_transpose with an empty axis is an error: see test_errors.py.
    if v != "conv_transpose" or 0 not in case.x_shape[2:]])
def test_empty_axes(verb: str, what: str) -> None:
    case, family = EMPTY[what], family_of(verb)
    bank: dict[str, tuple[int, ...]] = {"conv": (), "tiled": (2, 3)[:case.geometry.rank],
                                        "local": case.y_shape[2:]}
    case = replace(case, family=family, w_shape=(*bank[family], *case.w_shape))
    check_conv(getattr(sc, verb), verb=verb, cases=[case], fills=["exact"])


@pytest.mark.parametrize("verb", [v for v in VERBS if v.startswith("dense")])
def test_empty_axes_of_dense(verb: str) -> None:
    check_conv(getattr(sc, verb), verb=verb, cases=EMPTY_DENSE, fills=["exact"])


# Special values


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("verb, name", [
    *((v, "x") for v in FORWARD), *((v, "dy") for v in INPUT_GRADS),
    *((v, n) for v in WEIGHT_GRADS for n in ("x", "dy")),
])
def test_special_values_spread_to_their_receptive_field(verb: str, name: str, value: float) -> None:
    """One element is special and the other operand is made of ones: what is not finite in the
    result is exactly what an indicator of the element reaches."""
    cases = [c for c in conv_cases("full", [family_of(verb)]) if c.x_shape[0] and not c.bias]
    if verb in WEIGHT_GRADS and name == "dy":  # a zero of the padding times NaN is NaN
        cases = [c for c in cases if c.padding_mode != "zeros" or c.family == "dense"]
    rng = np.random.default_rng(0)
    for case in cases[:40]:
        values: dict[str, Any] = {k: np.ones(v.shape, v.dtype) if isinstance(v, np.ndarray) else v
                                  for k, v in operands(verb, case, "exact").items()}
        at = tuple(rng.integers(values[name].shape))
        indicator = np.zeros_like(values[name])
        indicator[at] = 1
        values[name][at] = value
        got = call(verb, case, values)
        reached = call(verb, case, values | {name: indicator}) != 0
        assert np.array_equal(~np.isfinite(got), reached), case.id


ONE_TERM = {
    "conv": Case((1, 1, 1), (1, 1, 1)),
    "tiled": Case((1, 1, 1), (1, 1, 1, 1), family="tiled"),
    "local": Case((1, 1, 1), (1, 1, 1, 1), family="local"),
    "dense": Case((1, 1), (1, 1), family="dense"),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("verb", VERBS)
def test_denormals_and_signed_zeros(verb: str, dtype: Any) -> None:
    """Of products of one term; a sum that starts from +0 is never -0."""
    case = replace(ONE_TERM[family_of(verb)], dtype=np.dtype(dtype).name)
    tiny = np.finfo(dtype).smallest_subnormal
    values = operands(verb, case)
    first, second = (k for k, v in values.items() if isinstance(v, np.ndarray))
    for a, b, product in ((tiny, 3, 3 * tiny), (-5, tiny, -5 * tiny), (-0.0, 1, 0.0),
                          (np.finfo(dtype).tiny, 0.5, np.finfo(dtype).tiny / 2)):
        values[first][...], values[second][...] = a, b
        got = call(verb, case, values).item()
        assert got == product
        assert np.signbit(got) == np.signbit(product)


def test_floating_point_modes_stay_as_they_are() -> None:
    """Neither the import nor a sweep in threads flushes denormals, in this thread or in another."""
    assert child("""
import json, threading
import numpy as np

def halves(n):
    values = np.full(n, np.finfo(np.float64).tiny)
    return bool((values / 2 != 0).all() and (values * 0.25 * 4 == values).all())

before = [5e-324 != 0, halves(9)]
import sweepconv as sc
after = [5e-324 != 0, halves(9), float("5e-324") * 1.0 == 5e-324]
tiny = np.finfo(np.float32).smallest_subnormal
x = np.full((8, 16, 64, 64), tiny)
y = sc.conv(x, np.ones((16, 16, 1, 1), np.float32), n_threads=2)
swept = [bool((y == 16 * tiny).all()), 5e-324 != 0, halves(9)]
thread = threading.Thread(target=lambda: swept.append(halves(9)))
thread.start(); thread.join()
print(json.dumps(before + after + swept))
""") == [True] * 9


# More than 2^31 elements


def test_broadcast_views_with_billions_of_elements() -> None:
    x = np.broadcast_to(np.float32(2), (1, 1, 2**20, 2**13))
    w, stride = np.ones((1, 1, 2, 2), np.float32), (2**19, 2**12)
    assert (sc.conv(x, w, stride=stride) == np.full((1, 1, 2, 2), 8)).all()
    assert (sc.conv_weight_grad(x, np.ones((1, 1, 2, 2), np.float32), w.shape, stride=stride)
            == np.full(w.shape, 8)).all()
    line = np.broadcast_to(np.float32(2), (1, 1, 2**33))
    ones = np.ones((1, 1, 2), np.float32)
    assert sc.conv(line, ones, stride=2**32).tolist() == [[[4, 4]]]
    assert sc.conv(line, ones, dilation=2**33 - 1).tolist() == [[[4]]]
    # dy of an image of 5 far inside of its padding
    dy = np.broadcast_to(np.float32(3), (1, 1, 2**33 + 4))
    assert sc.conv_input_grad(dy, ones, (1, 1, 5), padding=2**32).tolist() == [[[6] * 5]]


def test_arrays_with_billions_of_elements() -> None:
    """17 GB of addresses, of which only the corners are ever touched."""
    shape = (1, 2, 2**16, 2**15 + 1)
    size = 4 * int(np.prod(shape))
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)  # NORESERVE
    x = np.frombuffer(memory, np.float32).reshape(shape)
    x[0, :, ::shape[2] - 1, ::shape[3] - 1] = np.arange(1, 9).reshape(2, 2, 2)
    w = np.array([1, 10], np.float32).reshape(1, 2, 1, 1)
    stride = (shape[2] - 1, shape[3] - 1)
    y = sc.conv(x, w, stride=stride)
    assert y[0, 0].tolist() == [[51, 62], [73, 84]]
    dw = sc.conv_weight_grad(x, np.array([[[[1, 2], [4, 8]]]], np.float32), w.shape, stride=stride)
    assert dw[0, :, 0, 0].tolist() == [49, 109]
    far = sc.conv(x, np.array([[[[1, 2], [4, 8]]] * 2], np.float32), dilation=stride)
    assert far.item() == 49 + 109


# Kinds of input


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_not_an_array_counts_as_one(verb: str) -> None:
    """Nested lists of floats are float64 arrays; subclasses are taken as arrays."""
    case = SMALL[family_of(verb)]
    values = operands(verb, case)
    want = call(verb, case, values)
    lists = {k: v.tolist() if isinstance(v, np.ndarray) else list(v) for k, v in values.items()}
    got = call(verb, case, lists)
    assert same_bits(got, want)
    masked = {k: np.ma.MaskedArray(v) if isinstance(v, np.ndarray) else v
              for k, v in values.items()}
    assert type(call(verb, case, masked)) is np.ndarray


@pytest.mark.parametrize("verb", VERBS)
def test_operands_stay_as_they_are(verb: str) -> None:
    """Also with out= and accumulate=, which the conformance kit does not use."""
    case = SMALL[family_of(verb)]
    values = operands(verb, case)
    before = {k: v.copy() for k, v in values.items() if isinstance(v, np.ndarray)}
    out = call(verb, case, values)
    more = {"accumulate": True} if verb in GRADIENTS else {}
    call(verb, case, values, out=out, n_threads=2, **more)
    assert all(same_bits(values[k], v) for k, v in before.items())
