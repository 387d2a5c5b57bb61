"""A layer in one direction and one dtype: its operands, and what the result must be.

Forward (f) makes y from x and w, input gradient (i) dx from dy and w, weight gradient (w) dw from
x and dy.  The operands come from a seed, so every process makes the same.

A result is right if nowhere it is further from the one in float64 than

    TOLERANCE * (eps * sum of |terms| + terms * smallest subnormal number)

Partial sums of random terms are far below the sum of |terms|, so that rounding after each term
costs about one eps of it whatever the order; transforms (FFT, Winograd) a few.  Arithmetic in a
narrower format, a wrong tap or a wrong edge costs hundreds at least.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .workloads import Layer, Shape

Array: TypeAlias = "npt.NDArray[Any]"
Direction: TypeAlias = Literal["f", "i", "w"]

DIRECTIONS: dict[str, str] = {"f": "forward", "i": "input gradient", "w": "weight gradient"}
DTYPES = ("float32", "float64")
TOLERANCE = 32


@dataclass(frozen=True)
class Case:
    layer: Layer
    direction: Direction
    dtype: str

    @property
    def id(self) -> str:
        return f"{self.layer.id} {self.direction} {self.dtype}"

    @property
    def shapes(self) -> dict[str, Shape]:
        return {"x": self.layer.x_shape, "w": self.layer.w_shape, "y": self.layer.y_shape}

    @property
    def operands(self) -> str:
        """Names of the two that are given; "y" stands for dy."""
        return {"f": "xw", "i": "yw", "w": "xy"}[self.direction]

    @property
    def result(self) -> str:
        """Name of the one that is made, with "x" for dx and "w" for dw."""
        return {"f": "y", "i": "x", "w": "w"}[self.direction]

    @property
    def bytes(self) -> int:
        return self.layer.elements * np.dtype(self.dtype).itemsize

    def array(self, name: str) -> Array:
        """Operand `name`: values of the normal distribution, in C order."""
        rng = np.random.default_rng(zlib.crc32(f"{name} {self.layer.id}".encode()))
        values = rng.standard_normal(self.shapes[name], np.dtype(self.dtype))
        if self.layer.suite == "denormal" and name == self.operands[0]:
            values *= np.finfo(self.dtype).tiny / 16
        return values

    def given(self) -> tuple[Array, Array]:
        a, b = map(self.array, self.operands)
        return a, b

    def keywords(self) -> dict[str, Any]:
        """Of our verbs."""
        return {"stride": self.layer.stride, "padding": self.layer.pad,
                "dilation": self.layer.dilation, "groups": self.layer.groups}

    @property
    def terms(self) -> int:
        """About how many products the sum of one element of the result has."""
        return max(1, self.layer.flops // 2 // math.prod(self.shapes[self.result]))

    def as_json(self) -> dict[str, Any]:
        return {"layer": asdict(self.layer), "direction": self.direction, "dtype": self.dtype}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Case:
        layer: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value
                                 for key, value in stored["layer"].items()}
        return cls(Layer(**layer), stored["direction"], stored["dtype"])


class Truth(NamedTuple):
    """The result in float64, and the sum of the absolute values of its terms."""

    value: Array
    scale: Array


class Check(NamedTuple):
    """How far a result is from the truth.  `worst` is in units of eps * sum of |terms|; `rms` is
    the root mean square error over that of the truth."""

    right: bool
    worst: float
    rms: float


def check(case: Case, result: Array, truth: Truth) -> Check:
    """Compare a result of the shape that `case` asks for; NaN counts as wrong."""
    if result.shape != truth.value.shape or result.dtype != np.dtype(case.dtype):
        raise ValueError(f"result is {result.dtype} of shape {result.shape}, expected {case.dtype} "
                         f"of shape {truth.value.shape}")
    kind = np.finfo(case.dtype)
    off = np.abs(result - truth.value)
    unit = float(kind.eps) * truth.scale + float(kind.smallest_subnormal) * case.terms
    worst = float(np.max(off / unit, initial=0))
    power = float(np.sqrt(np.mean(np.square(truth.value))))
    rms = float(np.sqrt(np.mean(np.square(off)))) / power if power else 0.0
    return Check(bool(worst <= TOLERANCE), worst, rms)
