"""The oracle's oracle: plain loops on tiny sizes, SciPy, and constants known from print."""

from itertools import product
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal

from sweepconv import geometry as geo
from sweepconv import reference as ref

Array: TypeAlias = "npt.NDArray[Any]"

NUMPY_PAD: dict[str, Any] = {"zeros": "constant", "reflect": "reflect",
                             "symmetric": "symmetric", "replicate": "edge", "circular": "wrap"}
PREFIX = {"conv": "conv", "tiled": "tiled_conv", "local": "local_conv"}


def integers(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any = np.float64) -> Array:
    return rng.integers(-4, 5, shape).astype(dtype)


def virtual_axis(size: int, low: int, high: int, mode: str) -> Array:
    """Element at each place of the padded axis, by np.pad; -1 for a zero."""
    axis = np.pad(np.arange(1, size + 1), (max(low, 0), max(high, 0)), NUMPY_PAD[mode]) - 1
    return axis[max(-low, 0):len(axis) - max(-high, 0)]


def loops(
    x: Array, w: Array, b: Array, dy: Array, family: str, *, stride: int, pads: Any, dilation: int,
    groups: int, mode: str,
) -> tuple[Array, Array, Array, Array]:
    """The equation of the library, one product at a time: (y, dx, dw, db).

    For two spatial axes these are seven loops: n, o, c, two positions, two taps.
    """
    rank = x.ndim - 2
    bank = () if family == "conv" else w.shape[:rank]
    o_size, taken, *kernel = w.shape[len(bank):]
    axes = [virtual_axis(n, low, high, mode)
            for n, (low, high) in zip(x.shape[2:], pads, strict=True)]
    out = [(len(axis) - (k - 1) * dilation - 1) // stride + 1
           for axis, k in zip(axes, kernel, strict=True)]
    assert dy.shape == (len(x), o_size, *out)
    y, dx, dw, db = np.zeros(dy.shape), np.zeros(x.shape), np.zeros(w.shape), np.zeros(b.shape)
    for n, o, p in product(range(len(x)), range(o_size), np.ndindex(*out)):
        f = tuple(i % period for i, period in zip(p, bank, strict=True)) if bank else ()
        y[n, o, *p] = b[*f, o]
        db[*f, o] += dy[n, o, *p]
        for j, t in product(range(taken), np.ndindex(*kernel)):
            c = o // (o_size // groups) * taken + j
            at = [axis[i * stride + u * dilation] for axis, i, u in zip(axes, p, t, strict=True)]
            if min(at) >= 0:
                y[n, o, *p] += w[*f, o, j, *t] * x[n, c, *at]
                dx[n, c, *at] += w[*f, o, j, *t] * dy[n, o, *p]
                dw[*f, o, j, *t] += x[n, c, *at] * dy[n, o, *p]
    return y, dx, dw, db


SHAPES: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    1: ((2, 4, 7), (4, 4, 3)),
    2: ((2, 4, 4, 5), (2, 4, 3, 2)),
    3: ((1, 4, 3, 4, 2), (2, 4, 2, 3, 1)),
}
NONE = ((0, 0),) * 3
UNEVEN = ((1, 2), (0, 3), (2, 1))
CROP = ((-1, 2), (3, -1), (1, -1))
WIDE = ((9, 5), (6, 7), (1, 1))


@pytest.mark.parametrize("family", ["conv", "tiled", "local"])
@pytest.mark.parametrize("mode", geo.PADDING_MODES)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("pads", "stride", "dilation", "groups"), [
    (NONE, 1, 1, 1), (UNEVEN, 1, 2, 2), (UNEVEN, 2, 1, 1), (CROP, 1, 1, 2), (CROP, 2, 1, 1),
    (WIDE, 3, 2, 2),
])
def test_equation(
    family: str, mode: str, rank: int, pads: Any, stride: int, dilation: int, groups: int
) -> None:
    rng = np.random.default_rng(rank)
    x_shape, (o, c, *kernel) = SHAPES[rank]
    base, pads = (o, c // groups, *kernel), pads[:rank]
    keywords: dict[str, Any] = {"stride": stride, "dilation": dilation, "groups": groups}
    out = geo.output_shape(x_shape, base, padding=pads, padding_mode=mode, **keywords)
    bank = {"conv": (), "tiled": (2, 3, 2)[:rank], "local": out[2:]}[family]
    x, w, dy = integers(rng, x_shape), integers(rng, bank + base), integers(rng, out)
    b = integers(rng, (*bank, o))
    want = loops(x, w, b, dy, family, pads=pads, mode=mode, **keywords)
    keywords |= {"padding": pads, "padding_mode": mode}
    verb = PREFIX[family]
    got = (
        getattr(ref, verb)(x, w, b, **keywords),
        getattr(ref, verb + "_input_grad")(dy, w, x_shape, **keywords),
        getattr(ref, verb + "_weight_grad")(x, dy, w.shape, **keywords),
        ref.bias_grad(dy, b.shape),
    )
    for name, a, expected in zip(("y", "dx", "dw", "db"), got, want, strict=True):
        np.testing.assert_array_equal(a, expected, err_msg=name, strict=True)


# SciPy


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
@pytest.mark.parametrize("shape", [(9,), (7, 8), (4, 5, 6)])
def test_scipy_correlate(mode: Any, shape: Any) -> None:
    rng = np.random.default_rng(0)
    x, w = integers(rng, shape), integers(rng, (3, 3, 3)[:len(shape)])
    want = scipy.signal.correlate(x, w, mode, method="direct")
    np.testing.assert_array_equal(ref.conv(x[None, None], w[None, None], padding=mode)[0, 0], want)


@pytest.mark.parametrize(("boundary", "mode"), [
    ("fill", "zeros"), ("wrap", "circular"), ("symm", "symmetric")])
def test_scipy_boundary(boundary: Any, mode: Any) -> None:
    rng = np.random.default_rng(0)
    x, w = integers(rng, (6, 7)), integers(rng, (3, 5))
    want = scipy.signal.correlate2d(x, w, "same", boundary)
    got = ref.conv(x[None, None], w[None, None], padding="same", padding_mode=mode)[0, 0]
    np.testing.assert_array_equal(got, want)


def test_scipy_upfirdn() -> None:
    """Transposed convolution in 1-D inserts zeros and convolves, as upfirdn does."""
    rng = np.random.default_rng(0)
    x, w = integers(rng, (10,)), integers(rng, (4,))
    got = ref.conv_transpose(x[None, None], w[None, None], stride=3)[0, 0]
    np.testing.assert_array_equal(got, scipy.signal.upfirdn(w, x, up=3))


# Numbers from print: counts of parameters and shapes


def ones(*shape: int) -> Array:
    return np.ones(shape)


def test_deep_learning_figure_9_6() -> None:
    y = ref.conv(ones(1, 1, 280, 320), ones(1, 1, 1, 2))
    assert y.shape[2:] == (280, 319)
    assert 3 * y.size == 267_960  # two products and one addition each
    assert 280 * 320 * y.size == 8_003_072_000  # entries of the dense matrix
    assert round(2 * 280 * 320 * y.size / 267_960, 1) == 59_733.3


def test_useful_multiply_adds_with_zero_padding() -> None:
    """A product is useful where both operands exist: count them with ones."""
    assert ref.conv(ones(1, 2, 6, 6), ones(3, 2, 3, 3), padding=1).sum() == 1_536


def test_multiplicity() -> None:
    """How often each tap is used is the weight gradient of ones."""
    x = dy = ones(1, 1, 6, 6)
    zeros = ref.conv_weight_grad(x, dy, (1, 1, 3, 3), padding=1)
    np.testing.assert_array_equal(zeros[0, 0], [[25, 30, 25], [30, 36, 30], [25, 30, 25]])
    circular = ref.conv_weight_grad(x, dy, (1, 1, 3, 3), padding=1, padding_mode="circular")
    assert (circular == 36).all()


@pytest.mark.parametrize(("steps", "positions", "features", "total"), [
    (20, 17, 1_040, 5_489), (240, 237, 15_120, 19_569)])
def test_rare_event_network(steps: Any, positions: Any, features: Any, total: Any) -> None:
    w, b = ones(16, 69, 4), ones(16)
    y = ref.conv(ones(1, 69, steps), w, b)
    assert y.shape == (1, 16, positions)
    assert w.size + b.size == 4_432
    pooled = ref.max_pool(y, 4)
    w2 = ones(16, *pooled.shape[1:])
    h = ref.dense(pooled, w2, ones(16))
    assert w2.size + 16 == features
    w3 = ones(1, 16)
    assert ref.dense(h, w3, ones(1)).shape == (1, 1)
    assert w.size + 16 + w2.size + 16 + w3.size + 1 == total


def test_rare_event_image() -> None:
    y = ref.conv(ones(1, 1, 20, 69), ones(16, 1, 4, 69), ones(16))
    assert y.shape == (1, 16, 17, 1)
    assert ref.conv(ones(1, 1, 20, 69), ones(16, 1, 4, 4), ones(16)).shape == (1, 16, 17, 66)


def test_first_layer_of_each_family() -> None:
    x = ones(1, 3, 32, 32)
    y = ref.conv(x, ones(64, 3, 3, 3))
    bank = y.shape[2:]
    assert ones(64, 3, 3, 3).size == 1_728
    local = ones(*bank, 64, 3, 3, 3)
    assert (local.size, ones(*bank, 64).size) == (1_555_200, 57_600)
    np.testing.assert_array_equal(ref.local_conv(x, local), y)
    assert y.size * x.size == 176_947_200


# Relations between the families


def test_one_filter_tied_over_a_bank_is_conv() -> None:
    rng = np.random.default_rng(0)
    x, w, b = integers(rng, (2, 3, 6, 5)), integers(rng, (4, 3, 3, 3)), integers(rng, (4,))
    y = ref.conv(x, w, b, padding=1, stride=2)
    for verb, bank in ((ref.tiled_conv, (2, 7)), (ref.local_conv, y.shape[2:])):
        tied = np.broadcast_to(w, bank + w.shape), np.broadcast_to(b, bank + b.shape)
        np.testing.assert_array_equal(verb(x, *tied, padding=1, stride=2), y)


def test_dense_is_conv_with_a_filter_as_big_as_the_image() -> None:
    rng = np.random.default_rng(0)
    x, w, b = integers(rng, (2, 3, 6, 5)), integers(rng, (4, 3, 6, 5)), integers(rng, (4,))
    y = ref.dense(x, w, b)
    dy = integers(rng, y.shape)
    np.testing.assert_array_equal(y[..., None, None], ref.conv(x, w, b))
    np.testing.assert_array_equal(ref.dense_input_grad(dy, w, x.shape),
                                  ref.conv_input_grad(dy[..., None, None], w, x.shape))
    np.testing.assert_array_equal(ref.dense_weight_grad(x, dy, w.shape),
                                  ref.conv_weight_grad(x, dy[..., None, None], w.shape))
    np.testing.assert_array_equal(ref.dense(x, w.reshape(4, -1), b), y)
    np.testing.assert_array_equal(ref.bias_grad(dy, b.shape), dy.sum(axis=0))


# Transposed convolution


@pytest.mark.parametrize("padding", [0, 2, (1, 0), ((2, -1), (0, 1)), "valid", "full"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 2), (1, 3)])
def test_transpose_is_the_input_gradient(padding: Any, stride: Any, dilation: Any) -> None:
    rng = np.random.default_rng(0)
    x, w, b = integers(rng, (2, 4, 7, 6)), integers(rng, (4, 3, 3, 2)), integers(rng, (6,))
    extra = max(stride - 1, 0)
    keywords = {"stride": stride, "dilation": dilation, "padding": padding, "groups": 2}
    y = ref.conv_transpose(x, w, b, output_padding=extra, **keywords)
    pads = geo.padding_amounts(y.shape, w.shape, **keywords)
    size = tuple((n - 1) * stride - low - high + dilation * (k - 1) + 1 + extra
                 for n, (low, high), k in zip((7, 6), pads, (3, 2), strict=True))
    assert y.shape == (2, 6, *size)
    want = ref.conv_input_grad(x, w, y.shape, **keywords) + b[:, None, None]
    np.testing.assert_array_equal(y, want)


def test_transpose_output_padding_beyond_the_stride() -> None:
    """Allowed up to the dilation, as in PyTorch: elements that no position of x reaches."""
    y = ref.conv_transpose([[[1.0, 2.0]]], [[[1.0, 1.0]]], [0.5], dilation=3, output_padding=2)
    np.testing.assert_array_equal(y, [[[1.5, 2.5, 0.5, 1.5, 2.5, 0.5, 0.5]]])


@pytest.mark.parametrize("padding", ["same", "same_lower"])
@pytest.mark.parametrize(("stride", "kernel"), [(1, 3), (2, 3), (3, 2), (2, 5), (3, 1)])
def test_transpose_same_multiplies_the_size(padding: Any, stride: Any, kernel: Any) -> None:
    rng = np.random.default_rng(0)
    x, w = integers(rng, (1, 2, 5)), integers(rng, (2, 3, kernel))
    y = ref.conv_transpose(x, w, stride=stride, padding=padding)
    assert y.shape == (1, 3, 5 * stride)
    np.testing.assert_array_equal(
        y, ref.conv_input_grad(x, w, y.shape, stride=stride, padding=padding))
    assert ref.conv(y, w, stride=stride, padding=padding).shape == x.shape


# Pools


@pytest.mark.parametrize(("kernel", "stride", "padding"), [
    (2, None, 0), (3, 2, 1), ((2, 4), (1, 3), (1, 2)), ((1, 3), 4, 0)])
def test_pools_by_loops(kernel: Any, stride: Any, padding: Any) -> None:
    rng = np.random.default_rng(0)
    x = integers(rng, (2, 3, 7, 8))
    y = ref.max_pool(x, kernel, stride=stride, padding=padding)
    dy = integers(rng, y.shape)
    kernel = np.broadcast_to(kernel, 2)
    step = kernel if stride is None else np.broadcast_to(stride, 2)
    padding = np.broadcast_to(padding, 2)
    best, dx = np.zeros(y.shape), np.zeros(x.shape)
    means, spread = np.zeros((2, *y.shape)), np.zeros((2, *x.shape))
    for n, c, *p in np.ndindex(*y.shape):
        window = [at for t in np.ndindex(*kernel)
                  for at in [tuple(np.array(p) * step + t - padding)]
                  if (np.array(at) >= 0).all() and (np.array(at) < (7, 8)).all()]
        values = [x[n, c, *at] for at in window]
        best[n, c, *p] = max(values)
        dx[n, c, *window[values.index(max(values))]] += dy[n, c, *p]
        for i, count in enumerate((kernel.prod(), len(window))):
            means[i, n, c, *p] = sum(values) / count
            for at in window:
                spread[i, n, c, *at] += dy[n, c, *p] / count
    kernel, keywords = tuple(kernel), {"stride": stride, "padding": tuple(padding)}
    np.testing.assert_array_equal(y, best)
    np.testing.assert_array_equal(ref.max_pool_input_grad(dy, x, kernel, **keywords), dx)
    for i, include in enumerate((True, False)):
        more = {**keywords, "count_include_pad": include}
        np.testing.assert_array_equal(ref.avg_pool(x, kernel, **more), means[i])
        # Each element sums at most 12 shares: 12 rounding errors of values up to 4 on both sides.
        np.testing.assert_allclose(ref.avg_pool_input_grad(dy, x.shape, kernel, **more), spread[i],
                                   rtol=0, atol=2 * 12 * 12 * 4 * np.finfo(float).eps)


def test_max_pool_nan_ties_and_infinite_windows() -> None:
    nan, low = np.nan, -np.inf
    x = np.array([[[1, nan, 2, 2, low, low]]])
    np.testing.assert_array_equal(ref.max_pool(x, 2), [[[nan, 2, low]]])
    dx = ref.max_pool_input_grad(np.array([[[1.0, 2.0, 3.0]]]), x, 2)
    np.testing.assert_array_equal(dx, [[[0, 1, 2, 0, 3, 0]]])
    # The padding in front of -inf is no element: the gradient goes to the -inf.
    dx = ref.max_pool_input_grad(np.array([[[5.0]]]), np.array([[[low]]]), 2, padding=1)
    np.testing.assert_array_equal(dx, [[[5]]])


# Arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_memory_order_follow_the_data(dtype: Any) -> None:
    x = np.ones((2, 5, 6, 3), dtype).transpose(0, 3, 1, 2)
    w = np.ones((4, 3, 3, 3), dtype)
    y = ref.conv(x, w)
    assert y.dtype == dtype
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous
    dx = ref.conv_input_grad(y, w, x.shape)
    assert dx.transpose(0, 2, 3, 1).flags.c_contiguous
    assert ref.max_pool(x, 2).transpose(0, 2, 3, 1).flags.c_contiguous


def test_float32_is_rounded_once() -> None:
    x = np.array([[[1, 2**-24, 2**-24]]], np.float32)
    assert ref.conv(x, np.ones_like(x))[0, 0, 0] == np.float32(1 + 2**-23)


def test_out_and_accumulate() -> None:
    rng = np.random.default_rng(0)
    x, dy = integers(rng, (2, 3, 5)), integers(rng, (2, 4, 3))
    dw = ref.conv_weight_grad(x, dy, (4, 3, 3))
    out = np.ones((8, 3, 3))[::-2]
    assert ref.conv_weight_grad(x, dy, (4, 3, 3), out=out, accumulate=True) is out
    np.testing.assert_array_equal(out, dw + 1)
    square = integers(rng, (1, 1, 4))
    want = ref.conv(square, ones(1, 1, 1), padding=0)
    assert ref.conv(square, ones(1, 1, 1), out=square) is square  # overlap, as if copied first
    np.testing.assert_array_equal(square, want)


def test_keywords_of_the_compiled_verbs_are_taken() -> None:
    x, w = ones(1, 2, 4), ones(3, 2, 2)
    y = ref.conv(x, w, algorithm="winograd", n_threads=2)
    assert (y == 4).all()
    assert ref.conv_input_grad(y, w, x.shape, algorithm="fast", n_threads=1).shape == x.shape
    assert ref.max_pool(x, 2, n_threads=1).shape == (1, 2, 2)


def test_inputs_are_not_modified() -> None:
    x, w, dy = ones(2, 2, 5), ones(3, 2, 3), ones(2, 3, 3)
    for a in (x, w, dy):
        a.flags.writeable = False
    ref.conv(x, w, ones(3))
    ref.conv_input_grad(dy, w, x.shape)
    ref.conv_weight_grad(x, dy, w.shape)
    ref.max_pool_input_grad(ref.max_pool(x, 2), x, 2)


def test_nan_and_inf_reach_their_receptive_field_only() -> None:
    x, w = np.zeros((1, 2, 7, 7)), ones(3, 2, 3, 3)
    x[0, 1, 2, 3] = np.nan
    y = ref.conv(x, w, padding=1)
    field = np.zeros(y.shape, bool)
    field[:, :, 1:4, 2:5] = True
    np.testing.assert_array_equal(np.isnan(y), field)
    x[0, 1, 2, 3], w[...] = np.inf, 0
    np.testing.assert_array_equal(np.isnan(ref.conv(x, w, padding=1)), field)  # 0 * Inf


def test_zeros_of_the_padding_take_part_in_the_forward_only() -> None:
    w = np.array([[[np.inf, 0.0, 0.0]]])
    y = ref.conv(ones(1, 1, 3), w, padding=1)
    np.testing.assert_array_equal(y, [[[np.nan, np.inf, np.inf]]])
    dx = ref.conv_input_grad(ones(1, 1, 3), w, (1, 1, 3), padding=1)
    np.testing.assert_array_equal(dx, [[[np.inf, np.inf, 0]]])


@pytest.mark.parametrize("shape", [(0, 2, 5), (2, 0, 5)])
def test_empty(shape: Any) -> None:
    w = ones(3, shape[1], 3)
    y = ref.conv(np.zeros(shape), w, ones(3))
    assert y.shape == (shape[0], 3, 3)
    assert (y == 1).all()
    assert (ref.conv_weight_grad(np.zeros(shape), y, w.shape) == 0).all()
    assert ref.conv_input_grad(y, w, shape).shape == shape


# Errors


X, W, Y = np.zeros((2, 4, 9, 9)), np.zeros((8, 4, 3, 3)), np.zeros((2, 8, 7, 7))


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: ref.conv(X, W[:, :3]), ValueError, r"conv: w has 3 input .*\(8, 3, 3, 3\).* x has 4"),
    (lambda: ref.conv(X.astype(int), W), TypeError, "conv: x must be float32 or float64, got int"),
    (lambda: ref.conv(X, W.astype(np.float32)), TypeError,
     "conv: w must have the dtype of x, float64, got float32"),
    (lambda: ref.conv(X, W, np.zeros(7)), ValueError, r"conv: b must have shape \(8,\).*\(7,\)"),
    (lambda: ref.conv(X, W, out=Y[:1]), ValueError, r"out must have shape \(2, 8, 7, 7\)"),
    (lambda: ref.conv(X, W, out=Y.astype(np.float32)), TypeError,
     "out must be an array of float64, got float32"),
    (lambda: ref.conv(X, W, out=np.broadcast_to(0.0, Y.shape)), ValueError,
     "out must be writeable"),
    (lambda: ref.conv(X, W, strides=2), TypeError, "strides"),  # type: ignore[call-arg]
    (lambda: ref.conv_input_grad(Y[:, :, 1:], W, X.shape), ValueError,
     r"conv_input_grad: dy must have shape \(2, 8, 7, 7\) for x_shape = .*got dy.shape"),
    (lambda: ref.conv_weight_grad(X, Y, W.shape, accumulate=True), ValueError,
     "accumulate=True adds into out, got out=None"),
    (lambda: ref.local_conv(X, W[None, None]), ValueError, "one filter per output position"),
    (lambda: ref.dense(X, W), ValueError, r"w must be \(O, 4, 9, 9\) or \(O, 324\)"),
    (lambda: ref.conv_transpose(X, W), ValueError, "w must lead with the 4 channels of x"),
    (lambda: ref.conv_transpose(Y, W, stride=2, output_padding=2), ValueError,
     "output_padding must be less than stride or dilation"),
    (lambda: ref.conv_transpose(Y, W, stride=2, output_padding=1, padding="same"), ValueError,
     "output_padding must be 0"),
    (lambda: ref.conv_transpose(Y, W, padding=5), ValueError, r"spatial size \(-1, -1\)"),
    (lambda: ref.bias_grad(Y, (2, 8)), ValueError, r"b_shape must be \(O,\) or"),
    (lambda: ref.max_pool(X, 3, padding=2), ValueError, "padding must be at most half"),
    (lambda: ref.avg_pool(X, 10), ValueError, "avg_pool: the kernel reaches over 10"),
])
def test_errors(call: Any, error: Any, words: Any) -> None:
    with pytest.raises(error, match=words):
        call()
