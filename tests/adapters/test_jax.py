"""The functions of `sweepconv.jax`, and converters of weights, against JAX itself."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from support import PREFIX

import sweepconv as sc
import sweepconv.jax as scj
from sweepconv import compat
from sweepconv.testing import Case, conv_cases

SIZES = [((9,), (3,)), ((7, 6), (3, 2)), ((5, 4, 4), (2, 3, 2))]  # of the image, of the kernel
CASES = [
    Case((2, 2, 6), (4, 1, 3), stride=2, padding=1, groups=2, bias=True),
    Case((2, 2, 4, 5), (3, 2, 2, 2), padding="same", dilation=2, padding_mode="circular"),
    Case((1, 2, 4, 3), (2, 3, 2, 2, 2, 2), padding=1, padding_mode="reflect", family="tiled",
         bias=True),
    Case((2, 2, 4, 5), (2, 3, 3, 2, 3, 2), stride=(2, 1), padding=((1, 0), (0, -1)), family="local",
         bias=True),
    Case((1, 1, 3, 2, 3), (2, 2, 2, 2, 1, 2, 1, 2), family="local"),
]
EVERY = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture
def double() -> Iterator[None]:
    """float64, which JAX has only on demand."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def operands(case: Case) -> list[Any]:
    shapes = {"x": case.x_shape, "w": case.w_shape, **({"b": case.b_shape} if case.bias else {})}
    return [case.array(name, shape, "real") for name, shape in shapes.items()]


def function(case: Case) -> Callable[..., Any]:
    return lambda *a: getattr(scj, PREFIX[case.family])(*a, **case.keywords)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("case", conv_cases("smoke")[::3], ids=str)
def test_the_values_are_those_of_the_verbs(case: Case) -> None:
    x, w, *b = operands(case)
    y = function(case)(x, w, *b)
    assert y.dtype == x.dtype
    expected = getattr(sc, PREFIX[case.family])(x, w, **case.keywords)
    if b:
        places = np.ix_(*(np.arange(n) % p for n, p in zip(y.shape[2:], b[0].shape, strict=False)))
        expected += (np.moveaxis(b[0][places], -1, 0) if b[0].ndim > 1
                     else b[0].reshape(-1, *(1,) * (x.ndim - 2)))
    assert np.array_equal(y, expected)


@pytest.mark.usefixtures("double")
@EVERY
def test_gradients_of_first_and_second_order(case: Case) -> None:
    check_grads(function(case), operands(case), order=2, modes=["rev"])


@EVERY
def test_compiled_it_gives_the_same(case: Case) -> None:
    values = [a.astype(np.float32) for a in operands(case)]
    found = jax.jit(jax.value_and_grad(lambda *a: (function(case)(*a) ** 2).sum()))(*values)
    expected = jax.value_and_grad(lambda *a: (function(case)(*a) ** 2).sum())(*values)
    jax.tree.map(lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-5), found, expected)


@pytest.mark.parametrize(("size", "kernel"), SIZES, ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_it_is_jax_s_convolution(size: tuple[int, ...], kernel: tuple[int, ...],
                                 groups: int) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.random((2, 4, *size), np.float32), rng.random((6, 4 // groups, *kernel), np.float32)
    pads = [(1, 0)] * len(size)
    expected = jax.lax.conv_general_dilated(x, w, (2,) * len(size), pads,
                                            feature_group_count=groups)
    np.testing.assert_allclose(scj.conv(x, w, stride=2, padding=pads, groups=groups), expected,
                               rtol=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
def test_low_rank_local_is_local_conv_with_the_assembled_bank(groups: int) -> None:
    rng = np.random.default_rng(0)
    x, w, mix, b = (rng.random(shape, np.float32) for shape in (
        (2, 4, 6, 5), (3, 6, 4 // groups, 3, 2), (3, 4, 3), (6,)))
    bank = jnp.einsum("pqr,rockl->pqockl", mix, w)
    keywords: Any = {"stride": (2, 1), "padding": (1, 0), "groups": groups}
    np.testing.assert_allclose(scj.low_rank_local(x, w, mix, b, **keywords),
                               scj.local_conv(x, bank, jnp.broadcast_to(b, (3, 4, 6)), **keywords),
                               rtol=1e-5)


def test_mapped_over_an_axis() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.random((3, 4, 6), np.float32), rng.random((5, 4, 3), np.float32)
    each = jax.vmap(jax.grad(lambda w, a: (scj.conv(a[None], w) ** 2).sum()), (None, 0))(w, x)
    whole = jax.grad(lambda w: (scj.conv(x, w) ** 2).sum())(w)
    np.testing.assert_allclose(each.sum(0), whole, rtol=1e-5)


def test_a_large_layer_in_compiled_code() -> None:
    # Many calls, each with arrays that JAX keeps on other threads meanwhile.
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.random((32, 8, 24, 24), np.float32))
    w = jnp.asarray(rng.random((11, 11, 16, 8, 3, 3), np.float32))
    step = jax.jit(lambda x, w: w - 1e-6 * jax.grad(
        lambda w: (scj.local_conv(x, w, stride=2) ** 2).sum())(w))
    for _ in range(10):
        w = step(x, w)
    assert np.isfinite(w).all()


X, W = np.ones((1, 4, 6, 6), np.float32), np.ones((3, 4, 3, 3), np.float32)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: scj.conv(X.astype(np.float16), W), TypeError, "conv: x must be float32 or float64"),
    (lambda: scj.conv(X, W.astype(np.int32)), TypeError, "conv: w must be float32.*got int32"),
    (lambda: scj.conv(X, W[:, :3]), ValueError, r"w has 3 input channels \(w.shape = \(3, 3, 3, 3"),
    (lambda: jax.jit(scj.conv)(X, W[:, :3]), ValueError, "w has 3 input channels"),
    (lambda: scj.conv(X, W, np.ones(4, np.float32)), ValueError, r"b must have shape \(3,\)"),
    (lambda: scj.local_conv(X, np.ones((2, 2, *W.shape), np.float32)), ValueError,
     r"w.shape must start with \(4, 4\)"),
    (lambda: scj.low_rank_local(X, W, W), ValueError, r"low_rank_local: w must be \(R, O"),
    (lambda: scj.low_rank_local(X, W[None], np.ones((3, 3, 1), np.float32)), ValueError,
     r"mix must be \(\*out, R\) with out = \(4, 4\), got mix.shape = \(3, 3, 1\)"),
])
def test_errors_name_the_argument(call: Callable[[], Any], error: type[Exception],
                                  message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("size", "kernel"), SIZES, ids=str)
def test_local_kernels_of_jax_and_flax(size: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    out = [(n - k) // 2 + 1 for n, k in zip(size, kernel, strict=True)]
    x = rng.random((2, 3, *size), np.float32)
    theirs = rng.random((*out, 3 * math.prod(kernel), 4), np.float32)
    axes = "DHW"[-len(size):]
    y = jax.lax.conv_general_dilated_local(
        np.moveaxis(x, 1, -1), theirs, (2,) * len(size), "VALID", kernel,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"))
    w, _ = compat.from_jax_local(theirs, in_channels=3, kernel_size=kernel)
    np.testing.assert_allclose(sc.local_conv(x, w, stride=2), np.moveaxis(y, -1, 1), rtol=1e-5)


@pytest.mark.parametrize(("size", "kernel"), SIZES, ids=str)
def test_shared_kernels_of_jax_and_keras(size: tuple[int, ...], kernel: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, theirs = rng.random((2, 3, *size), np.float32), rng.random((*kernel, 3, 4), np.float32)
    axes = "DHW"[-len(size):]
    y = jax.lax.conv_general_dilated(
        np.moveaxis(x, 1, -1), theirs, (1,) * len(size), "SAME",
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"))
    np.testing.assert_allclose(sc.conv(x, compat.from_hwio(theirs), padding="same"),
                               np.moveaxis(y, -1, 1), rtol=1e-5)
