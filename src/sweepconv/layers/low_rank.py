"""Locally connected layers of low rank: a few filters, mixed anew at each position."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Unpack

import numpy as np

from sweepconv.conv import bias_grad, conv, conv_input_grad, conv_weight_grad
from sweepconv.counts import Counts, counts_of
from sweepconv.geometry import Ints, output_shape, per_axis

from .base import Array, Shape
from .sweeps import SweepKeywords, _Sweep


class LowRankLocal(_Sweep):
    """Each position's filter is a sum of `rank` filters, weighted by position.

        y[n, o, p] = b[o] + sum over r of mix[p, r] * conv(x, w[r])[n, o, p]

    w is (R, O, C/groups, *kernel), mix (*out, R) and b (O,); w and mix are both learnt.  With rank
    1 and an even mix it is `Conv`, with as many filters as positions `LocalConv`; it starts as a
    conv, with an even mix of 1/sqrt(R).  `input_size` as in `LocalConv`, the rest as in `Conv`.

    Elsayed et al., "Revisiting Spatial Invariance with Low-Rank Local Connectivity", ICML 2020.

    Examples
    --------
    >>> layer = LowRankLocal(3, 64, 3, rank=2, input_size=(32, 32))
    >>> {name: p.shape for name, p in layer.params.items()}
    {'w': (2, 64, 3, 3, 3), 'mix': (30, 30, 2), 'b': (64,)}
    """

    family = "low_rank"
    verbs = (conv, conv_input_grad, conv_weight_grad)

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Ints, *, rank: int,
                 input_size: Ints, **keywords: Unpack[SweepKeywords]) -> None:
        self.sizes = input_size
        (self.rank,) = per_axis("LowRankLocal", "rank", rank, 1, 1)
        super().__init__(in_channels, out_channels, kernel_size, **keywords)
        w, bias = self.params["w"], self.params.pop("b", None)
        size = per_axis("LowRankLocal", "input_size", input_size, w.ndim - 3, 1)
        out = output_shape((1, in_channels, *size), w.shape[1:], **self.geometry)[2:]
        self.params["mix"] = np.full((*out, rank), 1 / math.sqrt(rank), w.dtype)
        if bias is not None:
            self.params["b"] = bias[0].copy()
        self._maps: list[Array] = []

    def _bank(self, ins: int, filter_shape: Shape, geometry: dict[str, Any]) -> Shape:
        return (self.rank,)

    def _mixes(self) -> list[Array]:
        """(*out) for each filter."""
        return list(np.moveaxis(self.params["mix"], -1, 0))

    def _forward(self, x: Array) -> Array:
        self._maps = [conv(x, w, **self._keywords) for w in self.params["w"]]
        mixes = self._mixes()
        y = mixes[0] * self._maps[0]
        for mix, a in zip(mixes[1:], self._maps[1:], strict=True):
            y += mix * a
        if "b" in self.params:
            y += self.params["b"].reshape(-1, *(1,) * (y.ndim - 2))
        return y

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array | None:
        w = self.params["w"]
        parts = [mix * dy for mix in self._mixes()]  # what reaches the maps of each filter
        self._grads["w"] = np.stack([
            conv_weight_grad(x, part, w.shape[1:], **self._keywords) for part in parts])
        self._grads["mix"] = np.stack([(dy * a).sum((0, 1)) for a in self._maps], axis=-1)
        if "b" in self.params:
            self._grads["b"] = bias_grad(dy, self.params["b"].shape)
        if not input_grad:
            return None
        dx = conv_input_grad(parts[0], w[0], x.shape, **self._keywords)
        for part, each in zip(parts[1:], w[1:], strict=True):
            conv_input_grad(part, each, x.shape, out=dx, accumulate=True, **self._keywords)
        return dx

    def counts(self, in_shape: Sequence[int]) -> Counts:
        """Of R convs, and of their mixture."""
        w, mixes = self.params["w"], self.params["mix"].size
        one = counts_of("conv", in_shape, w.shape[1:], bias="b" in self.params, **self.geometry)
        mixing = self.rank * math.prod(one.y_shape)
        return replace(
            one, family=self.family, weights=w.size + mixes,
            weights_in_use=self.rank * one.weights_in_use + mixes,
            multiply_adds=self.rank * one.multiply_adds + mixing,
            useful_multiply_adds=self.rank * one.useful_multiply_adds + mixing,
            flops=self.rank * one.flops + 2 * mixing - math.prod(one.y_shape))
