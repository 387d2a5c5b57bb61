"""The operators of `sweepconv.torch` and the functions over them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from support import PREFIX, SMALL
from torch import Tensor

import sweepconv as sc
import sweepconv.torch as sct
from sweepconv._adapters import VERBS, How
from sweepconv.testing import Case, conv_cases
from sweepconv.torch import _ops

# Every family, rank and padding mode, with strides, dilations, groups, pairs and crops: small,
# since the gradient checks try each element of each tensor.
CASES = [
    Case((2, 2, 5), (3, 2, 2), stride=2, padding=((1, 2),), bias=True),
    Case((1, 2, 3, 4), (4, 1, 2, 2), groups=2, dilation=(1, 2), padding=1, padding_mode="reflect"),
    Case((2, 1, 2, 3, 2), (2, 1, 2, 1, 2), padding="same", padding_mode="circular", bias=True),
    Case((2, 2, 5), (2, 2, 2, 3), padding=1, padding_mode="symmetric", family="tiled", bias=True),
    Case((1, 2, 4, 3), (2, 3, 2, 1, 2, 2), groups=2, padding=1, family="tiled", bias=True),
    Case((1, 1, 2, 3, 2), (1, 2, 1, 2, 1, 1, 2, 1), padding="same_lower", family="tiled"),
    Case((2, 2, 5), (3, 2, 1, 2), stride=2, padding=((1, 0),), groups=2, family="local", bias=True),
    Case((1, 2, 3, 4), (3, 2, 2, 2, 2, 2), padding=((1, 0), (0, -1)), family="local", bias=True),
    Case((1, 1, 2, 2, 3), (2, 2, 2, 1, 1, 2, 1, 2), padding=((1, 0), (0, 0), (0, 0)),
         padding_mode="replicate", family="local", bias=True),
]
EVERY = pytest.mark.parametrize("case", CASES, ids=str)


def how(case: Case) -> How:
    assert case.family != "dense"
    return How.of("test", case.family, len(case.x_shape) - 2, **case.keywords)


def tensor(case: Case, name: str, shape: tuple[int, ...], **more: Any) -> Tensor:
    # A copy in the same memory order: the kit's arrays may be read-only.
    return torch.tensor(case.array(name, shape, "real")).requires_grad_(more.get("grad", False))


def operands(case: Case) -> tuple[Tensor, Tensor, Tensor | None]:
    b = tensor(case, "b", case.b_shape, grad=True) if case.bias else None
    return tensor(case, "x", case.x_shape, grad=True), tensor(case, "w", case.w_shape, grad=True), b


def calls(case: Case) -> dict[str, tuple[Any, tuple[Any, ...]]]:
    """Operator and arguments, of each of the three."""
    x, w, b = operands(case)
    dy = tensor(case, "dy", case.y_shape, grad=True)
    return {"sweep": (_ops.sweep, (x, w, b, how(case).text)),
            "input_grad": (_ops.input_grad, (dy, w, list(x.shape), how(case).text)),
            "weight_grad": (_ops.weight_grad, (x, dy, list(w.shape), how(case).text))}


def channels_last(t: Tensor) -> Tensor:
    return t.detach().movedim(1, -1).contiguous().movedim(-1, 1).requires_grad_()


@pytest.mark.parametrize("case", [c for c in conv_cases("smoke") if c.family != "dense"], ids=str)
def test_the_bits_are_those_of_the_verbs(case: Case) -> None:
    prefix = PREFIX[case.family]
    x, w = case.array("x", case.x_shape, "real"), case.array("w", case.w_shape, "real")
    b = case.array("b", case.b_shape, "real") if case.bias else None
    tx, tw = (torch.from_numpy(a.copy()).requires_grad_() for a in (x, w))
    tb = None if b is None else torch.from_numpy(b.copy())
    y = getattr(sct, prefix)(tx, tw, tb, **case.keywords)
    expected = getattr(sc, prefix)(x, w, b, **case.keywords)
    assert y.dtype == tx.dtype
    assert np.array_equal(y.detach().numpy(), expected)
    dy = case.array("dy", case.y_shape, "real")
    y.backward(torch.from_numpy(dy.copy()))
    for t, kind, *arguments in ((tx, "_input_grad", dy, w, x.shape),
                                (tw, "_weight_grad", x, dy, w.shape)):
        assert t.grad is not None
        expected = getattr(sc, prefix + kind)(*arguments, **case.keywords)
        assert np.array_equal(t.grad.numpy(), expected)


@EVERY
def test_gradients_of_first_and_second_order(case: Case) -> None:
    inputs = tuple(t for t in operands(case) if t is not None)

    def run(x: Tensor, w: Tensor, b: Tensor | None = None) -> Any:
        return getattr(sct, PREFIX[case.family])(x, w, b, **case.keywords)

    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


@EVERY
@pytest.mark.parametrize("operator", ["sweep", "input_grad", "weight_grad"])
def test_pytorch_finds_the_operators_well_made(case: Case, operator: str) -> None:
    function, (first, second, *rest) = calls(case)[operator]
    torch.library.opcheck(function, (first, second, *rest))
    torch.library.opcheck(function, (channels_last(first), second, *rest))


@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (1, 4, 5, 6), (3, 1, 5, 6), (3, 4, 1, 6)])
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_compiler_is_told_the_true_memory_order(
        shape: tuple[int, ...], order: tuple[int, ...]) -> None:
    made = torch.rand([shape[axis] for axis in order])
    x = made.permute([order.index(axis) for axis in range(4)])
    for given in (x, x[:, :, :, 1:], x[:1].expand(2, -1, -1, -1), x[:0]):
        real = torch.from_numpy(np.empty_like(given.numpy(), shape=(2, 5, 3, 7)))
        assert _ops._new(given, (2, 5, 3, 7)).stride() == real.stride()


def test_tensors_are_read_and_results_returned_without_a_copy(
        monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def spy(*arrays: Any, **keywords: Any) -> Any:
        seen.extend([*arrays[:2], sc.conv(*arrays, **keywords)])
        return seen[-1]

    monkeypatch.setitem(VERBS, "conv", (spy, *VERBS["conv"][1:]))
    x = channels_last(torch.rand(2, 4, 6, 6))[:, :, 1:, ::2]
    w = torch.rand(3, 2, 4, 2).transpose(1, 2)
    y = sct.conv(x, w)
    assert [a.ctypes.data for a in seen] == [t.data_ptr() for t in (x, w, y)]
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("family", ["conv", "tiled", "local"])
def test_channels_last_in_channels_last_out(family: Any) -> None:
    case = SMALL[family]
    x = channels_last(tensor(case, "x", case.x_shape))
    y = getattr(sct, PREFIX[family])(x, tensor(case, "w", case.w_shape), **case.keywords)
    assert y.is_contiguous(memory_format=torch.channels_last)
    y.backward(torch.ones_like(y))
    assert x.grad is not None
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("y_shape", "b_shape"), [
    ((2, 3, 7), (3,)), ((2, 3, 7), (2, 3)), ((2, 3, 2, 5), (3, 5, 3)), ((0, 3, 4, 4), (4, 4, 3)),
    ((2, 3, 4, 3, 5), (2, 3, 4, 3))])
def test_the_gradient_of_a_bias(y_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> None:
    dy = torch.arange(float(math.prod(y_shape)), dtype=torch.float64).reshape(y_shape)
    assert np.array_equal(_ops.bias_grad(dy, b_shape).numpy(), sc.bias_grad(dy.numpy(), b_shape))


@pytest.mark.parametrize("family", ["conv", "tiled", "local"])
def test_transposes_are_input_gradients(family: Any) -> None:
    case = SMALL[family]
    dy, w = tensor(case, "dy", case.y_shape), tensor(case, "w", case.w_shape)
    g = case.geometry
    reach = [(n - 1) * s - sum(p) + d * (k - 1) + 1 for n, s, p, d, k in zip(
        g.out_size, g.stride, g.pads, g.dilation, g.kernel, strict=True)]
    extra = [n - r for n, r in zip(g.in_size, reach, strict=True)]
    y = getattr(sct, PREFIX[family] + "_transpose")(dy, w, output_padding=extra, **case.keywords)
    verb = getattr(sc, PREFIX[family] + "_input_grad")
    assert np.array_equal(y.numpy(), verb(dy.numpy(), w.numpy(), case.x_shape, **case.keywords))


@pytest.mark.parametrize("padding", ["valid", "same", "same_lower", "full", "causal", 1])
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_a_transpose_has_the_padding_of_the_verb(padding: Any, mode: str) -> None:
    x, w, b = torch.rand(2, 4, 6), torch.rand(4, 3, 5), torch.rand(6)
    keywords: Any = {"stride": 2, "padding": padding, "groups": 2, "padding_mode": mode}
    y = sct.conv_transpose(x, w, b, **keywords)
    expected = sc.conv_transpose(x.numpy(), w.numpy(), b.numpy(), **keywords)
    torch.testing.assert_close(y, torch.from_numpy(expected))


def test_transposes_have_gradients() -> None:
    def run(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return sct.local_conv_transpose(x, w, b, stride=2, output_padding=1, groups=2,
                                        padding=1, padding_mode="reflect")

    inputs = [torch.rand(shape, dtype=torch.float64, requires_grad=True)
              for shape in ((1, 2, 3), (3, 2, 1, 3), (2,))]
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


@pytest.mark.parametrize("groups", [1, 2])
def test_low_rank_local_is_local_conv_with_the_assembled_bank(groups: int) -> None:
    rng = torch.Generator().manual_seed(0)
    x, weight, mix, b = (torch.rand(shape, dtype=torch.float64, generator=rng, requires_grad=True)
                         for shape in ((2, 4, 6, 5), (3, 6, 4 // groups, 3, 2), (3, 4, 3), (6,)))
    keywords: Any = {"stride": (2, 1), "padding": (1, 0), "groups": groups}
    bank = torch.einsum("pqr,rockl->pqockl", mix, weight)
    expected = sct.local_conv(x, bank, b.expand(3, 4, 6), **keywords)
    y = sct.low_rank_local(x, weight, mix, b, **keywords)
    torch.testing.assert_close(y, expected)
    dy = torch.rand(y.shape, dtype=torch.float64, generator=rng)
    ours, theirs = (torch.autograd.grad(t, (x, weight, mix, b), dy) for t in (y, expected))
    for a, e in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, e)


def test_compiled_without_a_break() -> None:
    def run(x: Tensor, w: Tensor, bank: Tensor) -> Tensor:
        y = sct.conv(x, w, padding="same", stride=2).relu()
        return sct.local_conv_transpose(y, bank, stride=2, padding=((1, 0), (0, 1)))

    x, w, bank = torch.rand(2, 3, 6, 8), torch.rand(4, 3, 3, 3), torch.rand(3, 4, 4, 2, 3, 3)
    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x, w, bank), run(x, w, bank))
    assert torch.equal(compiled(channels_last(x), w, bank), run(channels_last(x), w, bank))


def test_a_compiled_graph_holds_for_any_number_of_images() -> None:
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(sct.conv, fullgraph=True, backend=counter)
    w = torch.rand(4, 3, 3)
    for n in (2, 3, 4, 7):
        x = torch.rand(n, 3, 8)
        assert torch.equal(compiled(x, w), sct.conv(x, w))
    assert counter.frame_count == 2  # the first for its own number, the second for any


def test_mapped_over_an_axis() -> None:
    x, w = torch.rand(3, 2, 4, 6), torch.rand(3, 5, 4, 3)
    torch.testing.assert_close(torch.vmap(sct.conv)(x, w),
                               torch.stack([sct.conv(a, f) for a, f in zip(x, w, strict=True)]))
    over_filters = torch.vmap(lambda f: sct.conv(x[0], f))(w)
    assert torch.equal(over_filters[1], sct.conv(x[0], w[1]))
    slow, fast = (torch.autograd.functional.jacobian(
        lambda f: sct.conv(x[0], f), w[0], vectorize=v) for v in (False, True))
    assert torch.equal(slow, fast)


def test_under_autocast_it_computes_in_single_precision() -> None:
    x, w = torch.rand(1, 2, 5), torch.rand(3, 2, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = sct.conv(x.bfloat16(), w)
    assert y.dtype == torch.float32
    y.sum().backward()
    assert w.grad is not None


def test_the_package_imports_it_when_it_is_asked_for() -> None:
    assert sc.torch is sct


def test_the_modes_of_pytorch() -> None:
    x, w = torch.rand(2, 2, 5), torch.rand(3, 2, 3, requires_grad=True)
    with torch.no_grad():
        assert not sct.conv(x, w).requires_grad
    with torch.inference_mode():
        assert sct.conv(x, w).is_inference()
    assert sct.conv(x[:0], w).shape == (0, 3, 3)
    assert sct.conv(x.to("meta"), w.to("meta")).shape == (2, 3, 3)
    with sc.threads(1):
        one = sct.conv(x, w)
    assert torch.equal(one, sct.conv(x, w))


X, W = torch.rand(2, 4, 6, 6), torch.rand(3, 4, 3, 3)
HALF: Any = 1.5


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: sct.conv(X.half(), W), TypeError, "conv: x must be float32 or float64, got torch.fl"),
    (lambda: sct.conv(X.int(), W), TypeError, "got torch.int32"),
    (lambda: sct.conv(X, W.double()), TypeError, "weight must have the dtype of x, torch.float32"),
    (lambda: sct.conv(X, W.to("meta")), ValueError, "weight must be on the device of x, cpu"),
    (lambda: sct.conv(X, W[:, :3]), ValueError, r"w has 3 input channels \(w.shape = \(3, 3, 3, 3"),
    (lambda: sct.conv(X, W, torch.rand(4)), ValueError, r"b must have shape \(3,\).*\(4,\)"),
    (lambda: sct.conv(X[0, 0], W), ValueError, r"x must be \(N, C, \*spatial\)"),
    (lambda: sct.conv(X, W, padding=(1, 2, 3)), ValueError, r"padding must be .*got \(1, 2, 3\)"),
    (lambda: sct.conv(X, W, stride=HALF), TypeError, "stride must be an int or one int per"),
    (lambda: sct.local_conv(X, W), ValueError, r"w must be \(\*out, O, C/groups, \*kernel\)"),
    (lambda: sct.conv_transpose(X, W), ValueError, r"conv_transpose: x must have as many channels"),
    (lambda: sct.conv_transpose(X[0, 0], W), ValueError, "conv_transpose: x must be"),
    (lambda: sct.conv_transpose(X, W.transpose(0, 1), output_padding=1), ValueError,
     r"output_padding must be less than the stride \(1, 1\), got 1"),
    (lambda: sct.conv_transpose(X, W.transpose(0, 1), stride=2, padding="same", output_padding=1),
     ValueError, "output_padding must be 0, got 1"),
    (lambda: sct.low_rank_local(X, W, W), ValueError, r"low_rank_local: weight must be \(R, O"),
    (lambda: sct.low_rank_local(X, W[None], torch.rand(3, 3, 1)), ValueError,
     r"mix must be \(\*out, R\) with out = \(4, 4\), got mix.shape = \(3, 3, 1\)"),
])
def test_errors_name_the_argument(call: Callable[[], Any], error: type[Exception],
                                  message: str) -> None:
    with pytest.raises(error, match=message):
        call()
