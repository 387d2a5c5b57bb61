"""Every layer against central differences, the families against each other, training, files."""

import math
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sweepconv import layers
from sweepconv.layers import (
    SGD,
    Adadelta,
    Adam,
    AvgPool,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    L2Pool,
    Layer,
    LocalConv,
    MaxPool,
    ReLU,
    Residual,
    Sequential,
    TiledConv,
    load,
    save,
    softmax_cross_entropy,
)

Array = npt.NDArray[Any]
F64: dict[str, Any] = {"dtype": np.float64, "rng": 0}

# layer, shape of one input
WEIGHTED: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "dense": (lambda: Dense(7, 3, **F64), (7,)),
    "dense on a map": (lambda: Dense((2, 3, 4), 3, bias=False, **F64), (2, 3, 4)),
    "conv 1-D": (lambda: Conv(2, 3, (3,), stride=2, padding="same", **F64), (2, 7)),
    "conv": (lambda: Conv(4, 6, 3, stride=(2, 1), padding=((1, 2), (0, 1)), dilation=(1, 2),
                          groups=2, padding_mode="circular", **F64), (4, 6, 7)),
    "conv 3-D": (lambda: Conv(1, 2, (2, 1, 2), bias=False, **F64), (1, 3, 2, 3)),
    "tiled": (lambda: TiledConv(2, 3, 3, period=(2, 3), padding=1, **F64), (2, 5, 6)),
    "local": (lambda: LocalConv(4, 2, (3, 2), input_size=(5, 4), groups=2, stride=(1, 2), **F64),
              (4, 5, 4)),
    "transpose": (lambda: ConvTranspose(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2,
                                        **F64), (4, 3, 4)),
    "transpose 1-D": (lambda: ConvTranspose(2, 3, (4,), stride=3, dilation=2, bias=False, **F64),
                      (2, 4)),
}
PLAIN: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "max pool": (lambda: MaxPool(3, stride=2, padding=1), (2, 6, 5)),
    "avg pool": (lambda: AvgPool((2, 3), padding=1, count_include_pad=False), (2, 6, 5)),
    "global max": (GlobalMaxPool, (3, 4, 5)),
    "global mean": (GlobalAvgPool, (3, 4, 5)),
    "l2 pool": (lambda: L2Pool((2, 3), stride=(1, 2)), (2, 6, 5)),
    "residual": (lambda: Residual(Conv(2, 2, 3, padding=1, rng=1, dtype=np.float64), ReLU()),
                 (2, 4, 5)),
    "relu": (ReLU, (2, 3)),
    "flatten": (Flatten, (2, 3, 4)),
    "sequential": (lambda: Sequential(
        Conv(1, 3, 3, **F64), ReLU(), MaxPool(2), TiledConv(3, 4, 2, period=2, **F64), ReLU(),
        Sequential(Flatten(), Dense(16, 5, **F64))), (1, 8, 8)),
}
ALL = WEIGHTED | PLAIN


def normal(shape: tuple[int, ...], seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def bits(arrays: dict[str, Array]) -> dict[str, bytes]:
    return {name: a.tobytes() for name, a in arrays.items()}


def small_net(dtype: Any = np.float32, rng: int = 0) -> Sequential:
    seeds = np.random.default_rng(rng)
    return Sequential(Conv(1, 4, 3, padding=1, dtype=dtype, rng=seeds), ReLU(), MaxPool(2),
                      Flatten(), Dense(4 * 3 * 3, 2, dtype=dtype, rng=seeds))


# Gradients


@pytest.mark.parametrize("name", ALL)
def test_gradients_by_central_differences(name: str) -> None:
    build, in_shape = ALL[name]
    layer, x = build(), normal((2, *in_shape))
    y = layer(x)
    dy = normal(y.shape, seed=2)
    dx = layer.backward(dy)
    assert dx.shape == x.shape
    assert set(layer.grads) == set(layer.params)
    gradients = {**layer.grads, "x": dx}
    for seed, (key, array) in enumerate({**layer.params, "x": x}.items()):
        step = 1e-6 * normal(array.shape, seed)
        centre = array.copy()
        np.copyto(array, centre + step)
        difference = np.vdot(layer(x), dy)
        np.copyto(array, centre - step)
        difference -= np.vdot(layer(x), dy)
        np.copyto(array, centre)
        scale = np.abs(gradients[key]).sum() * 1e-6
        assert abs(difference / 2 - np.vdot(gradients[key], step)) <= 1e-7 * scale, key


@pytest.mark.parametrize("name", WEIGHTED)
def test_forward_and_input_gradient_are_adjoint(name: str) -> None:
    build, in_shape = WEIGHTED[name]
    layer, x = build(), normal((3, *in_shape))
    if "b" in layer.params:
        layer.params["b"][...] = 0
    y = layer(x)
    dy = normal(y.shape, seed=2)
    dx = layer.backward(dy)
    expected = pytest.approx(np.vdot(y, dy), rel=1e-12, abs=1e-12)
    assert np.vdot(x, dx) == expected
    assert np.vdot(layer.params["w"], layer.grads["w"]) == expected


@pytest.mark.parametrize("name", ALL)
def test_channels_last_gives_the_same(name: str) -> None:
    build, in_shape = ALL[name]
    layer, x = build(), normal((2, *in_shape))
    y = layer(x)
    dy = normal(y.shape, seed=2)
    dx, grads = layer.backward(dy), layer.grads
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    np.testing.assert_allclose(layer(last), y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(layer.backward(dy), dx, rtol=1e-12, atol=1e-12)
    for key, g in layer.grads.items():
        np.testing.assert_allclose(g, grads[key], rtol=1e-12, atol=1e-12)


def test_backward_overwrites_the_gradients() -> None:
    layer = Conv(1, 2, 3, **F64)
    y = layer(normal((2, 1, 5, 5)))
    layer.backward(np.ones_like(y))
    first = bits(layer.grads)
    layer.backward(np.ones_like(y))
    assert bits(layer.grads) == first


def test_training_can_leave_out_the_gradient_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = small_net(), normal((2, 1, 6, 6)).astype(np.float32)
    dy = np.ones_like(net(x))
    assert net.backward(dy) is not None
    expected = bits(net.grads)

    def not_wanted(*_: Any, **__: Any) -> Array:
        raise AssertionError("the input gradient of the first layer was computed")

    forward, _, weight_grad = Conv.verbs
    monkeypatch.setattr(Conv, "verbs", (forward, not_wanted, weight_grad))
    assert net.backward(dy, input_grad=False) is None
    assert bits(net.grads) == expected


def test_relu_of_zero_nan_and_minus_zero() -> None:
    relu = ReLU()
    x = np.array([[-1.0, -0.0, 0.0, 2.0, np.nan, -np.inf]], np.float32)
    y = relu(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [[0, 0, 0, 2, np.nan, 0]])
    assert not np.signbit(y[0, :4]).any()
    dx = relu.backward(np.full_like(x, 3))
    np.testing.assert_array_equal(dx, [[0, 0, 0, 3, 3, 0]])


# Shapes, counts, sharing


@pytest.mark.parametrize("name", ALL)
def test_out_shape_is_the_shape_and_forgets_nothing(name: str) -> None:
    build, in_shape = ALL[name]
    layer, x = build(), normal((2, *in_shape))
    y = layer(x)
    dx = layer.backward(np.ones_like(y))
    assert layer.out_shape(in_shape) == y.shape[1:]
    np.testing.assert_array_equal(layer.backward(np.ones_like(y)), dx)


def test_weights_have_the_shapes_of_the_contract() -> None:
    shapes = {
        Dense(5, 2): ((2, 5), (2,)),
        Dense((3, 4, 4), 2): ((2, 3, 4, 4), (2,)),
        Conv(4, 6, (3, 2), groups=2): ((6, 2, 3, 2), (6,)),
        TiledConv(4, 6, 3, period=(2, 5)): ((2, 5, 6, 4, 3, 3), (2, 5, 6)),
        LocalConv(4, 6, 3, input_size=(5, 6), stride=2): ((2, 2, 6, 4, 3, 3), (2, 2, 6)),
        ConvTranspose(4, 6, 3, groups=2): ((4, 3, 3, 3), (6,)),
    }
    for layer, (w, b) in shapes.items():
        assert (layer.params["w"].shape, layer.params["b"].shape) == (w, b)
        assert {p.dtype for p in layer.params.values()} == {np.dtype(np.float32)}
        assert layer.n_params == math.prod(w) + math.prod(b)


def test_an_int_kernel_size_has_two_axes_unless_another_argument_tells() -> None:
    ranks = [(Conv(1, 1, 3), 2), (Conv(1, 1, (3,)), 1), (Conv(1, 1, 3, stride=(2,)), 1),
             (Conv(1, 1, 3, padding=((1, 0),) * 3), 3), (Conv(1, 1, 3, padding="same"), 2),
             (TiledConv(1, 1, 3, period=2), 2), (TiledConv(1, 1, 3, period=(2,)), 1),
             (LocalConv(1, 1, 3, input_size=(4, 4, 4)), 3), (LocalConv(1, 1, 3, input_size=4), 2)]
    for layer, rank in ranks:
        assert len(layer.params["w"].shape[len(layer.bank) :]) == 2 + rank, layer


@pytest.mark.parametrize("layer, in_shape", [
    (Dense((2, 3), 4, **F64), (2, 3)),
    (Conv(4, 2, 3, groups=2, stride=2, **F64), (4, 7, 8)),
    (TiledConv(1, 2, 2, period=2, **F64), (1, 6, 4)),  # 5 x 3 outputs: 3 x 2 share at most
    (LocalConv(2, 3, 2, input_size=(4, 3), **F64), (2, 4, 3)),
    (ConvTranspose(2, 3, 3, stride=2, **F64), (2, 3, 4)),
])
def test_counts_are_those_of_the_weight_gradient_of_ones(layer: Any, in_shape: Any) -> None:
    """With x = dy = 1 the gradient of a weight is the number of products it takes part in."""
    y = layer(np.ones((1, *in_shape)))
    layer.backward(np.ones_like(y))
    assert layer.multiply_adds(in_shape) == layer.grads["w"].sum()
    assert layer.uses_per_param(in_shape) == layer.grads["w"].max()


def test_taps_on_padding_are_counted() -> None:
    layer = Conv(2, 3, 3, padding=1)
    assert layer.multiply_adds((2, 6, 6)) == 36 * 3 * 2 * 9
    assert Sequential(layer, ReLU(), GlobalMaxPool(), Dense(3, 7)).multiply_adds((2, 6, 6)) == (
        36 * 3 * 2 * 9 + 3 * 7)


@pytest.mark.parametrize("steps, total", [(20, 5_489), (240, 19_569)])
def test_published_parameter_counts(steps: int, total: int) -> None:
    """C. Ranjan's rare-event network, as a sequence and as an image (SCIENCE: counts)."""
    pooled = (steps - 3) // 4
    ends = [Dense(16 * pooled, 16), ReLU(), Dense(16, 1)]
    sequence = Sequential(Conv(69, 16, (4,)), MaxPool(4), Flatten(), *ends)
    assert sequence.params["0.w"].size + sequence.params["0.b"].size == 4_432
    assert (sequence.n_params, sequence.out_shape((69, steps))) == (total, (1,))
    image = Sequential(Conv(1, 16, (4, 69)), MaxPool((4, 1)), Flatten(), *ends)
    assert (image.n_params, image.out_shape((1, steps, 69))) == (total, (1,))


def test_local_layer_of_the_published_size() -> None:
    layer = LocalConv(3, 64, 3, input_size=(32, 32))
    assert (layer.params["w"].size, layer.params["b"].size) == (1_555_200, 57_600)


def test_the_families_are_one_equation() -> None:
    """Equal filters in the bank: period 1, any period and one filter per position are conv."""
    x, keywords = normal((2, 4, 5, 6)), {"padding": 1, "groups": 2, **F64}
    shared = Conv(4, 2, 3, **keywords)
    for layer in (TiledConv(4, 2, 3, period=1, **keywords),
                  TiledConv(4, 2, 3, period=(3, 2), **keywords),
                  LocalConv(4, 2, 3, input_size=(5, 6), **keywords)):
        for key in "wb":
            layer.params[key][...] = shared.params[key]
        y, dy = shared(x), normal((2, 2, 5, 6), seed=2)
        np.testing.assert_allclose(layer(x), y, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(layer.backward(dy), shared.backward(dy), rtol=1e-12, atol=1e-12)
        for key in "wb":  # the gradient of what is shared is the sum over those who share it
            np.testing.assert_allclose(layer.grads[key].sum(axis=(0, 1)), shared.grads[key],
                                       rtol=1e-12, atol=1e-12)


def test_dense_is_conv_with_a_kernel_as_big_as_the_image() -> None:
    x, strong, swept = normal((2, 3, 4, 5)), Dense((3, 4, 5), 6, **F64), Conv(3, 6, (4, 5), **F64)
    assert bits(strong.params) == bits(swept.params)
    np.testing.assert_allclose(strong(x), swept(x)[..., 0, 0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("extra", [0, 1])
def test_conv_transpose_is_the_adjoint_of_conv(extra: int) -> None:
    keywords = {"stride": 2, "padding": 1, "bias": False, **F64}
    up, down = ConvTranspose(4, 6, 3, output_padding=extra, **keywords), Conv(6, 4, 3, **keywords)
    assert bits(up.params) == bits(down.params)
    x, z = normal((2, 4, 3, 5)), normal((2, 6, 5 + extra, 9 + extra), seed=2)
    assert up.out_shape(x.shape[1:]) == z.shape[1:]
    assert np.vdot(up(x), z) == pytest.approx(np.vdot(x, down(z)), rel=1e-12)


def test_flatten_is_row_major_for_any_memory_order() -> None:
    x = normal((2, 4, 5, 3)).transpose(0, 3, 1, 2)
    assert np.array_equal(Flatten()(x)[1], [v for c in x[1] for row in c for v in row])


# Initialisation


@pytest.mark.parametrize("layer, fan_in", [
    (Dense((2, 8, 8), 20, rng=0), 128),
    (Conv(8, 30, 3, groups=2, rng=0), 36),
    (TiledConv(4, 5, 3, period=4, rng=0), 36),
    (LocalConv(4, 3, 3, input_size=8, rng=0), 36),
    (ConvTranspose(10, 8, 3, groups=2, rng=0), 36),  # O/groups * 9, PyTorch's rule
])
def test_uniform_initialisation(layer: Any, fan_in: int) -> None:
    r = 1 / math.sqrt(fan_in)
    for p in layer.params.values():
        assert np.abs(p).max() <= np.float32(r)
    w = layer.params["w"]
    assert w.max() > 0.95 * r
    assert w.min() < -0.95 * r
    assert abs(w.mean()) < 5 * r / math.sqrt(3 * w.size)  # five standard errors


def test_equal_seeds_give_equal_bits() -> None:
    assert bits(Conv(2, 3, 3, rng=5).params) == bits(Conv(2, 3, 3, rng=5).params)
    assert bits(Conv(2, 3, 3, rng=5).params) != bits(Conv(2, 3, 3, rng=6).params)
    generator = np.random.default_rng(5)
    assert bits(Conv(2, 3, 3, rng=generator).params) == bits(Conv(2, 3, 3, rng=5).params)
    assert bits(Conv(2, 3, 3, rng=generator).params) != bits(Conv(2, 3, 3, rng=5).params)
    wide, narrow = Conv(2, 3, 3, dtype=np.float64, rng=5), Conv(2, 3, 3, rng=5)
    assert np.array_equal(wide.params["w"].astype(np.float32), narrow.params["w"])


# Sequential and training


def test_sequential_names_and_shares_its_layers_arrays() -> None:
    inner = Dense(3, 2, rng=0)
    net = Sequential(ReLU(), Sequential(inner))
    assert list(net.params) == ["1.0.w", "1.0.b"]
    assert net.params["1.0.w"] is inner.params["w"]
    net(np.ones((1, 3), np.float32))
    net.backward(np.ones((1, 2), np.float32))
    assert net.grads["1.0.w"] is inner.grads["w"]
    assert repr(net) == "Sequential(ReLU(), Sequential(Dense(w: (2, 3), b: (2,))))"


def test_softmax_cross_entropy() -> None:
    scores, labels = normal((4, 3)), np.array([0, 2, 2, 1])
    loss, dscores = softmax_cross_entropy(scores, labels)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-np.log(p[range(4), labels]).mean(), rel=1e-14)
    np.testing.assert_allclose(dscores, (p - np.eye(3)[labels]) / 4, rtol=1e-12, atol=1e-16)
    step = 1e-6 * normal(scores.shape, seed=2)
    difference = (softmax_cross_entropy(scores + step, labels)[0]
                  - softmax_cross_entropy(scores - step, labels)[0]) / 2
    assert difference == pytest.approx(np.vdot(dscores, step), rel=1e-6)


def test_softmax_cross_entropy_of_large_scores() -> None:
    scores = np.array([[1e4, 0.0], [0.0, 1e4]], np.float32)
    loss, dscores = softmax_cross_entropy(scores, [0, 0])
    assert loss == 5e3
    assert dscores.dtype == np.float32
    assert dscores.tolist() == [[0, 0], [-0.5, 0.5]]


def test_sgd_with_momentum_by_hand() -> None:
    params, grads = {"w": np.array([1.0])}, {"w": np.array([1.0])}
    optimiser = SGD(params, lr=0.5, momentum=0.25)
    optimiser.step(grads)  # v = 1
    assert params["w"].tolist() == [0.5]
    optimiser.step({"w": np.array([2.0])})  # v = 0.25 + 2
    assert params["w"].tolist() == [-0.625]
    optimiser.lr = 2
    optimiser.step({"w": np.array([0.0])})  # v = 0.5625
    assert params["w"].tolist() == [-1.75]
    assert grads["w"].tolist() == [1.0]


def test_sgd_without_momentum_by_hand() -> None:
    params = {"a": np.array([1.0], np.float32), "b": np.array([[4.0]], np.float32)}
    held = params["a"]
    SGD(params, 0.5).step({"b": np.array([[2.0]]), "a": np.array([-1.0], np.float32)})
    assert params["a"] is held
    assert held.dtype == np.float32
    assert (held.tolist(), params["b"].tolist()) == ([1.5], [[3.0]])


def test_adam_by_hand() -> None:
    params = {"w": np.array([1.0])}
    optimiser = Adam(params, lr=0.1, betas=(0.5, 0.75), eps=0.25)
    optimiser.step({"w": np.array([2.0])})
    # m = 1, v = 1: m / (1 - 1/2) = 2, v / (1 - 3/4) = 4
    assert params["w"][0] == pytest.approx(1 - 0.1 * 2 / (2 + 0.25), rel=1e-15)
    optimiser.step({"w": np.array([-4.0])})
    # m = 0.5 - 2, v = 0.75 + 4: m / (1 - 1/4) = -2, v / (1 - 9/16) = 76/7
    expected = 1 - 0.1 * 2 / 2.25 + 0.1 * 2 / (math.sqrt(76 / 7) + 0.25)
    assert params["w"][0] == pytest.approx(expected, rel=1e-15)


def test_adadelta_by_hand() -> None:
    params = {"w": np.array([1.0])}
    optimiser = Adadelta(params, lr=2, rho=0.5, eps=0.25, weight_decay=0.5)
    optimiser.step({"w": np.array([1.5])})
    # g = 1.5 + 0.5 * 1 = 2, v = 2, u = 0: d = 2 * sqrt(0.25) / sqrt(2.25) = 2/3
    assert params["w"][0] == pytest.approx(1 - 2 * 2 / 3, rel=1e-15)
    optimiser.step({"w": np.array([1.0])})
    # g = 1 - 1/6 = 5/6, v = 1 + 25/72, u = 2/9
    d = 5 / 6 * math.sqrt(2 / 9 + 0.25) / math.sqrt(1 + 25 / 72 + 0.25)
    assert params["w"][0] == pytest.approx(-1 / 3 - 2 * d, rel=1e-15)


def test_weight_decay_pulls_to_zero() -> None:
    params = {"w": np.array([2.0])}
    SGD(params, 0.5, weight_decay=0.1).step({"w": np.array([1.0])})
    assert params["w"][0] == pytest.approx(2 - 0.5 * (1 + 0.1 * 2), rel=1e-15)


def test_a_rate_that_changes_after_so_many_steps() -> None:
    params = {"w": np.array([0.0])}
    optimiser = SGD(params, {0: 1, 2: 0.5, 3: 0.25})
    steps = []
    for _ in range(5):
        before = params["w"].copy()
        optimiser.step({"w": np.array([-1.0])})
        steps.append(float((params["w"] - before)[0]))
    assert steps == [1, 1, 0.5, 0.25, 0.25]
    with pytest.raises(ValueError, match="SGD: lr must say the rate from step 0 on"):
        SGD(params, {5: 1})


def test_l2_pool_of_zeros_has_no_gradient() -> None:
    pool = L2Pool((2,))
    x = np.array([[[0.0, 0.0, 3.0, 4.0]]])
    assert pool(x).tolist() == [[[0, 5]]]
    dx = pool.backward(np.array([[[1.0, 1.0]]]))
    np.testing.assert_allclose(dx, [[[0, 0, 0.6, 0.8]]], rtol=1e-15)


def test_residual_keeps_the_shape() -> None:
    with pytest.raises(ValueError, match=r"Residual: .* got \(1, 3\) for x.shape = \(1, 2\)"):
        Residual(Dense(2, 3))(np.zeros((1, 2), np.float32))


OPTIMISERS: dict[str, Callable[[Layer], SGD | Adam | Adadelta]] = {
    "sgd": lambda net: SGD(net, 0.2, momentum=0.5),
    "adam": lambda net: Adam(net, 0.02),
    "adadelta": lambda net: Adadelta(net, eps=1e-3),
}


def train(optimiser_name: str) -> tuple[list[float], dict[str, bytes]]:
    """Which of two strokes is in the image, at any place?"""
    rng = np.random.default_rng(0)
    x, labels = 0.1 * rng.standard_normal((32, 1, 6, 6)), np.arange(32) % 2
    for image, label in zip(x[:, 0], labels, strict=True):
        row, column = rng.integers(0, 4, 2)
        image[row:row + 3, column:column + 3] += np.eye(3) if label else np.eye(3)[::-1]
    x = x.astype(np.float32)
    net, losses = small_net(), []
    optimiser = OPTIMISERS[optimiser_name](net)
    for _ in range(40):
        loss, dscores = softmax_cross_entropy(net(x), labels)
        net.backward(dscores, input_grad=False)
        optimiser.step()
        losses.append(loss)
    return losses, bits(net.params)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_training_lowers_the_loss_and_repeats_to_the_bit(name: str) -> None:
    losses, params = train(name)
    assert losses[0] == pytest.approx(math.log(2), abs=0.2)
    assert losses[-1] < losses[0] / 2
    assert train(name) == (losses, params)


# Files


def test_saved_and_loaded_to_the_bit(tmp_path: Path) -> None:
    net, other = small_net(rng=1), small_net(rng=2)
    net.params["0.w"].reshape(-1)[:3] = np.nan, -0.0, -np.inf
    save(net, tmp_path / "net.npz")
    assert bits(net.params) != bits(other.params)
    held = other.params["0.w"]
    load(other, os.fspath(tmp_path / "net.npz"))
    assert bits(net.params) == bits(other.params)
    assert other.params["0.w"] is held
    with np.load(tmp_path / "net.npz") as archive:
        assert bits(dict(archive)) == bits(net.params)
    save(other, tmp_path / "again.npz")
    assert (tmp_path / "net.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_files_of_numpy_can_be_loaded(tmp_path: Path) -> None:
    net, other = small_net(rng=1), small_net(rng=2)
    np.savez_compressed(tmp_path / "net.npz", **net.params)  # type: ignore[arg-type]
    load(other, tmp_path / "net.npz")
    assert bits(net.params) == bits(other.params)


def test_a_failed_save_leaves_the_old_file_alone(tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.npz"
    save(small_net(rng=1), path)
    before = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="no space left"):
        save(small_net(rng=2), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def foreign_files(folder: Path) -> dict[str, Callable[[Path], None]]:
    """Writers of files that hold something else than the parameters of `Dense(3, 2)`."""
    w, b = np.zeros((2, 3), np.float32), np.zeros(2, np.float32)
    evil: Any = np.array([Hostile(folder / "executed"), None], dtype=object)

    def arrays(**named: Any) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            with open(path, "wb") as file:
                np.savez(file, **named)
        return write

    def zipped(name: str, content: bytes) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            arrays(w=w)(path)
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr(name, content)
        return write

    def single(path: Path) -> None:
        with open(path, "wb") as file:
            np.save(file, w)

    header = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"
    return {
        "empty": lambda path: path.write_bytes(b"") and None,
        "text": lambda path: path.write_bytes(b"w = 1\n" * 100) and None,
        "pickle": lambda path: path.write_bytes(pickle.dumps(evil)) and None,
        "npy": single,
        "object dtype": arrays(w=w, b=evil),
        "missing name": arrays(w=w),
        "other name": arrays(w=w, c=b),
        "one name more": arrays(w=w, b=b, c=b),
        "wrong shape": arrays(w=w, b=np.zeros(3, np.float32)),
        "broadcasting shape": arrays(w=w, b=np.zeros(1, np.float32)),
        "transposed": arrays(w=w.T, b=b),
        "wrong dtype": arrays(w=w, b=b.astype(np.float64)),
        "other byte order": arrays(w=w, b=b.astype(">f4")),
        "no array inside": zipped("b.npy", b"not an array"),
        "no data inside": zipped("b.npy", (header % b"2,").ljust(127) + b"\n"),
        "vast shape": zipped("b.npy", (header % b"2, 9" + b"0" * 12).ljust(127) + b"\n"),
        "name twice": zipped("w.npy", b""),
    }


@pytest.mark.parametrize("name", foreign_files(Path()))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_foreign_files_are_refused_and_change_nothing(name: str, tmp_path: Path) -> None:
    path, layer = tmp_path / "file.npz", Dense(3, 2, rng=0)
    foreign_files(tmp_path)[name](path)
    before = bits(layer.params)
    with pytest.raises(ValueError, match=r"load: .*file\.npz does not hold the parameters"):
        load(layer, path)
    assert bits(layer.params) == before
    assert not (tmp_path / "executed").exists()


def test_a_refusal_shows_what_came_and_what_was_expected(tmp_path: Path) -> None:
    save(Dense(4, 2), tmp_path / "file.npz")
    with pytest.raises(ValueError, match=r"'w' has shape \(2, 4\).*expected \(2, 3\) and float32"):
        load(Dense(3, 2), tmp_path / "file.npz")
    with pytest.raises(ValueError, match=r"it has \['b', 'w'\], expected \['w'\]"):
        load(Dense(4, 2, bias=False), tmp_path / "file.npz")
    with pytest.raises(FileNotFoundError):
        load(Dense(4, 2), tmp_path / "no such file")


def test_damaged_files_load_all_or_nothing(tmp_path: Path) -> None:
    """Cut at any length, the file is refused; with any one byte changed, it is refused or gives
    what was saved (a byte that says nothing about the data)."""
    path, saved, layer = tmp_path / "file.npz", Dense(3, 2, rng=0), Dense(3, 2, rng=1)
    save(saved, path)
    whole, before = path.read_bytes(), bits(layer.params)
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="load: "):
            load(layer, path)
        assert bits(layer.params) == before
    refused = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1:])
        try:
            load(layer, path)
        except ValueError:
            refused += 1
            assert bits(layer.params) == before, place
        else:
            assert bits(layer.params) == bits(saved.params), place
            layer = Dense(3, 2, rng=1)
    assert refused > len(whole) / 2


# Errors


@pytest.mark.parametrize("call, error, message", [
    (lambda: Conv(1, 1, 3).backward(np.zeros((1, 1, 1, 1))), RuntimeError,
     "Conv.backward: no forward call"),
    (lambda: ReLU().backward(np.zeros(1)), RuntimeError, "ReLU.backward: no forward call"),
    (lambda: Conv(3, 8, 3)(np.zeros((2, 4, 9, 9), np.float32)), ValueError,
     "w has 3 input channels (w.shape = (8, 3, 3, 3)) but x has 4"),
    (lambda: LocalConv(1, 1, 3, input_size=5)(np.zeros((1, 1, 6, 6), np.float32)), ValueError,
     "w must have one filter per output position"),
    (lambda: Dense(5, 2)(np.zeros((1, 4), np.float32)), ValueError, "w.shape = (2, 5)"),
    (lambda: Conv(1, 1, 3)(np.zeros((1, 1, 4, 4))), TypeError, "float32"),
    (lambda: Conv(3, 4, 3, groups=2), ValueError, "Conv: groups must divide in_channels"),
    (lambda: Conv(4, 3, 3, groups=2), ValueError, "got groups=2 for 4 and 3"),
    (lambda: Conv(0, 4, 3), ValueError, "Conv: in_channels must be at least 1"),
    (lambda: Conv(1, 4, 0), ValueError, "Conv: kernel_size must be at least 1"),
    (lambda: Conv(1, 4, 3, stride=(1, 1, 1), dtype=np.float16), TypeError,
     "Conv: dtype must be float32 or float64, got float16"),
    (lambda: TiledConv(1, 4, 3, period=0), ValueError, "TiledConv: period must be at least 1"),
    (lambda: TiledConv(1, 4, (3, 3), period=(2,)), ValueError, "TiledConv: period must be an int"),
    (lambda: LocalConv(1, 4, 5, input_size=3), ValueError, "the kernel reaches over 5 elements"),
    (lambda: ConvTranspose(1, 1, 3, stride=2, output_padding=2), ValueError,
     "ConvTranspose: output_padding must be less than the stride"),
    (lambda: Sequential(*[ReLU()] * 2), ValueError, "the same layer twice"),
    (lambda: SGD({}, 1).step(), TypeError, "SGD.step: grads must be given"),
    (lambda: Adam(Dense(1, 1), 1).step(), ValueError, "Adam.step: no gradient for 'w'"),
    (lambda: SGD({"w": np.zeros(2)}, 1).step({"w": np.zeros(1)}), ValueError,
     "SGD.step: the gradient of 'w' must have shape (2,), got (1,)"),
    (lambda: softmax_cross_entropy(np.zeros(3), [0]), ValueError, "scores must be (N, K)"),
    (lambda: softmax_cross_entropy(np.zeros((0, 3)), np.zeros(0, int)), ValueError, "at least 1"),
    (lambda: softmax_cross_entropy(np.zeros((1, 3)), [0.0]), TypeError, "labels must be integers"),
    (lambda: softmax_cross_entropy(np.zeros((2, 3)), [0]), ValueError, "labels.shape = (1,)"),
    (lambda: softmax_cross_entropy(np.zeros((2, 3)), [0, 3]), ValueError, "from 0 to 3"),
    (lambda: softmax_cross_entropy(np.zeros((2, 3)), [0, -1]), ValueError, "from -1 to 0"),
])
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)


def test_a_gradient_of_the_wrong_shape_is_refused() -> None:
    for build, in_shape in ALL.values():
        layer = build()
        y = layer(normal((2, *in_shape)))
        with pytest.raises(ValueError, match=r"backward: dy must have the shape of the last y"):
            layer.backward(np.ones((1, *y.shape[1:])))


def test_a_failed_step_changes_nothing() -> None:
    params = {"a": np.ones(2), "b": np.ones(2)}
    with pytest.raises(ValueError, match="'b'"):
        SGD(params, 1).step({"a": np.ones(2), "b": np.ones(3)})
    assert params["a"].tolist() == [1, 1]


def test_every_layer_is_public() -> None:
    made = {type(build()).__name__ for build, _ in ALL.values()}
    assert made < set(layers.__all__)
