"""Weights of other systems, against their definitions written out in loops."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import sweepconv as sc
from sweepconv import compat

Array = npt.NDArray[Any]
FORMATS = ("channels_last", "channels_first")
# Size of the image, of the kernel, stride.
SHAPES = [((7,), (3,), (2,)), ((6, 5), (3, 2), (1, 2))]


def keras_local(x: Array, kernel: Array, bias: Array, size: tuple[int, ...],
                stride: tuple[int, ...], data_format: str) -> Array:
    """Keras 2's LocallyConnected1D and 2D, implementation 1; x and y in its data format.

    Each patch is flattened as it lies in x, and has a matrix of its own; positions in C order.
    """
    out, first = bias.shape[:-1], data_format == "channels_first"
    y = np.zeros((*out, len(x), kernel.shape[-1]))
    for number, p in enumerate(itertools.product(*map(range, out))):
        box = [slice(i * s, i * s + k) for i, s, k in zip(p, stride, size, strict=True)]
        patch = x[(slice(None), *([slice(None)] if first else []), *box)]
        y[p] = patch.reshape(len(x), -1) @ kernel[number]
    places = list(range(len(out)))
    n, o = len(out), len(out) + 1
    if first:  # and Keras reshapes the bias, it does not transpose it
        return y.transpose(n, o, *places) + bias.reshape(1, -1, *out)
    return y.transpose(n, *places, o) + bias


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize(("image", "size", "stride"), SHAPES, ids=str)
def test_local_kernels_of_keras(image: tuple[int, ...], size: tuple[int, ...],
                                stride: tuple[int, ...], data_format: str) -> None:
    rng = np.random.default_rng(0)
    out = tuple((n - k) // s + 1 for n, k, s in zip(image, size, stride, strict=True))
    kernel = rng.standard_normal((math.prod(out), math.prod(size) * 3, 4))
    bias = rng.standard_normal((*out, 4))
    x = rng.standard_normal((2, 3, *image))
    last = data_format == "channels_last"
    theirs = keras_local(np.moveaxis(x, 1, -1) if last else x, kernel, bias, size, stride,
                         data_format)
    w, b = compat.from_keras_local(kernel, bias, in_channels=3, kernel_size=size, out_size=out,
                                   data_format=data_format)
    assert b is not None
    y = sc.local_conv(x, w, b, stride=stride)
    np.testing.assert_allclose(np.moveaxis(y, 1, -1) if last else y, theirs, atol=1e-12)
    assert np.shares_memory(w, kernel)
    assert np.shares_memory(b, bias)
    kernel_again, bias_again = compat.to_keras_local(w, b, data_format=data_format)
    assert bias_again is not None
    assert np.shares_memory(kernel_again, kernel)
    assert np.shares_memory(bias_again, bias)
    assert np.array_equal(kernel_again, kernel)
    assert np.array_equal(bias_again, bias)


@pytest.mark.parametrize("data_format", FORMATS)
def test_to_keras_from_weights_of_ours(data_format: str) -> None:
    w = np.arange(2 * 3 * 4 * 5 * 2 * 3).reshape(2, 3, 4, 5, 2, 3)
    b = np.arange(24).reshape(2, 3, 4)
    kernel, bias = compat.to_keras_local(w, b, data_format=data_format)
    again = compat.from_keras_local(kernel, bias, in_channels=5, kernel_size=(2, 3),
                                    out_size=(2, 3), data_format=data_format)
    assert again[1] is not None
    assert np.array_equal(again[0], w)
    assert np.array_equal(again[1], b)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_local_kernels_of_jax_and_back(rank: int) -> None:
    out, size = (2, 3, 4)[:rank], (3, 1, 2)[:rank]
    kernel = np.random.default_rng(0).random((*out, 5 * math.prod(size), 6))
    bias = np.ones((*out, 6))
    w, b = compat.from_jax_local(kernel, bias, in_channels=5, kernel_size=size)
    assert w.shape == (*out, 6, 5, *size)
    assert b is bias
    # The channel is the outermost axis of a flattened patch.
    assert w[(0,) * rank][2, 1].ravel().tolist() == \
        kernel[(0,) * rank][math.prod(size):2 * math.prod(size), 2].tolist()
    again, _ = compat.to_jax_local(w, b)
    assert np.shares_memory(again, kernel)
    assert np.array_equal(again, kernel)
    assert compat.to_jax_local(np.ascontiguousarray(w))[0].shape == kernel.shape


def test_shared_kernels_and_back() -> None:
    kernel = np.arange(120).reshape(5, 3, 2, 4)
    w = compat.from_hwio(kernel)
    assert w.shape == (4, 2, 5, 3)
    assert w[1, 0, 4, 2] == kernel[4, 2, 0, 1]
    assert compat.to_hwio(w).strides == kernel.strides
    assert np.shares_memory(w, kernel)


LAYER: dict[str, Any] = {"in_channels": 3, "kernel_size": (3, 3), "out_size": (6, 6)}


@pytest.mark.parametrize(("call", "message"), [
    (lambda: compat.from_hwio(np.ones((3, 2))), r"from_hwio: kernel must be .*\(3, 2\)"),
    (lambda: compat.to_hwio(np.ones(3)), r"to_hwio: w must be .*w.shape = \(3,\)"),
    (lambda: compat.from_keras_local(np.ones((35, 27, 8)), **LAYER),
     r"kernel must have shape \(36, 27, O\) here, got kernel.shape = \(35, 27, 8\)"),
    (lambda: compat.from_keras_local(np.ones((36, 27, 8)), np.ones(8), **LAYER),
     r"bias must have shape \(6, 6, 8\) here, got bias.shape = \(8,\)"),
    (lambda: compat.from_keras_local(np.ones((36, 27, 8)), **LAYER, data_format="NHWC"),
     "data_format must be 'channels_last' or 'channels_first', got 'NHWC'"),
    (lambda: compat.from_keras_local(np.ones((36, 27, 8)), **LAYER | {"out_size": ()}),
     "out_size must have one int for each"),
    (lambda: compat.from_keras_local(np.ones((36, 27, 8)), **LAYER | {"kernel_size": (3,)}),
     r"kernel_size must be an int or 2 ints.*\(3,\)"),
    (lambda: compat.from_jax_local(np.ones((6, 6, 26, 8)), in_channels=3, kernel_size=3),
     r"kernel must have shape \(6, 6, 27, 8\) here, got kernel.shape = \(6, 6, 26, 8\)"),
    (lambda: compat.from_jax_local(np.ones((6, 8)), in_channels=3, kernel_size=3),
     r"kernel must be \(\*out, C \* prod\(kernel\), O\)"),
    (lambda: compat.to_jax_local(np.ones((6, 6, 8))), r"w must be \(\*out, O, C, \*kernel\)"),
    (lambda: compat.to_keras_local(np.ones((6, 8, 3, 3)), np.ones((8, 6))),
     r"b must have shape \(6, 8\) here, got b.shape = \(8, 6\)"),
])
def test_errors_show_the_shapes(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
