"""Pools against `sweepconv.reference`, ties, NaN, memory, the mean against its adjoint, and bits
for any number of threads, instruction set and blocks."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ISAS

import sweepconv as sc
from sweepconv import pool, reference

Array = npt.NDArray[Any]

# spatial size, keywords
CASES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((7,), {"kernel": 1}),
    ((9,), {"kernel": 4}),
    ((9,), {"kernel": 3, "stride": 1, "padding": 1}),
    ((5,), {"kernel": 2, "stride": 3}),  # gaps between windows
    ((6, 7), {"kernel": (3, 2)}),
    ((6, 7), {"kernel": (3, 2), "stride": (1, 2), "padding": (1, 0)}),
    ((5, 4), {"kernel": (5, 4)}),  # one window
    ((1, 8), {"kernel": 2, "stride": 1, "padding": 1}),
    ((4, 3, 5), {"kernel": 2, "stride": (2, 1, 2), "padding": 1}),
]
EACH_CASE = pytest.mark.parametrize("size, keywords", CASES)
EACH_DTYPE = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def tied(shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0) -> Array:
    """Few different values, so that most windows hold equal maxima; sums are exact."""
    return np.random.default_rng(seed).integers(-2, 3, shape).astype(dtype)


def special(shape: tuple[int, ...], dtype: Any) -> Array:
    x = tied(shape, dtype)
    flat = x.reshape(-1)
    flat[::5], flat[1::7], flat[2::11] = -np.inf, np.inf, np.nan
    return x


def layouts(a: Array) -> dict[str, Array]:
    """The same values with other strides."""
    last = np.ascontiguousarray(np.moveaxis(a, 1, -1))
    spaced = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
    spaced[..., ::2] = a
    raw = np.zeros(a.nbytes + 1, np.uint8)
    misaligned = raw[1:].view(a.dtype).reshape(a.shape)
    misaligned[...] = a
    frozen = a.copy()
    frozen.flags.writeable = False
    return {
        "channels-last": np.moveaxis(last, -1, 1),
        "negative": np.ascontiguousarray(a[:, :, ::-1])[:, :, ::-1],
        "spaced": spaced[..., ::2],
        "misaligned": misaligned,
        "read-only": frozen,
    }


def near(result: Array, expected: Array, magnitude: Array, taps: int) -> None:
    """|error| <= taps * eps * (the same verb on absolute values), as for any sum of `taps` terms;
    one more eps for the division."""
    bound = (taps + 1) * np.finfo(result.dtype).eps * magnitude
    assert np.all(np.abs(result.astype(np.float64) - expected) <= bound)


def bits(a: Array) -> bytes:
    return np.ascontiguousarray(a).tobytes()


@EACH_CASE
@EACH_DTYPE
def test_max_pool_equals_reference(size: Any, keywords: Any, dtype: Any) -> None:
    for x in (tied((2, 3, *size), dtype), special((2, 3, *size), dtype)):
        y = pool.max_pool(x, **keywords)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, reference.max_pool(x, **keywords), strict=True)


@EACH_CASE
@EACH_DTYPE
def test_max_pool_input_grad_equals_reference(size: Any, keywords: Any, dtype: Any) -> None:
    for x in (tied((2, 3, *size), dtype), special((2, 3, *size), dtype)):
        dy = tied(pool.max_pool(x, **keywords).shape, dtype, seed=1)
        dx = pool.max_pool_input_grad(dy, x, **keywords)
        expected = reference.max_pool_input_grad(dy, x, **keywords)
        np.testing.assert_array_equal(dx, expected, strict=True)


@EACH_CASE
@EACH_DTYPE
@pytest.mark.parametrize("include", [True, False])
def test_avg_pool_equals_reference(size: Any, keywords: Any, dtype: Any, include: bool) -> None:
    keywords = {**keywords, "count_include_pad": include}
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, *size)).astype(dtype)
    y = pool.avg_pool(x, **keywords)
    assert y.dtype == dtype
    exact, magnitude = (reference.avg_pool(v.astype(np.float64), **keywords) for v in (x, abs(x)))
    taps = int(np.prod(np.ones(len(size), int) * keywords["kernel"]))
    near(y, exact, magnitude, taps)

    dy = rng.standard_normal(y.shape).astype(dtype)
    dx = pool.avg_pool_input_grad(dy, x.shape, **keywords)
    exact, magnitude = (reference.avg_pool_input_grad(v.astype(np.float64), x.shape, **keywords)
                        for v in (dy, abs(dy)))
    near(dx, exact, magnitude, taps)


@EACH_CASE
@pytest.mark.parametrize("include", [True, False])
def test_avg_pool_and_its_gradient_are_adjoint(size: Any, keywords: Any, include: bool) -> None:
    keywords = {**keywords, "count_include_pad": include}
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, *size))
    y = pool.avg_pool(x, **keywords)
    g = rng.standard_normal(y.shape)
    dx = pool.avg_pool_input_grad(g, x.shape, **keywords)
    assert np.vdot(y, g) == pytest.approx(np.vdot(x, dx), rel=1e-12, abs=1e-12)


@EACH_CASE
def test_max_pool_gradient_by_differences(size: Any, keywords: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.permutation(6 * int(np.prod(size))).reshape(2, 3, *size).astype(float)  # no ties
    step = 0.25 * rng.uniform(-1, 1, x.shape)  # no maximum moves, so the differences are exact
    g = rng.standard_normal(pool.max_pool(x, **keywords).shape)
    difference = pool.max_pool(x + step, **keywords) - pool.max_pool(x - step, **keywords)
    dx = pool.max_pool_input_grad(g, x, **keywords)
    assert np.vdot(difference, g) / 2 == pytest.approx(np.vdot(step, dx), rel=1e-9, abs=1e-9)


@given(st.data())
def test_any_geometry_equals_reference(data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, 3))
    kernel = tuple(data.draw(st.integers(1, 4)) for _ in range(rank))
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    stride = tuple(data.draw(st.integers(1, 5)) for _ in range(rank))
    size = tuple(data.draw(st.integers(max(k - 2 * p, 1), k + 4))
                 for k, p in zip(kernel, padding, strict=True))
    x = tied((data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2)), *size))
    keywords: dict[str, Any] = {"kernel": kernel, "stride": stride, "padding": padding}
    y = pool.max_pool(x, **keywords)
    np.testing.assert_array_equal(y, reference.max_pool(x, **keywords), strict=True)
    dy = tied(y.shape, seed=1)
    np.testing.assert_array_equal(pool.max_pool_input_grad(dy, x, **keywords),
                                  reference.max_pool_input_grad(dy, x, **keywords), strict=True)
    np.testing.assert_allclose(pool.avg_pool(x, **keywords), reference.avg_pool(x, **keywords),
                               rtol=1e-14)


@pytest.mark.parametrize("window, winner", [
    ([3, 1, 3, 3], 0),
    ([1, 3, 3, 0], 1),  # (0, 1) comes before (1, 0)
    ([-np.inf] * 4, 0),
    ([0.0, -0.0, 0.0, -0.0], 0),
    ([1, np.nan, np.inf, np.nan], 1),
    ([np.inf, 0, np.nan, np.nan], 2),
])
def test_the_first_of_equals_wins_in_row_major_order(window: list[float], winner: int) -> None:
    x = np.array(window, float).reshape(1, 1, 2, 2)
    dx = pool.max_pool_input_grad(np.ones((1, 1, 1, 1)), x, 2)
    assert np.flatnonzero(dx).tolist() == [winner]
    assert bits(pool.max_pool(x, 2)) == bits(x.reshape(-1)[winner])


def test_of_equal_zeros_the_first_gives_the_sign_at_every_place_in_memory() -> None:
    x = np.zeros((1, 1, 67, 2), np.float32)  # 67: whole vectors and a rest
    x[..., 1] = -0.0
    assert not np.signbit(pool.max_pool(x, (1, 2))).any()
    assert np.signbit(pool.max_pool(x[..., ::-1], (1, 2))).all()


def test_a_window_of_minus_infinity_over_the_border_gives_its_gradient_to_an_element() -> None:
    x = np.full((1, 1, 3, 3), -np.inf)
    y = pool.max_pool(x, 2, stride=2, padding=1)
    assert np.all(y == -np.inf)
    dx = pool.max_pool_input_grad(np.arange(1.0, 5).reshape(y.shape), x, 2, stride=2, padding=1)
    assert np.array_equal(dx[0, 0], [[1, 2, 0], [3, 4, 0], [0, 0, 0]])


def test_padding_is_no_candidate_of_the_maximum_and_a_zero_of_the_mean() -> None:
    x = np.full((1, 1, 4), -6.0)
    assert pool.max_pool(x, 3, stride=2, padding=1).tolist() == [[[-6, -6]]]
    assert pool.avg_pool(x, 3, stride=3, padding=1).tolist() == [[[-4, -4]]]
    inside = pool.avg_pool(x, 3, stride=3, padding=1, count_include_pad=False)
    assert inside.tolist() == [[[-6, -6]]]


def test_nan_reaches_the_windows_that_hold_it_and_no_other() -> None:
    x = np.zeros((1, 2, 6, 6))
    x[0, 1, 2, 3] = np.nan
    expected = np.zeros((1, 2, 3, 3), bool)
    expected[0, 1, 1, 1] = True
    for verb in (pool.max_pool, pool.avg_pool):
        assert np.array_equal(np.isnan(verb(x, 2)), expected)
    dy = np.where(expected, np.nan, 1.0)
    assert np.isnan(pool.max_pool_input_grad(dy, x, 2)).sum() == 1
    assert np.isnan(pool.avg_pool_input_grad(dy, x.shape, 2)).sum() == 4


def test_special_values_raise_no_floating_point_error() -> None:
    x, dy = np.array([[[np.nan, np.inf, -np.inf, 1e308, 1e308, 5e-324]]]), np.full((1, 1, 5), 1e308)
    with np.errstate(all="raise"):
        assert np.isnan(pool.max_pool(x, 2, stride=1)[0, 0, 0])
        assert np.isnan(pool.avg_pool(x, 2, stride=1)[0, 0, :2]).all()
        assert pool.avg_pool(x, 2, stride=1)[0, 0, 3] == np.inf
        assert pool.max_pool_input_grad(dy, x, 2, stride=1).max() == np.inf
        assert pool.avg_pool_input_grad(dy, x.shape, 2, stride=1).max() == 1e308


@EACH_CASE
def test_any_strides_give_the_same_bits(size: Any, keywords: Any) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, *size)).astype(np.float32)
    for name, view in layouts(x).items():
        for verb in (pool.max_pool, pool.avg_pool):
            assert bits(verb(view, **keywords)) == bits(verb(x, **keywords)), name
    dy = pool.max_pool(x, **keywords)
    dx, mean_dx = (pool.max_pool_input_grad(dy, x, **keywords),
                   pool.avg_pool_input_grad(dy, x.shape, **keywords))
    for (name, dy_view), x_view in zip(layouts(dy).items(), layouts(x).values(), strict=True):
        assert bits(pool.max_pool_input_grad(dy_view, x_view, **keywords)) == bits(dx), name
        assert bits(pool.avg_pool_input_grad(dy_view, x.shape, **keywords)) == bits(mean_dx), name


def test_zero_strides() -> None:
    x = np.broadcast_to(np.arange(4.0), (2, 3, 4, 4))
    assert np.array_equal(pool.max_pool(x, 2), np.broadcast_to([1.0, 3.0], (2, 3, 2, 2)))
    dy = np.broadcast_to(4.0, (2, 3, 2, 2))
    assert np.array_equal(pool.avg_pool_input_grad(dy, x.shape, 2), np.ones(x.shape))


def test_channels_last_in_channels_last_out() -> None:
    x = np.zeros((2, 6, 5, 3)).transpose(0, 3, 1, 2)
    y = pool.max_pool(x, 2)
    results = [y, pool.avg_pool(x, 2), pool.max_pool_input_grad(y, x, 2),
               pool.avg_pool_input_grad(y, x.shape, 2)]
    assert all(r.transpose(0, 2, 3, 1).flags.c_contiguous for r in results)
    assert pool.max_pool(np.zeros(x.shape), 2).flags.c_contiguous


@EACH_CASE
def test_any_split_of_the_batch_gives_the_same_bits(size: Any, keywords: Any) -> None:
    x = np.random.default_rng(0).standard_normal((5, 3, *size)).astype(np.float32)
    dy = pool.avg_pool(x, **keywords)
    whole = [pool.max_pool(x, **keywords), dy, pool.max_pool_input_grad(dy, x, **keywords),
             pool.avg_pool_input_grad(dy, x.shape, **keywords)]
    for n in range(5):
        a, g = x[n:n + 1], dy[n:n + 1]
        parts = [pool.max_pool(a, **keywords), pool.avg_pool(a, **keywords),
                 pool.max_pool_input_grad(g, a, **keywords),
                 pool.avg_pool_input_grad(g, a.shape, **keywords)]
        for part, all_of_it in zip(parts, whole, strict=True):
            assert bits(part) == bits(all_of_it[n:n + 1])


def test_inputs_are_not_modified() -> None:
    x, dy = tied((2, 3, 6, 6)), tied((2, 3, 3, 3), seed=1)
    before = bits(x), bits(dy)
    pool.max_pool(x, 2)
    pool.avg_pool(x, 2)
    pool.max_pool_input_grad(dy, x, 2)
    pool.avg_pool_input_grad(dy, x.shape, 2)
    assert (bits(x), bits(dy)) == before


Call = Callable[..., Array]
X, DY = tied((2, 3, 6, 6)), tied((2, 3, 3, 3), seed=1)
CALLS: dict[str, Call] = {
    "max_pool": lambda **k: pool.max_pool(X, 2, **k),
    "avg_pool": lambda **k: pool.avg_pool(X, 2, **k),
    "max_pool_input_grad": lambda **k: pool.max_pool_input_grad(DY, X, 2, **k),
    "avg_pool_input_grad": lambda **k: pool.avg_pool_input_grad(DY, X.shape, 2, **k),
}


@pytest.mark.parametrize("name", CALLS)
def test_out_and_n_threads(name: str) -> None:
    call, expected = CALLS[name], CALLS[name]()
    holder = np.full((*expected.shape[:-1], 2 * expected.shape[-1]), 7.0)
    out = holder[..., ::-2]
    assert call(out=out, n_threads=2) is out
    assert np.array_equal(out, expected)
    assert np.all(holder[..., ::2] == 7)
    if "grad" in name:
        assert call(out=out, accumulate=True) is out
        assert np.array_equal(out, 2 * expected)
        with pytest.raises(ValueError, match=f"{name}: accumulate=True adds into out"):
            call(accumulate=True)
    for wrong, error in [(np.zeros(3), ValueError), (expected.astype(np.float32), TypeError),
                         (expected.tolist(), TypeError),
                         (np.broadcast_to(0.0, expected.shape), ValueError)]:
        with pytest.raises(error, match=f"{name}: out"):
            call(out=wrong)
    with pytest.raises(ValueError, match=f"{name}: n_threads must be at least 1, got 0"):
        call(n_threads=0)
    with pytest.raises(TypeError, match=f"{name}: n_threads must be None or an int, got 1.5"):
        call(n_threads=1.5)


def test_out_may_overlap_the_inputs() -> None:
    for verb in (pool.max_pool, pool.avg_pool):
        x = tied((2, 3, 6, 6))
        expected = verb(x, 3, stride=1, padding=1)
        assert np.array_equal(verb(x, 3, stride=1, padding=1, out=x), expected)
    x, memory = tied((2, 3, 6)), np.zeros(2 * 3 * 6 + 1)
    expected = x + pool.max_pool_input_grad(x, x, 3, stride=1, padding=1)
    shifted = memory[1:].reshape(x.shape)
    shifted[...] = x
    pool.max_pool_input_grad(shifted, shifted, 3, stride=1, padding=1, out=shifted,
                             accumulate=True)
    assert np.array_equal(shifted, expected)
    g = tied((2, 3, 6))
    expected = pool.avg_pool_input_grad(g, g.shape, 3, stride=1, padding=1)
    assert np.array_equal(
        pool.avg_pool_input_grad(g, g.shape, 3, stride=1, padding=1, out=g), expected)


@pytest.mark.parametrize("shape", [(0, 3, 6, 6), (2, 0, 6, 6)])
def test_empty_batches(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape, np.float32)
    y = pool.max_pool(x, 2)
    assert y.shape == pool.avg_pool(x, 2).shape == (*shape[:2], 3, 3)
    assert pool.max_pool_input_grad(y, x, 2).shape == shape
    assert pool.avg_pool_input_grad(y, shape, 2).shape == shape


@pytest.mark.parametrize("x, keywords, error, message", [
    (np.zeros((2, 3)), {"kernel": 2}, ValueError, "x must be (N, C, *spatial)"),
    (np.zeros((1,) * 6), {"kernel": 2}, ValueError, "x.shape = (1, 1, 1, 1, 1, 1)"),
    (np.zeros((1, 1, 4), int), {"kernel": 2}, TypeError, "x must be float32 or float64, got int64"),
    (np.zeros((1, 1, 4), ">f8"), {"kernel": 2}, TypeError, "got >f8"),
    (np.zeros((1, 1, 4, 4)), {"kernel": (2,)}, ValueError, "kernel must be an int or 2 ints"),
    (np.zeros((1, 1, 4)), {"kernel": 0}, ValueError, "kernel must be at least 1, got 0"),
    (np.zeros((1, 1, 4)), {"kernel": 2.0}, TypeError, "kernel must be an int"),
    (np.zeros((1, 1, 4)), {"kernel": 2, "stride": 0}, ValueError, "stride must be at least 1"),
    (np.zeros((1, 1, 4)), {"kernel": 2, "padding": -1}, ValueError, "padding must be at least 0"),
    (np.zeros((1, 1, 4)), {"kernel": 3, "padding": 2}, ValueError, "at most half of the kernel"),
    (np.zeros((1, 1, 4)), {"kernel": 5}, ValueError, "the kernel (5,) does not fit"),
    (np.zeros((1, 1, 0)), {"kernel": 2, "padding": 1}, ValueError, "x.shape = (1, 1, 0)"),
])
def test_errors_name_the_argument(x: Array, keywords: Any, error: type[Exception], message: str
                                  ) -> None:
    for verb in (pool.max_pool, pool.avg_pool):
        with pytest.raises(error) as caught:
            verb(x, **keywords)
        assert str(caught.value).startswith(f"{verb.__name__}: ")
        assert message in str(caught.value)


def test_errors_of_the_gradients() -> None:
    x, dy = np.zeros((1, 1, 4)), np.zeros((1, 1, 3))
    with pytest.raises(ValueError, match=r"dy must have the shape of y, \(1, 1, 2\)"):
        pool.max_pool_input_grad(dy, x, 2)
    with pytest.raises(ValueError, match=r"got dy.shape = \(1, 1, 3\)"):
        pool.avg_pool_input_grad(dy, x.shape, 2)
    with pytest.raises(TypeError, match="dy and x must have the same dtype, got float32"):
        pool.max_pool_input_grad(dy.astype(np.float32), x, 2)
    with pytest.raises(TypeError, match="x_shape must be a tuple of ints"):
        pool.avg_pool_input_grad(dy, (1, 1, 4.0), 2)  # type: ignore[arg-type]


@pytest.fixture
def keep_isa() -> Iterator[None]:
    before = sc.show_config()["isa"]
    yield
    sc.use_isa(before)


# Shapes that are cut into several blocks: of channels, of rows, of single rows, of images.
LARGE: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((1, 67, 40, 41), {"kernel": 3, "stride": 2, "padding": 1}),
    ((1, 133, 27, 30), {"kernel": 2}),
    ((1, 19, 60, 33), {"kernel": (5, 4), "stride": 1, "padding": 2}),
    ((1, 9, 70, 90), {"kernel": 2, "stride": 3}),  # gaps between windows, some inputs at the end
    ((1, 3, 150, 201), {"kernel": 3, "stride": 2, "padding": 1}),  # few channels
    ((1, 1, 300, 131), {"kernel": 3, "stride": 1}),
    ((2, 21, 2503), {"kernel": 4, "stride": 3, "padding": 2}),
    ((1, 1, 60001), {"kernel": 5, "stride": 2, "padding": 1}),
    ((1, 11, 14, 20, 22), {"kernel": 3, "stride": 2, "padding": 1}),
    ((2, 5, 13, 12, 11), {"kernel": (1, 2, 3), "stride": (1, 3, 1), "padding": (0, 1, 1)}),
    ((1, 2, 12, 80, 9), {"kernel": (3, 1, 1), "stride": (1, 1, 1), "padding": (1, 0, 0)}),
]
EACH_LARGE = pytest.mark.parametrize("shape, keywords", LARGE)
BOTH_ORDERS = pytest.mark.parametrize("last", [False, True], ids=["first", "last"])


def ordered(a: Array, last: bool) -> Array:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1) if last else a


def zeros_of_both_signs(shape: tuple[int, ...], dtype: Any) -> Array:
    """Also NaN and Inf, and whole windows of -Inf."""
    x = special(shape, dtype)
    x[..., :shape[-1] // 3] = -np.inf
    return np.where((x == 0) & (np.arange(x.size).reshape(shape) % 3 == 0), -x, x)


@EACH_LARGE
@pytest.mark.parametrize("last, dtype", [(False, np.float64), (True, np.float32)])
def test_blocks_equal_reference(shape: Any, keywords: Any, last: bool, dtype: Any) -> None:
    x = ordered(zeros_of_both_signs(shape, dtype), last)
    y = pool.max_pool(x, **keywords)
    expected = reference.max_pool(x, **keywords)
    np.testing.assert_array_equal(y, expected, strict=True)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(y[numbers]), np.signbit(expected[numbers]))
    dy = ordered(tied(y.shape, dtype, seed=1), last)
    np.testing.assert_array_equal(pool.max_pool_input_grad(dy, x, **keywords),
                                  reference.max_pool_input_grad(dy, x, **keywords), strict=True)
    taps = int(np.prod(np.ones(len(shape) - 2, int) * keywords["kernel"]))
    x = ordered(tied(shape, dtype), last)
    case = {**keywords, "count_include_pad": False}
    exact, size = (reference.avg_pool(v.astype(np.float64), **case) for v in (x, abs(x)))
    near(pool.avg_pool(x, **case), exact, size, taps)
    exact, size = (reference.avg_pool_input_grad(v.astype(np.float64), shape, **case)
                   for v in (dy, abs(dy)))
    near(pool.avg_pool_input_grad(dy, shape, **case), exact, size, taps)


@EACH_LARGE
@BOTH_ORDERS
def test_bits_depend_neither_on_threads_nor_on_the_instruction_set(
        shape: Any, keywords: Any, last: bool, keep_isa: None) -> None:
    rng = np.random.default_rng(0)
    x = ordered(rng.standard_normal(shape, np.float32), last)
    hard = ordered(zeros_of_both_signs(shape, np.float32), last)
    dy = ordered(rng.standard_normal(pool.max_pool(x, **keywords).shape, np.float32), last)
    start = rng.standard_normal(shape, np.float32)

    def results(n: int) -> list[bytes]:
        more = {**keywords, "n_threads": n}
        return [bits(a) for a in (
            pool.max_pool(x, **more), pool.max_pool(hard, **more),
            pool.avg_pool(x, count_include_pad=False, **more),
            pool.max_pool_input_grad(dy, hard, **more),
            pool.avg_pool_input_grad(dy, shape, **more),
            pool.max_pool_input_grad(dy, x, out=start.copy(), accumulate=True, **more),
            pool.avg_pool_input_grad(dy, shape, out=ordered(start.copy(), not last),
                                     accumulate=True, **more))]

    expected = results(1)
    for name in ISAS:
        sc.use_isa(name)
        for n in (1, 2, 3):
            assert results(n) == expected, (name, n)
    assert expected[-2] == bits(start + pool.max_pool_input_grad(dy, x, **keywords))
    assert expected[-1] == bits(start + pool.avg_pool_input_grad(dy, shape, **keywords))


@EACH_LARGE
def test_any_strides_of_large_arrays_give_the_same_bits(shape: Any, keywords: Any) -> None:
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    dy = pool.max_pool(x, **keywords)
    mean, dx, mean_dx = (pool.avg_pool(x, **keywords), pool.max_pool_input_grad(dy, x, **keywords),
                         pool.avg_pool_input_grad(dy, shape, **keywords))
    outs, ys = layouts(dx.copy()), layouts(dy.copy())
    outs["read-only"], ys["read-only"] = dx.copy(), dy.copy()
    for (name, x_view), dy_view in zip(layouts(x).items(), layouts(dy).values(), strict=True):
        y, out = ys[name], outs[name]
        pool.max_pool(x_view, out=y, **keywords)
        assert bits(y) == bits(dy), name
        pool.avg_pool(x_view, out=y, **keywords)
        assert bits(y) == bits(mean), name
        pool.max_pool_input_grad(dy_view, x_view, out=out, **keywords)
        assert bits(out) == bits(dx), name
        pool.avg_pool_input_grad(dy_view, shape, out=out, **keywords)
        assert bits(out) == bits(mean_dx), name


@EACH_LARGE
@BOTH_ORDERS
def test_nothing_is_written_beside_a_result(shape: Any, keywords: Any, last: bool) -> None:
    x = ordered(tied(shape, np.float32), last)
    y = pool.max_pool(x, **keywords)

    def around(like: Array) -> tuple[Array, Array]:
        memory = np.full([n + 2 for n in like.shape], 7, np.float32)
        memory = ordered(memory, last)
        return memory, memory[(slice(1, -1),) * like.ndim]

    calls: list[tuple[Array, Call]] = [
        (y, lambda **k: pool.max_pool(x, **keywords, **k)),
        (y, lambda **k: pool.avg_pool(x, **keywords, **k)),
        (x, lambda **k: pool.max_pool_input_grad(y, x, **keywords, **k)),
        (x, lambda **k: pool.avg_pool_input_grad(y, shape, **keywords, **k)),
    ]
    for result, call in calls:
        memory, inside = around(result)
        call(out=inside)
        inside[...] = 7
        assert (memory == 7).all()
