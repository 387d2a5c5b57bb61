"""Three operators of PyTorch for every family, each of which is the gradient of the others.

    sweep(x, w, b)           y, b may be None
    input_grad(dy, w)        dx
    weight_grad(x, dy)       dw

Each result is linear in each of its two tensors.  With g the gradient of the result:

    result          gradient of the first     gradient of the second
    y of (x, w)     dx = input_grad(g, w)     dw = weight_grad(x, g)
    dx of (dy, w)   ddy = sweep(g, w)         dw = weight_grad(g, dy)
    dw of (x, dy)   dx = input_grad(dy, g)    ddy = sweep(x, g)

so gradients of any order are these three again.  The operators read the tensors' own memory, of
any strides, and their results lie in the arrays that the verbs of NumPy made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sweepconv._adapters import VERBS, How
from sweepconv.geometry import Family, Geometry, geometry

DTYPES = (torch.float32, torch.float64)


def _sorted(how: str) -> tuple[Family, dict[str, Any]]:
    """The family, and the keywords of its verbs, from `How.text`."""
    call = How.read(how)
    return call.family, call.keywords


def _check(verb: str, **tensors: Tensor | None) -> None:
    """Dtypes and devices of the operands, of which all but the first may be None."""
    (first, like), *others = tensors.items()
    assert like is not None
    if like.device.type not in ("cpu", "meta"):
        raise ValueError(f"{verb}: {first} must be on the CPU, got {first}.device = {like.device}")
    if like.dtype not in DTYPES:
        raise TypeError(f"{verb}: {first} must be float32 or float64, got {like.dtype}")
    for name, t in others:
        if t is None:
            continue
        if t.dtype != like.dtype:
            raise TypeError(f"{verb}: {name} must have the dtype of {first}, {like.dtype}, "
                            f"got {t.dtype}")
        if t.device != like.device:
            raise ValueError(f"{verb}: {name} must be on the device of {first}, {like.device}, "
                             f"got {name}.device = {t.device}")


def _array(t: Tensor) -> Any:
    """The tensor's own memory."""
    return t.numpy(force=True)


def _sizes(family: Family, x_shape: Sequence[Any], w_shape: Sequence[Any],
           keywords: dict[str, Any]) -> Geometry:
    """The geometry of images whose number may be a symbol: it holds for any number, here 0."""
    x_shape, w_shape = (0, *map(int, x_shape[1:])), tuple(map(int, w_shape))
    return geometry(VERBS[family][0].__name__, family, x_shape, w_shape, **keywords)


def _new(like: Tensor, shape: Sequence[Any]) -> Tensor:
    """A tensor in the memory order that a verb's result has, which is that of numpy.empty_like.

    With memory in neither C nor Fortran order, axes go from the longest stride to the shortest.
    """
    axes = list(range(like.dim()))
    if not like.is_contiguous():
        if like.permute(axes[::-1]).is_contiguous():
            axes.reverse()
        else:
            axes.sort(key=lambda axis: -like.stride(axis))
    made = like.new_empty([shape[axis] for axis in axes])
    return made.permute([axes.index(axis) for axis in range(len(axes))])


@torch.library.custom_op("sweepconv::sweep", mutates_args=(),
                         schema="(Tensor x, Tensor w, Tensor? b, str how) -> Tensor")
def sweep(x: Tensor, w: Tensor, b: Tensor | None, how: str) -> Tensor:
    """y of any family: `conv`, `tiled_conv` or `local_conv`."""
    family, keywords = _sorted(how)
    verb = VERBS[family][0]
    _check(verb.__name__, x=x, weight=w, bias=b)
    return torch.from_numpy(verb(_array(x), _array(w), None if b is None else _array(b),
                                 **keywords))


@torch.library.custom_op("sweepconv::input_grad", mutates_args=(),
                         schema="(Tensor dy, Tensor w, SymInt[] x_shape, str how) -> Tensor")
def input_grad(dy: Tensor, w: Tensor, x_shape: Sequence[int], how: str) -> Tensor:
    """dx of any family; also y of the transposed modules."""
    family, keywords = _sorted(how)
    verb = VERBS[family][1]
    _check(verb.__name__, dy=dy, weight=w)
    return torch.from_numpy(verb(_array(dy), _array(w), tuple(x_shape), **keywords))


@torch.library.custom_op("sweepconv::weight_grad", mutates_args=(),
                         schema="(Tensor x, Tensor dy, SymInt[] w_shape, str how) -> Tensor")
def weight_grad(x: Tensor, dy: Tensor, w_shape: Sequence[int], how: str) -> Tensor:
    """dw of any family."""
    family, keywords = _sorted(how)
    verb = VERBS[family][2]
    _check(verb.__name__, x=x, dy=dy)
    return torch.from_numpy(verb(_array(x), _array(dy), tuple(w_shape), **keywords))


# What the results are like, for PyTorch's compiler and for the device "meta".


@sweep.register_fake
def _(x: Tensor, w: Tensor, b: Tensor | None, how: str) -> Tensor:
    family, keywords = _sorted(how)
    _check(VERBS[family][0].__name__, x=x, weight=w, bias=b)
    return _new(x, (x.shape[0], *_sizes(family, x.shape, w.shape, keywords).y_shape[1:]))


@input_grad.register_fake
def _(dy: Tensor, w: Tensor, x_shape: Sequence[Any], how: str) -> Tensor:
    family, keywords = _sorted(how)
    _check(VERBS[family][1].__name__, dy=dy, weight=w)
    return _new(dy, (x_shape[0], *_sizes(family, x_shape, w.shape, keywords).x_shape[1:]))


@weight_grad.register_fake
def _(x: Tensor, dy: Tensor, w_shape: Sequence[Any], how: str) -> Tensor:
    family, keywords = _sorted(how)
    _check(VERBS[family][2].__name__, x=x, dy=dy)
    return x.new_empty(_sizes(family, x.shape, w_shape, keywords).w_shape)


# Gradients


def _keep_sweep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, w, b, ctx.how = inputs
    ctx.b_shape = None if b is None else b.shape
    ctx.save_for_backward(x, w)


def _keep_gradient(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    first, second, ctx.shape, ctx.how = inputs
    ctx.save_for_backward(first, second)


def _of_sweep(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    x, w = ctx.saved_tensors
    for_x, for_w, for_b, _ = ctx.needs_input_grad
    return (input_grad(g, w, x.shape, ctx.how) if for_x else None,
            weight_grad(x, g, w.shape, ctx.how) if for_w else None,
            bias_grad(g, ctx.b_shape) if for_b else None, None)


def _of_input_grad(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    dy, w = ctx.saved_tensors
    for_dy, for_w, _, _ = ctx.needs_input_grad
    return (sweep(g, w, None, ctx.how) if for_dy else None,
            weight_grad(g, dy, w.shape, ctx.how) if for_w else None, None, None)


def _of_weight_grad(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    x, dy = ctx.saved_tensors
    for_x, for_dy, _, _ = ctx.needs_input_grad
    return (input_grad(dy, g, x.shape, ctx.how) if for_x else None,
            sweep(x, g, None, ctx.how) if for_dy else None, None, None)


def bias_grad(dy: Tensor, b_shape: Sequence[int]) -> Tensor:
    """db: dy (N, O, *out) summed over all that shares an element of b, (*bank, O)."""
    total = dy.sum(0)  # (O, *out)
    for axis, period in enumerate(b_shape[:-1], 1):
        n = total.shape[axis]
        if n == period:  # as of all axes of a local layer: nothing is shared
            continue
        turns = max(-(-n // period), 1)
        after = (0, 0) * (total.dim() - 1 - axis)  # the axes behind this one stay as they are
        total = functional.pad(total, (*after, 0, turns * period - n))
        total = total.unflatten(axis, (turns, period)).sum(axis)
    return total.movedim(0, -1) if len(b_shape) > 1 else total.flatten(1).sum(1)


def _one_by_one(operator: Any) -> Callable[..., tuple[Tensor, int]]:
    """The rule of `torch.vmap`: one call for each element of the mapped axis."""

    def rule(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, int]:
        def pick(i: int) -> list[Any]:
            return [a.select(axis, i) if isinstance(a, Tensor) and axis is not None else a
                    for a, axis in zip(inputs, in_dims, strict=True)]

        return torch.stack([operator(*pick(i)) for i in range(info.batch_size)]), 0

    return rule


for _operator, _keep, _gradient in ((sweep, _keep_sweep, _of_sweep),
                                    (input_grad, _keep_gradient, _of_input_grad),
                                    (weight_grad, _keep_gradient, _of_weight_grad)):
    _operator.register_autograd(_gradient, setup_context=_keep)
    _operator.register_vmap(_one_by_one(_operator))
    _operator.register_autocast("cpu", torch.float32)  # half precision goes through as float32
