"""The smallest proof that an installed wheel works; needs NumPy and pytest alone.

All fills are small integers, so that every sum is exact and results are compared with ==.
"""

import itertools
from typing import Any

import numpy as np
import pytest

import sweepconv as sc

Array = np.ndarray[Any, np.dtype[Any]]
DTYPES = [np.float32, np.float64]
X, W = (2, 4, 7, 6), (6, 2, 3, 2)  # groups = 2
KEYWORDS: dict[str, Any] = {"stride": (2, 1), "padding": ((1, 2), (0, 1)), "dilation": (1, 2),
                            "groups": 2}


def integers(shape: tuple[int, ...], dtype: Any, seed: int) -> Array:
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def plain_loop(x: Array, w: Array, b: Array) -> Array:
    """The equation of the library, term by term."""
    (sh, sw), ((top, bottom), (left, right)), (dh, dw) = (
        KEYWORDS["stride"], KEYWORDS["padding"], KEYWORDS["dilation"])
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    filters, taken, kh, kw = w.shape
    oh = (x.shape[2] - (kh - 1) * dh - 1) // sh + 1
    ow = (x.shape[3] - (kw - 1) * dw - 1) // sw + 1
    y = np.zeros((len(x), filters, oh, ow), x.dtype)
    for n, o, i, j in itertools.product(*map(range, y.shape)):
        first = o // (filters // KEYWORDS["groups"]) * taken
        y[n, o, i, j] = b[o] + sum(
            w[o, c, s, t] * x[n, first + c, i * sh + s * dh, j * sw + t * dw]
            for c, s, t in itertools.product(range(taken), range(kh), range(kw)))
    return y


def test_the_configuration_can_be_shown() -> None:
    sc.show_config()


@pytest.mark.parametrize("dtype", DTYPES)
def test_conv_equals_the_plain_loop(dtype: Any) -> None:
    x, w, b = integers(X, dtype, 0), integers(W, dtype, 1), integers(W[:1], dtype, 2)
    y = sc.conv(x, w, b, **KEYWORDS)
    assert y.dtype == dtype
    assert np.array_equal(y, plain_loop(x, w, b))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradients_are_adjoint_to_conv(dtype: Any) -> None:
    x, w = integers(X, dtype, 0), integers(W, dtype, 1)
    y = sc.conv(x, w, **KEYWORDS)
    dy = integers(y.shape, dtype, 3)
    dx = sc.conv_input_grad(dy, w, x.shape, **KEYWORDS)
    dw = sc.conv_weight_grad(x, dy, w.shape, **KEYWORDS)
    assert dx.shape == x.shape
    assert dw.shape == w.shape
    assert np.vdot(y, dy) == np.vdot(x, dx) == np.vdot(w, dw) != 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_families_meet(dtype: Any) -> None:
    """A bank whose filters are all alike is a convolution, whichever family it belongs to."""
    x, w = integers(X, dtype, 0), integers(W, dtype, 1)
    y = sc.conv(x, w, **KEYWORDS)
    local = np.broadcast_to(w, (*y.shape[2:], *W))
    tiled = np.broadcast_to(w, (2, 3, *W))
    assert np.array_equal(sc.local_conv(x, local, **KEYWORDS), y)
    assert np.array_equal(sc.tiled_conv(x, tiled, **KEYWORDS), y)
    flat = x.reshape(len(x), -1)
    dense = integers((5, flat.shape[1]), dtype, 4)
    assert np.array_equal(sc.dense(flat, dense), flat @ dense.T)


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_threads_give_the_bits_of_one(dtype: Any) -> None:
    """Random fills here: rounding shows any change in the order of summation."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 16, 40, 40)).astype(dtype)
    w = rng.standard_normal((16, 16, 3, 3)).astype(dtype)
    dy = rng.standard_normal((4, 16, 40, 40)).astype(dtype)
    one, two = (
        (sc.conv(x, w, padding=1, n_threads=n),
         sc.conv_input_grad(dy, w, x.shape, padding=1, n_threads=n),
         sc.conv_weight_grad(x, dy, w.shape, padding=1, n_threads=n))
        for n in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert a.tobytes() == b.tobytes()
