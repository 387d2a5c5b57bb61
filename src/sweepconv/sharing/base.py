"""What every sharing map has: expand, reduce, project, and what follows from them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import operands, require_shape

Array: TypeAlias = "npt.NDArray[Any]"
Shape: TypeAlias = "tuple[int, ...]"

SAME = 1e-9  # relative residual below which a projection in float64 counts as no change


class Map(ABC):
    """The linear map P from stored weights to the weights of the dense layer that does the same.

    Attributes
    ----------
    w_shape : shape of the stored weights.
    dense_shape : (O, *out, C, *spatial), shape of the dense weights.
    """

    w_shape: Shape
    dense_shape: Shape

    @abstractmethod
    def _expand(self, w: Array) -> Array: ...

    @abstractmethod
    def _reduce(self, dense: Array) -> Array: ...

    @abstractmethod
    def _solve(self, w: Array) -> Array:
        """The pseudo-inverse of P transposed P, for w in float64."""

    @property
    @abstractmethod
    def multiplicity(self) -> Array:
        """Shape w_shape, integers: dense weights that each stored weight stands in for; 0 for a
        dead one, which no output reads."""

    @property
    def n_params(self) -> int:
        """Stored weights, dead ones too."""
        return math.prod(self.w_shape)

    @property
    def n_used(self) -> int:
        """Stored weights that some output reads."""
        return int(np.count_nonzero(self.multiplicity))

    @property
    def nnz(self) -> int:
        """Ones in P: multiply-adds of one image that do not meet padding."""
        return int(self.multiplicity.sum())

    def expand(self, w: npt.ArrayLike) -> Array:
        """P w: the dense weights (O, *out, C, *spatial) that compute what `w` computes."""
        (array,) = operands("expand", w=w)
        require_shape("expand", "w", array, self.w_shape, "as this pattern stores them")
        return self._expand(array)

    def reduce(self, dense: npt.ArrayLike) -> Array:
        """P transposed: the gradient of the stored weights, from that of the dense ones.

        Each stored weight receives the sum over all places that share it.
        """
        array = self._dense("reduce", dense)
        return self._reduce(array.astype(np.float64, copy=False)).astype(array.dtype)

    def project(self, dense: npt.ArrayLike) -> tuple[Array, float]:
        """The stored weights nearest to dense ones, and how far away they are.

        Returns
        -------
        w : w_shape, the least-squares solution of P w = dense; 0 for dead weights.
        residual : ||dense - P w|| / ||dense||, from 0 (P holds it) to 1; 0 for dense = 0.
        """
        array = self._dense("project", dense)
        exact = array.astype(np.float64, copy=False)
        w = self._solve(self._reduce(exact)).astype(array.dtype)
        norm = float(np.linalg.norm(exact))
        left = float(np.linalg.norm(exact - self._expand(w.astype(np.float64))))
        return w, left / norm if norm else 0.0

    def contains(self, other: Map) -> bool:
        """Whether every layer of `other` is one of this pattern: range(P other) in range(P).

        Decided by projecting a random member: what is not contained leaves a residual with
        probability 1.
        """
        if self.dense_shape != other.dense_shape:
            return False
        w = np.random.default_rng(0).standard_normal(other.w_shape)
        return self.project(other._expand(w))[1] < SAME

    def index_map(self) -> Array:
        """Shape dense_shape, integers: which stored weight (row-major) stands at each place, -1
        for none.

        Raises
        ------
        ValueError
            Where several add up in one place, as with reflecting padding.
        """
        one_based = np.arange(1, self.n_params + 1).reshape(self.w_shape)
        if self._expand(np.ones(self.w_shape, np.int64)).max(initial=0) > 1:
            raise ValueError("index_map: several stored weights add up in one dense weight")
        index: Array = self._expand(one_based) - 1
        return index

    def _dense(self, verb: str, dense: npt.ArrayLike) -> Array:
        (array,) = operands(verb, dense=dense)
        require_shape(verb, "dense", array, self.dense_shape,
                      f"for stored weights of shape {self.w_shape}")
        return array

    def __repr__(self) -> str:
        return (f"{type(self).__name__}({self.w_shape} -> {self.dense_shape}, "
                f"{self.n_used} of {self.n_params} weights in use, {self.nnz} ones)")
