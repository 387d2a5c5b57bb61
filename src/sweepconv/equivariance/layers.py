"""`BlurPool` and `APS`: subsampling as layers, for the place of a stride or a pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sweepconv._arrays import Array
from sweepconv.counts import Counts, Window
from sweepconv.geometry import Ints, per_axis
from sweepconv.layers import Layer

from .aps import Norm, aps, aps_input_grad, checked_norm
from .blur import blur_pool, blur_pool_input_grad, checked_kernel


class BlurPool(Layer):
    """Binomial blur, then a stride.  See `blur_pool`.

    Examples
    --------
    >>> BlurPool(5).out_shape((3, 8, 8))
    (3, 4, 4)
    """

    def __init__(self, kernel_size: int = 3, *, stride: Ints = 2,
                 padding_mode: str = "circular") -> None:
        super().__init__()
        self.kernel_size = checked_kernel("BlurPool", kernel_size)
        self.stride, self.padding_mode = stride, padding_mode

    def _forward(self, x: Array) -> Array:
        return blur_pool(x, self.kernel_size, stride=self.stride, padding_mode=self.padding_mode)

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        return blur_pool_input_grad(dy, x.shape, self.kernel_size, stride=self.stride,
                                    padding_mode=self.padding_mode)

    def counts(self, in_shape: Sequence[int]) -> Counts:
        k = self.kernel_size
        strides = per_axis("BlurPool", "stride", self.stride, len(in_shape) - 1, 1)
        return replace(super().counts(in_shape),
                       reads=tuple(Window(k, s, 1, (k - 1) // 2) for s in strides))


class APS(Layer):
    """The polyphase component of largest norm.  See `aps`.

    Examples
    --------
    >>> APS(2).out_shape((3, 8, 8))
    (3, 4, 4)
    """

    def __init__(self, stride: Ints = 2, *, norm: Norm = "max") -> None:
        super().__init__()
        self.stride, self.norm = stride, checked_norm("APS", norm)
        self._index = np.zeros(0, np.intp)

    def _forward(self, x: Array) -> Array:
        y, self._index = aps(x, self.stride, norm=self.norm)
        return y

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array:
        return aps_input_grad(dy, self._index, x.shape, self.stride)
