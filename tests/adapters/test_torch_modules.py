"""The modules of `sweepconv.torch`: like PyTorch's where it has them, like the verbs elsewhere."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import sweepconv as sc
import sweepconv.torch as sct
from sweepconv import layers

# One of each kind, with its input: what every module must do is tried on all of them.
KINDS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "Conv1d": (lambda: sct.Conv1d(4, 6, 3, padding=1, padding_mode="circular", groups=2),
               (2, 4, 7)),
    "Conv3d": (lambda: sct.Conv3d(2, 3, (1, 2, 3), stride=(1, 2, 1)), (2, 2, 3, 4, 5)),
    "ConvNd": (lambda: sct.ConvNd(4, 6, (3, 2), padding="same", stride=2), (2, 4, 7, 6)),
    "TiledConv2d": (lambda: sct.TiledConv2d(4, 6, 3, padding=[(1, 0), (0, 2)], period=(2, 3),
                                            bias=False), (2, 4, 7, 6)),
    "LocalConv1d": (lambda: sct.LocalConv1d(4, 6, 3, dilation=2, input_size=7), (2, 4, 7)),
    "LocalConv2d": (lambda: sct.LocalConv2d(4, 6, 3, padding="same", groups=2, stride=2,
                                            input_size=(7, 6)), (2, 4, 7, 6)),
    "LocalConv3d": (lambda: sct.LocalConv3d(2, 3, 2, input_size=(3, 4, 2)), (2, 2, 3, 4, 2)),
    "ConvTranspose2d": (lambda: sct.ConvTranspose2d(4, 6, 3, 2, 1, (1, 0), 2), (2, 4, 5, 4)),
    "TiledConvTranspose1d": (lambda: sct.TiledConvTranspose1d(4, 6, 3, stride=2, period=2,
                                                              padding=1, padding_mode="reflect"),
                             (2, 4, 5)),
    "LocalConvTranspose2d": (lambda: sct.LocalConvTranspose2d(
        4, 6, 3, stride=2, padding=1, output_padding=1, input_size=(5, 4)), (2, 4, 5, 4)),
    "LowRankLocal2d": (lambda: sct.LowRankLocal2d(4, 6, 3, padding=1, groups=2, rank=3,
                                                  input_size=(5, 4)), (2, 4, 5, 4)),
}
EVERY = pytest.mark.parametrize("kind", KINDS)


def made(kind: str) -> tuple[Any, Tensor]:
    torch.manual_seed(0)
    make, shape = KINDS[kind]
    return make(), torch.rand(shape)


def learned(module: nn.Module, x: Tensor) -> list[Tensor]:
    """Result and all gradients of a call."""
    x = x.detach().clone().requires_grad_()
    y = module(x)
    y.square().sum().backward()
    assert x.grad is not None
    return [y.detach(), x.grad, *(p.grad.clone() for p in module.parameters())]


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("name", "arguments"), [
    ("Conv", (5, 2, 1)), ("Conv", (3, 1, "same", 2)), ("Conv", (2, 1, "valid", 1, 2, False)),
    ("Conv", (3, 2, 1, 1, 1, True, "reflect")), ("Conv", (3, 1, 2, 1, 4, True, "replicate")),
    ("Conv", (3, 1, 2, 1, 2, True, "circular")), ("ConvTranspose", (3, 2, 1, 1)),
    ("ConvTranspose", (2, 3, 0, 2, 4, False, 2)), ("ConvTranspose", (3,))])
def test_pytorch_s_layers_with_pytorch_s_arguments(axes: int, name: str,
                                                   arguments: tuple[Any, ...]) -> None:
    # positional, as PyTorch orders them; the same seed gives the same parameters
    torch.manual_seed(0)
    theirs = getattr(nn, f"{name}{axes}d")(4, 8, *arguments)
    torch.manual_seed(0)
    ours = getattr(sct, f"{name}{axes}d")(4, 8, *arguments)
    assert repr(ours) == repr(theirs)
    for (k, a), (j, e) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
        assert k == j
        assert torch.equal(a, e)
    x = torch.rand(2, 4, *(5, 6, 7)[:axes])
    for a, e in zip(learned(ours, x), learned(theirs, x), strict=True):
        torch.testing.assert_close(a, e, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours(x[0]), ours(x)[0])  # without a batch axis


@EVERY
def test_a_module_is_its_verb(kind: str) -> None:
    module, x = made(kind)
    names = {"conv": "conv", "tiled": "tiled_conv", "local": "local_conv"}
    keywords = {k: getattr(module, k) for k in ("stride", "padding", "dilation", "groups",
                                                "padding_mode")}
    y = module(x).detach().numpy()
    w = module.weight.detach().numpy()
    b: Any = None if module.bias is None else module.bias.detach().numpy()
    if kind == "LowRankLocal2d":
        w = torch.einsum("...r,rockl->...ockl", module.mix, module.weight).detach().numpy()
        expected = sc.local_conv(x.numpy(), w, np.broadcast_to(b, (*w.shape[:2], 6)), **keywords)
        np.testing.assert_allclose(y, expected, atol=1e-6)
    elif module.transposed:
        verb = getattr(sc, names[module.family] + "_input_grad")
        plain = verb(x.numpy(), w, y.shape, **keywords)
        np.testing.assert_allclose(y, plain + b.reshape(-1, *(1,) * (x.dim() - 2)), atol=1e-6)
    else:
        assert np.array_equal(y, getattr(sc, names[module.family])(x.numpy(), w, b, **keywords))


@EVERY
def test_it_is_saved_and_copied(kind: str) -> None:
    module, x = made(kind)
    fresh, _ = KINDS[kind][0](), torch.manual_seed(1)
    fresh.load_state_dict(module.state_dict())
    for twin in (fresh, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(twin) == repr(module)
        assert torch.equal(twin(x), module(x))


@EVERY
def test_it_is_compiled_without_a_break(kind: str) -> None:
    module, x = made(kind)
    expected = learned(module, x)
    module.zero_grad()
    torch._dynamo.reset()  # it keeps at most 8 graphs of one function, here `ConvNd.forward`
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    for a, e in zip(learned(compiled, x), expected, strict=True):
        torch.testing.assert_close(a, e)


@EVERY
def test_double_precision_and_meta(kind: str) -> None:
    module, x = made(kind)
    shape = module(x).shape
    assert module.double()(x.double()).dtype == torch.float64
    assert module.to("meta")(x.double().to("meta")).shape == shape


@pytest.mark.parametrize("kind", ["Conv1d", "TiledConv2d", "LocalConv2d"])
def test_a_transpose_is_the_adjoint_of_its_module(kind: str) -> None:
    torch.manual_seed(0)
    keywords: dict[str, Any] = {"stride": 2, "padding": 1, "bias": False, "dtype": torch.float64}
    axes = int(kind[-2])
    size = (7, 5)[:axes]
    x = torch.rand(2, 4, *size, dtype=torch.float64)
    owns: dict[str, dict[str, Any]] = {"Tiled": {"period": 2}, "Local": {"input_size": size}}
    own = owns.get(kind[:5], {})
    forward = getattr(sct, kind)(4, 6, 3, **keywords, **own)
    y = forward(x)
    dy = torch.rand_like(y)
    if "input_size" in own:
        own = {"input_size": tuple(y.shape[2:])}
    back = getattr(sct, kind[:-2] + "Transpose" + kind[-2:])(6, 4, 3, **keywords, **own)
    assert back.weight.shape == forward.weight.shape
    back.load_state_dict(forward.state_dict())
    torch.testing.assert_close((y * dy).sum(), (x * back(dy)).sum())


def test_local_conv_is_unfold_and_a_matrix_for_each_position() -> None:
    torch.manual_seed(0)
    layer: Any = sct.LocalConv2d(4, 6, (3, 2), stride=2, padding=1, input_size=(7, 8))
    x = torch.rand(2, 4, 7, 8)
    patches = functional.unfold(x, (3, 2), stride=2, padding=1)  # (N, C*K, places)
    w = layer.weight.flatten(0, 1).flatten(2)  # (places, O, C*K)
    y = torch.einsum("nkl,lok->nol", patches, w).unflatten(2, layer.weight.shape[:2])
    torch.testing.assert_close(layer(x), y + layer.bias.movedim(-1, 0))


def test_a_bank_starts_as_its_filters_do() -> None:
    torch.manual_seed(0)
    layer: Any = sct.LocalConv2d(16, 32, 3, input_size=(32, 32))
    assert layer.weight.shape == (30, 30, 32, 16, 3, 3)
    assert layer.bias.shape == (30, 30, 32)
    r = 1 / (16 * 9) ** 0.5
    for p in layer.parameters():
        assert 0.99 * r < p.max() <= r
        assert -r <= p.min() < -0.99 * r


def test_low_rank_starts_as_a_convolution() -> None:
    layer = sct.LowRankLocal1d(2, 3, 3, input_size=8, rank=4)
    shared = sct.conv(x := torch.rand(1, 2, 8), layer.weight.sum(0) / 2, layer.bias)
    torch.testing.assert_close(layer(x), shared)
    plain = layers.LowRankLocal(2, 3, (3,), input_size=8, rank=4, dtype=np.float32)
    plain.params.update((name, p.detach().numpy()) for name, p in zip(
        ("w", "mix", "b"), layer.parameters(), strict=True))
    np.testing.assert_allclose(plain(x.numpy()), shared.detach(), rtol=1e-5)
    assert repr(layer) == ("LowRankLocal1d(2, 3, kernel_size=(3,), stride=(1,), input_size=(8,), "
                           "rank=4)")


@pytest.mark.parametrize("theirs", [
    nn.Conv1d(4, 6, 3, padding="same", padding_mode="circular", bias=False),
    nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2).eval(),
    nn.ConvTranspose3d(2, 4, 3, stride=2, padding=1, output_padding=(1, 0, 1))], ids=repr)
def test_to_and_from_pytorch(theirs: nn.Module) -> None:
    ours = sct.from_torch(theirs)
    assert repr(ours) == repr(theirs)
    again = sct.to_torch(ours)
    assert repr(again) == repr(theirs)
    assert ours.training == again.training == theirs.training
    for a, b, c in zip(theirs.parameters(), ours.parameters(), again.parameters(), strict=True):
        assert a is b is c


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: sct.from_torch(nn.Linear(2, 2)), TypeError, "from_torch: module must be one of"),
    (lambda: sct.to_torch(sct.LocalConv1d(1, 1, 1, input_size=2)), TypeError, "to_torch: module"),
    (lambda: sct.to_torch(sct.Conv1d(1, 1, 2, padding=[(1, 0)])), ValueError, "to_torch: torch.nn"),
    (lambda: sct.Conv2d(4, 6, (3,)), ValueError, "Conv2d: kernel_size must be an int or 2 ints"),
    (lambda: sct.Conv2d(4, 6, 3, groups=3), ValueError, "groups must divide in_channels and"),
    (lambda: sct.Conv2d(4, 6, 3, padding="some"), ValueError, "Conv2d: padding must be .*'some'"),
    (lambda: sct.Conv2d(4, 6, 3, padding_mode="some"), ValueError, "padding_mode must be one of"),
    (lambda: sct.TiledConv2d(4, 6, 3, period=0), ValueError, "TiledConv2d: period must be"),
    (lambda: sct.LocalConv2d(4, 6, 3, input_size=2), ValueError, "kernel reaches over 3 elements"),
    (lambda: sct.LocalConv2d(4, 6, 3), TypeError, "input_size"),  # type: ignore[call-arg]
    (lambda: sct.LowRankLocal1d(4, 6, 3, input_size=5, rank=0), ValueError, "rank must be at"),
    (lambda: sct.ConvTranspose2d(4, 6, 3, output_padding=1), ValueError, "less than the stride"),
    (lambda: sct.Conv2d(4, 6, 3)(torch.rand(6, 6)), ValueError, r"x must be \(N, C, \*spatial"),
    (lambda: sct.LocalConv2d(4, 6, 3, input_size=6)(torch.rand(1, 4, 8, 8)), ValueError,
     r"one filter per output position, so w.shape must start with \(6, 6\)"),
])
def test_errors_name_the_argument(call: Callable[[], Any], error: type[Exception],
                                  message: str) -> None:
    with pytest.raises(error, match=message):
        call()
