"""Modules with PyTorch's own arguments: one body for every family, rank and direction.

`ConvNd` holds all of it.  A subclass says what tells it apart in class attributes:

    family, transposed     which operator runs, and the shape of the weights
    axes                   number of spatial axes; None: that of the arguments (see ranks.py)
    own                    its own argument per axis, "period" or "input_size"

Parameters are named `weight` and `bias` and have the shapes of the verbs' w and b.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sweepconv._adapters import How
from sweepconv.geometry import (
    Family,
    Ints,
    Padding,
    frozen,
    geometry,
    output_shape,
    per_axis,
)

from ._ops import sweep
from .functional import as_output_padding, low_rank_local, transpose


def _count_axes(*arguments: Any) -> int:
    """The length of the first sequence; 2 where all are single values."""
    lengths = (len(v) for v in arguments if hasattr(v, "__len__") and not isinstance(v, str))
    return next(lengths, 2)


class ConvNd(nn.Module):
    """Convolution over 1, 2 or 3 spatial axes; `Conv1d`, `Conv2d`, `Conv3d` fix their number.

        y[n, o, p] = b[o] + sum over c, t of w[o, c, t] * x[n, c, p*stride + t*dilation - padding]

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode,
    device, dtype : as in `torch.nn.Conv2d`.  padding may also be all that `sweepconv.conv` takes,
        (low, high) pairs and "same" at any stride among it; padding_mode also "symmetric".
        Without a fixed number of axes it is that of the first argument given per axis, else 2.

    Attributes
    ----------
    weight : (O, C/groups, *kernel), from U(-r, r) with r = 1/sqrt(C/groups * prod(kernel)).
    bias : (O,) from the same U(-r, r), or None.

    Examples
    --------
    >>> import torch
    >>> layer = ConvNd(3, 16, (3, 3), stride=2, padding=1, padding_mode="circular")
    >>> layer
    ConvNd(3, 16, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), padding_mode=circular)
    >>> layer(torch.zeros(8, 3, 32, 32)).shape
    torch.Size([8, 16, 16, 16])
    """

    family: ClassVar[Family] = "conv"
    transposed: ClassVar[bool] = False
    axes: ClassVar[int | None] = None
    own: ClassVar[str] = ""
    output_padding: Ints = 0

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1,
        padding: Padding = 0, dilation: Ints = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:
        super().__init__()
        self._take_channels(in_channels, out_channels, groups)
        own = getattr(self, self.own) if self.own else 1
        axes = self.axes or _count_axes(kernel_size, own, stride, dilation, padding)
        name = type(self).__name__
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, axes, 1)
        if self.own:
            setattr(self, self.own, per_axis(name, self.own, own, axes, 1))
        self._take_sweep(How.of(name, self.family, axes, stride=stride, padding=padding,
                                dilation=dilation, groups=self.groups, padding_mode=padding_mode))
        pads = frozen(name, "padding", padding)
        self.padding = (pads,) * axes if isinstance(pads, int) else pads
        self._make_parameters(bias, {"device": device, "dtype": dtype})
        self.reset_parameters()

    def _take_channels(self, in_channels: int, out_channels: int, groups: int) -> None:
        name = type(self).__name__
        counts = {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}
        self.in_channels, self.out_channels, self.groups = (
            per_axis(name, k, v, 1, 1)[0] for k, v in counts.items())
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(f"{name}: groups must divide in_channels and out_channels, got "
                             f"groups={groups} for {in_channels} and {out_channels}")

    def _take_sweep(self, how: How) -> None:
        name, ones = type(self).__name__, (1,) * len(how.stride)
        # The names of padding are checked on a sweep of one element.
        geometry(name, "conv", (0, 1, *ones), (1, 1, *ones), padding=how.padding_name or 0,
                 padding_mode=how.padding_mode)
        self._how, self.stride, self.dilation = how, how.stride, how.dilation
        self.padding_mode = how.padding_mode
        self.output_padding = self._extra = as_output_padding(name, self.output_padding, how)

    def _filters(self) -> tuple[int, ...]:
        """Shape of all that stands at one place of the bank."""
        ins, outs = self.in_channels, self.out_channels
        first, second = (ins, outs) if self.transposed else (outs, ins)
        return (first, second // self.groups, *self.kernel_size)

    def _bank(self) -> tuple[int, ...]:
        """Leading shape of the weights: one filter, one a residue, or one a position.

        The positions of a sweep are those of its result; of a transposed one, those of its input.
        """
        if not self.own:
            return ()
        sizes: tuple[int, ...] = getattr(self, self.own)
        if self.family == "tiled" or self.transposed:
            return sizes
        keywords = {k: getattr(self, k)
                    for k in ("stride", "padding", "dilation", "groups", "padding_mode")}
        return output_shape((1, self.in_channels, *sizes), self._filters(), **keywords)[2:]

    def _make_parameters(self, bias: bool, factory: dict[str, Any]) -> None:
        bank = self._bank()
        self.weight = nn.Parameter(torch.empty(*bank, *self._filters(), **factory))
        # A filter of a transposed bank has no output position that is its own.
        shape = (self.out_channels,) if self.transposed else (*bank, self.out_channels)
        self.bias = nn.Parameter(torch.empty(shape, **factory)) if bias else None

    def reset_parameters(self) -> None:
        """Draw weight, then bias, as PyTorch's convolutions do; a filter's fan-in is its own."""
        filters = self._filters()
        one_bank = self.weight.detach().flatten(0, -len(filters))
        nn.init.kaiming_uniform_(one_bank, a=math.sqrt(5))  # r = 1/sqrt(fan-in)
        if self.bias is not None:
            r = 1 / math.sqrt(math.prod(filters[1:]))
            nn.init.uniform_(self.bias, -r, r)

    def forward(self, x: Tensor) -> Tensor:
        """y (N, O, *out) of x (N, C, *spatial), or both without N."""
        axes = len(self.kernel_size)
        if x.dim() == axes + 1:
            return self._swept(x.unsqueeze(0)).squeeze(0)
        if x.dim() != axes + 2:
            raise ValueError(f"{type(self).__name__}: x must be (N, C, *spatial) or (C, *spatial) "
                             f"with {axes} spatial axes, got x.shape = {tuple(x.shape)}")
        return self._swept(x)

    def _swept(self, x: Tensor) -> Tensor:
        y: Tensor = sweep(x, self.weight, self.bias, self._how.text)
        return y

    def extra_repr(self) -> str:
        text = (f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}")
        shown = {"padding": any(self._how.padding) or self._how.padding_name,
                 "dilation": max(self.dilation) > 1, "output_padding": any(self._extra),
                 "groups": self.groups > 1}
        text += "".join(f", {name}={getattr(self, name)}" for name, show in shown.items() if show)
        text += ", bias=False" if self.bias is None else ""
        text += f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else ""
        return text + (f", {self.own}={getattr(self, self.own)}" if self.own else "")


class TiledConvNd(ConvNd):
    """Tile sharing: position p uses filter p mod period of the bank.

    `period` is an int or one per spatial axis, the rest as in `ConvNd`; weight is
    (*period, O, C/groups, *kernel) and bias (*period, O).

    Examples
    --------
    >>> TiledConvNd(3, 16, 3, padding="same", period=2).weight.shape
    torch.Size([2, 2, 16, 3, 3, 3])
    """

    family = "tiled"
    own = "period"

    def __init__(self, *arguments: Any, period: Ints, **keywords: Any) -> None:
        self.period = period
        super().__init__(*arguments, **keywords)


class LocalConvNd(ConvNd):
    """Locally connected: every output position has its own filter.

    `input_size`, an int or one per spatial axis, is the size of the images, the rest as in
    `ConvNd`; weight is (*out, O, C/groups, *kernel) and bias (*out, O).

    Examples
    --------
    >>> layer = LocalConvNd(16, 32, 3, input_size=(32, 32))
    >>> layer.weight.shape, layer.bias.shape
    (torch.Size([30, 30, 32, 16, 3, 3]), torch.Size([30, 30, 32]))
    """

    family = "local"
    own = "input_size"

    def __init__(self, *arguments: Any, input_size: Ints, **keywords: Any) -> None:
        self.input_size = input_size
        super().__init__(*arguments, **keywords)


class ConvTransposeNd(ConvNd):
    """The adjoint of a convolution: each position of x lays its filter onto the result.

    Arguments as in `torch.nn.ConvTranspose2d`, with all values that `ConvNd` takes and every
    padding_mode; output_padding must be less than the stride.  weight is (I, O/groups, *kernel).

    Examples
    --------
    >>> import torch
    >>> ConvTransposeNd(16, 3, 4, stride=2, padding=1)(torch.zeros(1, 16, 8, 8)).shape
    torch.Size([1, 3, 16, 16])
    """

    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1,
        padding: Padding = 0, output_padding: Ints = 0, groups: int = 1, bias: bool = True,
        dilation: Ints = 1, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:
        self.output_padding = output_padding
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation,
                         groups, bias, padding_mode, device, dtype)

    def _swept(self, x: Tensor) -> Tensor:
        return transpose(x, self.weight, self.bias, self._how, self._extra)


class TiledConvTransposeNd(TiledConvNd, ConvTransposeNd):
    """The adjoint of a tiled convolution: position p of x lays filter p mod period.

    weight is (*period, I, O/groups, *kernel) and bias (O,); arguments as in `ConvTransposeNd`, and
    `period`.

    Examples
    --------
    >>> TiledConvTransposeNd(16, 3, 4, stride=2, padding=1, period=2).weight.shape
    torch.Size([2, 2, 16, 3, 4, 4])
    """


class LocalConvTransposeNd(LocalConvNd, ConvTransposeNd):
    """The adjoint of a locally connected layer: each position of x lays its own filter.

    weight is (*input_size, I, O/groups, *kernel) and bias (O,); arguments as in
    `ConvTransposeNd`, and `input_size`, the spatial size of x.

    Examples
    --------
    >>> LocalConvTransposeNd(16, 3, 4, stride=2, padding=1, input_size=8).weight.shape
    torch.Size([8, 8, 16, 3, 4, 4])
    """


class LowRankLocal(LocalConvNd):
    """A local bank of low rank: each position mixes a few shared filters (LRLC).

        y[n, o, p] = b[o] + sum over r of mix[p, r] * conv(x, weight[r])[n, o, p]

    After Elsayed, Ramachandran, Shlens and Kornblith (2020), arXiv 2002.02959.  `rank` is the
    number of shared filters for each output channel, the rest as in `LocalConvNd`.

    Attributes
    ----------
    weight : (rank, O, C/groups, *kernel), drawn as in `ConvNd`.
    mix : (*out, rank), 1/sqrt(rank) at the start: the layer begins as a convolution whose weights
        have the variance of PyTorch's, and gives up sharing where that pays.
    bias : (O,) or None.

    Examples
    --------
    >>> layer = LowRankLocal(16, 32, 3, input_size=32, rank=4)
    >>> layer.weight.shape, layer.mix.shape
    (torch.Size([4, 32, 16, 3, 3]), torch.Size([30, 30, 4]))
    """

    def __init__(self, *arguments: Any, input_size: Ints, rank: int, **keywords: Any) -> None:
        (self.rank,) = per_axis(type(self).__name__, "rank", rank, 1, 1)
        super().__init__(*arguments, input_size=input_size, **keywords)

    def _make_parameters(self, bias: bool, factory: dict[str, Any]) -> None:
        self.weight = nn.Parameter(torch.empty(self.rank, *self._filters(), **factory))
        self.mix = nn.Parameter(torch.empty(*self._bank(), self.rank, **factory))
        self.bias = nn.Parameter(torch.empty(self.out_channels, **factory)) if bias else None

    def reset_parameters(self) -> None:
        super().reset_parameters()
        nn.init.constant_(self.mix, 1 / math.sqrt(self.rank))

    def _swept(self, x: Tensor) -> Tensor:
        return low_rank_local(x, self.weight, self.mix, self.bias, stride=self.stride,
                              padding=self.padding, dilation=self.dilation, groups=self.groups,
                              padding_mode=self.padding_mode)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, rank={self.rank}"
