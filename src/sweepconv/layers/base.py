"""What every layer has: a call, its way back, parameters and counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from sweepconv.counts import Counts

Array: TypeAlias = npt.NDArray[Any]
Shape: TypeAlias = "tuple[int, ...]"


class Layer:
    """What every layer has.  A subclass defines `_forward` and `_backward`.

    Attributes
    ----------
    residual : how far a layer that was made by `sharing.convert` is from the one it was made of.
    """

    residual = 0.0

    def __init__(self) -> None:
        self._params: dict[str, Array] = {}
        self._grads: dict[str, Array] = {}
        self._x: Array | None = None
        self._y_shape: Shape = ()

    def _forward(self, x: Array) -> Array:
        raise NotImplementedError

    def _backward(self, dy: Array, x: Array, input_grad: bool) -> Array | None:
        raise NotImplementedError

    def __call__(self, x: npt.ArrayLike) -> Array:
        x = np.asarray(x)
        y = self._forward(x)
        self._x, self._y_shape = x, y.shape
        return y

    @overload
    def backward(self, dy: npt.ArrayLike) -> Array: ...
    @overload
    def backward(self, dy: npt.ArrayLike, *, input_grad: bool) -> Array | None: ...
    def backward(self, dy: npt.ArrayLike, *, input_grad: bool = True) -> Array | None:
        """Gradients of the last call: fills `grads`, returns dx (None if not `input_grad`)."""
        dy, name = np.asarray(dy), type(self).__name__
        if self._x is None:
            raise RuntimeError(f"{name}.backward: no forward call to go back through; "
                               "call the layer first")
        if dy.shape != self._y_shape:
            raise ValueError(f"{name}.backward: dy must have the shape of the last y, "
                             f"{self._y_shape}, got dy.shape = {dy.shape}")
        if not input_grad and not self.params:
            return None
        return self._backward(dy, self._x, input_grad)

    @property
    def params(self) -> dict[str, Array]:
        """Parameters by name; change the arrays in place."""
        return self._params

    @property
    def grads(self) -> dict[str, Array]:
        """Gradients of the last `backward`, under the parameters' names."""
        return self._grads

    @property
    def n_params(self) -> int:
        """Stored parameters, weights and biases; an array that two layers share counts once."""
        return sum({id(p): p.size for p in self.params.values()}.values())

    def out_shape(self, in_shape: Sequence[int]) -> Shape:
        """Shape of one result for one input of `in_shape`, both without the batch axis."""
        dtype = next((p.dtype for p in self.params.values()), np.float32)
        return self._forward(np.zeros((0, *in_shape), dtype)).shape[1:]  # a batch of no images

    def counts(self, in_shape: Sequence[int]) -> Counts:
        """What this layer alone stores and computes for one input, in exact integers.

        Of a layer that does not say more, only the parameters are known.  A new kind of layer
        returns its own `Counts` here, and is then counted everywhere.
        """
        n = self.n_params
        return Counts(type(self).__name__, tuple(in_shape), self.out_shape(in_shape), weights=n,
                      weights_in_use=n)

    def each(self, in_shape: Sequence[int]) -> Iterator[tuple[str, Layer, Counts]]:
        """(name, layer, counts) of every layer inside that is not made of layers, in order."""
        yield "", self, self.counts(in_shape)

    def multiply_adds(self, in_shape: Sequence[int]) -> int:
        """Multiply-adds of one forward pass for one input.

        Every tap counts, those on zero padding as well: L * O * (C/groups) * prod(kernel), L the
        output positions (the input positions for ConvTranspose, 1 for dense).
        """
        return sum(counts.multiply_adds for _, _, counts in self.each(in_shape))

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {p.shape}" for name, p in self.params.items())
        return f"{type(self).__name__}({shapes})"
