"""The verbs as functions of tensors that PyTorch can differentiate, compile and map.

    y = conv(x, weight, bias, stride=2, padding=1)      as torch.nn.functional.conv2d, any rank

The names of the keywords are PyTorch's; their values may be all that the verbs of NumPy take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from torch import Tensor

from sweepconv._adapters import How
from sweepconv.geometry import Family, Ints, Padding, padding_amounts, per_axis

from ._ops import input_grad, sweep

__all__ = [
    "conv", "conv_transpose", "local_conv", "local_conv_transpose", "low_rank_local",
    "tiled_conv", "tiled_conv_transpose",
]


_NAMES = {"conv": "conv_transpose", "tiled": "tiled_conv_transpose",
          "local": "local_conv_transpose"}


class Geometry(TypedDict, total=False):
    """Keywords of every function here; see `conv`."""

    stride: Ints
    padding: Padding
    dilation: Ints
    groups: int
    padding_mode: str


class Transposed(Geometry, total=False):
    """Keywords of the transposed functions."""

    output_padding: Ints


def conv(x: Tensor, weight: Tensor, bias: Tensor | None = None,
         **keywords: Unpack[Geometry]) -> Tensor:
    """Convolution, as `sweepconv.conv` and `torch.nn.functional.conv1d` to `conv3d` have it.

    Parameters
    ----------
    x : (N, C, *spatial) with 1, 2 or 3 spatial axes, float32 or float64 on the CPU, any strides.
    weight : (O, C/groups, *kernel).
    bias : (O,), optional.
    **keywords : stride, padding, dilation, groups and padding_mode, as in `sweepconv.conv`.

    Returns
    -------
    y : (N, O, *out), in the memory order of x.

    Notes
    -----
    Gradients of any order, `torch.compile`, `torch.vmap` (one call for each element) and autocast
    (in float32) work; `torch.func.grad` does not, since PyTorch has no way to tell it of operators.
    Threads are those of this library, not `torch.get_num_threads()`: what the machine grants, or
    `with sweepconv.threads(n):` around forward and backward.  A compiled graph holds for any
    number of images, and for one size of theirs.

    Examples
    --------
    >>> import torch
    >>> x, weight = torch.arange(5.0).reshape(1, 1, 5), torch.tensor([[[1.0, 0.0, -1.0]]])
    >>> conv(x, weight)
    tensor([[[-2., -2., -2.]]])
    """
    return _sweep("conv", "conv", x, weight, bias, keywords)


def tiled_conv(x: Tensor, weight: Tensor, bias: Tensor | None = None,
               **keywords: Unpack[Geometry]) -> Tensor:
    """Tile sharing: position p uses filter p mod period.

    weight is (*period, O, C/groups, *kernel) and bias (*period, O); the rest as in `conv`.

    Examples
    --------
    >>> import torch
    >>> tiled_conv(torch.ones(1, 1, 4), torch.tensor([1.0, 10.0]).reshape(2, 1, 1, 1))
    tensor([[[ 1., 10.,  1., 10.]]])
    """
    return _sweep("tiled_conv", "tiled", x, weight, bias, keywords)


def local_conv(x: Tensor, weight: Tensor, bias: Tensor | None = None,
               **keywords: Unpack[Geometry]) -> Tensor:
    """Locally connected: each output position has its own filter.

    weight is (*out, O, C/groups, *kernel) and bias (*out, O); the rest as in `conv`.

    Examples
    --------
    >>> import torch
    >>> local_conv(torch.ones(1, 1, 3), torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1, 1))
    tensor([[[1., 2., 3.]]])
    """
    return _sweep("local_conv", "local", x, weight, bias, keywords)


def conv_transpose(x: Tensor, weight: Tensor, bias: Tensor | None = None,
                   **keywords: Unpack[Transposed]) -> Tensor:
    """The adjoint of `conv`, as `torch.nn.functional.conv_transpose1d` to `3d` have it.

    Parameters
    ----------
    x : (N, I, *spatial).
    weight : (I, O/groups, *kernel).
    bias : (O,), optional.
    **keywords : as in `conv`, and output_padding, less than the stride.  padding "same" and
        "same_lower" give spatial * stride outputs.

    Returns
    -------
    y : (N, O, *out), out = (spatial - 1) * stride - padding + dilation * (kernel - 1) + 1
        + output_padding, in the memory order of x.

    Examples
    --------
    >>> import torch
    >>> conv_transpose(torch.tensor([[[1.0, 2.0]]]), torch.ones(1, 1, 3), stride=2)
    tensor([[[1., 1., 3., 2., 2.]]])
    """
    return _transpose("conv", x, weight, bias, keywords)


def tiled_conv_transpose(x: Tensor, weight: Tensor, bias: Tensor | None = None,
                         **keywords: Unpack[Transposed]) -> Tensor:
    """The adjoint of `tiled_conv`: position p of x lays filter p mod period onto the result.

    weight is (*period, I, O/groups, *kernel); the rest as in `conv_transpose`.

    Examples
    --------
    >>> import torch
    >>> tiled_conv_transpose(torch.ones(1, 1, 4), torch.tensor([1.0, 10.0]).reshape(2, 1, 1, 1))
    tensor([[[ 1., 10.,  1., 10.]]])
    """
    return _transpose("tiled", x, weight, bias, keywords)


def local_conv_transpose(x: Tensor, weight: Tensor, bias: Tensor | None = None,
                         **keywords: Unpack[Transposed]) -> Tensor:
    """The adjoint of `local_conv`: each position of x lays its own filter onto the result.

    weight is (*spatial, I, O/groups, *kernel); the rest as in `conv_transpose`.

    Examples
    --------
    >>> import torch
    >>> local_conv_transpose(torch.ones(1, 1, 3), torch.ones(3, 1, 1, 2))
    tensor([[[1., 2., 2., 1.]]])
    """
    return _transpose("local", x, weight, bias, keywords)


def low_rank_local(x: Tensor, weight: Tensor, mix: Tensor, bias: Tensor | None = None,
                   **keywords: Unpack[Geometry]) -> Tensor:
    """A local bank of low rank: each position has its own mixture of a few shared filters.

        y[n, o, p] = b[o] + sum over r of mix[p, r] * conv(x, weight[r])[n, o, p]

    After Elsayed, Ramachandran, Shlens and Kornblith (2020), arXiv 2002.02959.

    Parameters
    ----------
    x : (N, C, *spatial).
    weight : (R, O, C/groups, *kernel).
    mix : (*out, R).
    bias : (O,), optional.
    **keywords : as in `conv`.

    Returns
    -------
    y : (N, O, *out), that of `local_conv` with the bank einsum("...r,rock->...ock", mix, weight),
        which is never made: one `conv` with R*O filters, then a sum over R.

    Examples
    --------
    >>> import torch
    >>> mix = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    >>> low_rank_local(torch.ones(1, 1, 3), torch.tensor([2.0, 4.0]).reshape(2, 1, 1, 1), mix)
    tensor([[[2., 3., 4.]]])
    """
    if weight.dim() != x.dim() + 1 or mix.dim() != x.dim() - 1 or mix.shape[-1] != len(weight):
        raise ValueError("low_rank_local: weight must be (R, O, C/groups, *kernel) and mix "
                         f"(*out, R) for x.shape = {tuple(x.shape)}, got weight.shape = "
                         f"{tuple(weight.shape)}, mix.shape = {tuple(mix.shape)}")
    groups = keywords.get("groups", 1)
    # The filters of a group must stand together: (groups, R, O/groups, C/groups, *kernel).
    grouped = weight.unflatten(1, (groups, -1)).transpose(0, 1)
    parts = conv(x, grouped.flatten(0, 2), **keywords)  # (N, groups * R * O/groups, *out)
    if parts.shape[2:] != mix.shape[:-1]:
        raise ValueError(f"low_rank_local: mix must be (*out, R) with out = "
                         f"{tuple(parts.shape[2:])}, got mix.shape = {tuple(mix.shape)}")
    parts = parts.unflatten(1, grouped.shape[:3])  # (N, groups, R, O/groups, *out)
    y = (parts * mix.movedim(-1, 0).unsqueeze(1)).sum(2).flatten(1, 2)
    return y if bias is None else y + _along_channels(bias, y)


def _sweep(name: str, family: Family, x: Tensor, weight: Tensor, bias: Tensor | None,
           keywords: Geometry) -> Tensor:
    return sweep(x, weight, bias, How.of(name, family, x.dim() - 2, **keywords).text)


def _transpose(family: Family, x: Tensor, weight: Tensor, bias: Tensor | None,
               keywords: Transposed) -> Tensor:
    name = _NAMES[family]
    rank = x.dim() - 2
    if not 1 <= rank <= 3 or weight.dim() < rank + 2:
        raise ValueError(f"{name}: x must be (N, I, *spatial) with 1, 2 or 3 spatial axes, and "
                         f"weight (*bank, I, O/groups, *kernel) with as many, got x.shape = "
                         f"{tuple(x.shape)}, weight.shape = {tuple(weight.shape)}")
    geometry: dict[str, Any] = {k: v for k, v in keywords.items() if k != "output_padding"}
    how = How.of(name, family, rank, **geometry)
    extra = as_output_padding(name, keywords.get("output_padding", 0), how)
    return transpose(x, weight, bias, how, extra)


def as_output_padding(name: str, value: Ints, how: How) -> tuple[int, ...]:
    """output_padding per axis, checked."""
    extra = per_axis(name, "output_padding", value, len(how.stride), 0)
    if any(e >= s for e, s in zip(extra, how.stride, strict=True)):
        raise ValueError(f"{name}: output_padding must be less than the stride {how.stride}, "
                         f"got {value!r}")
    if any(extra) and how.padding_name in ("same", "same_lower"):
        raise ValueError(f"{name}: padding={how.padding_name!r} makes the result stride times as "
                         f"large as x, so output_padding must be 0, got {value!r}")
    return extra


def transpose(x: Tensor, weight: Tensor, bias: Tensor | None, how: How,
              extra: Sequence[int]) -> Tensor:
    """y of any transposed family: the input gradient of its sweep, and a bias."""
    rank = len(how.stride)
    places = tuple(weight.shape[:rank]) if how.family == "local" else tuple(x.shape[2:])
    if x.shape[1:] != (weight.shape[-rank - 2], *places):
        raise ValueError(f"{_NAMES[how.family]}: x must have as many channels as weight, and a "
                         f"position for each filter of a local bank, got x.shape = "
                         f"{tuple(x.shape)}, weight.shape = {tuple(weight.shape)}")
    size = transposed_size(x.shape[2:], tuple(weight.shape[-rank:]), how, extra)
    y: Tensor = input_grad(x, weight, (x.shape[0], weight.shape[-rank - 1] * how.groups, *size),
                           how.text)
    return y if bias is None else y + _along_channels(bias, y)


def transposed_size(size: Sequence[int], kernel: Sequence[int], how: How,
                    extra: Sequence[int]) -> tuple[int, ...]:
    """Spatial size of a transposed result; `extra` is its output_padding."""
    if how.padding_name in ("same", "same_lower"):
        return tuple(n * s for n, s in zip(size, how.stride, strict=True))
    pads = tuple(zip(how.padding[::2], how.padding[1::2], strict=True))
    if how.padding_name:  # "valid", "full", "causal": the same for every size
        reach = (d * (k - 1) + 1 for d, k in zip(how.dilation, kernel, strict=True))
        pads = padding_amounts((1, 1, *reach), (1, 1, *kernel), padding=how.padding_name,
                               dilation=how.dilation)
    return tuple((n - 1) * s - low - high + d * (k - 1) + 1 + e for n, s, (low, high), d, k, e
                 in zip(size, how.stride, pads, how.dilation, kernel, extra, strict=True))


def _along_channels(bias: Tensor, y: Tensor) -> Tensor:
    """(O,) as (O, 1, ...), to be added to (N, O, *out)."""
    return bias.reshape(-1, *(1,) * (y.dim() - 2))
