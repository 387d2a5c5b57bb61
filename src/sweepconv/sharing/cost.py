"""`cost`: what a layer or a net stores and computes for one image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sweepconv.counts import Counts
from sweepconv.geometry import as_shape
from sweepconv.layers import Layer

from .field import Fields, follow
from .table import Shown, Table, between, each_axis, number, significant


@dataclass(frozen=True)
class Row:
    """One layer of a net.

    Attributes
    ----------
    name : place in the net and class, "0 Conv".
    counts : of this layer alone.
    field : receptive field of its outputs, one `Field` per spatial axis, in elements of the net's
        input; None after a layer whose outputs see fields of different or unknown size.
    tied : "w", "b" where this array belongs to an earlier row as well; it counts once in totals.
    """

    name: str
    counts: Counts
    field: Fields
    tied: frozenset[str] = frozenset()


@dataclass(frozen=True, repr=False)
class Cost(Shown):
    """What a net stores and computes for one image, all layers together; `rows` has each.

    Uses, fields and counts are those of `Counts` and `Field`.  Weights that two layers share are
    stored once, and read by each.
    """

    rows: tuple[Row, ...]
    dtype: str

    def _sum(self, name: str, untied: str = "") -> int:
        return sum(getattr(r.counts, name) for r in self.rows if untied not in r.tied)

    @property
    def x_shape(self) -> tuple[int, ...]:
        return self.rows[0].counts.x_shape

    @property
    def y_shape(self) -> tuple[int, ...]:
        return self.rows[-1].counts.y_shape

    @property
    def field(self) -> Fields:
        """Receptive field of the result, one `Field` per spatial axis, or None."""
        return self.rows[-1].field

    @property
    def weights(self) -> int:
        return self._sum("weights", "w")

    @property
    def biases(self) -> int:
        return self._sum("biases", "b")

    @property
    def parameters(self) -> int:
        return self.weights + self.biases

    @property
    def weights_in_use(self) -> int:
        return self._sum("weights_in_use", "w")

    @property
    def parameters_in_use(self) -> int:
        """Without dead taps and unused filters."""
        return self.weights_in_use + self._sum("biases_in_use", "b")

    @property
    def most_uses(self) -> int:
        return max(r.counts.most_uses for r in self.rows)

    @property
    def least_uses(self) -> int:
        """Of the weights in use; 0 if there are none."""
        return min((r.counts.least_uses for r in self.rows if r.counts.least_uses), default=0)

    @property
    def mean_uses(self) -> Fraction:
        """Useful multiply-adds per weight in use."""
        return Fraction(self.useful_multiply_adds, self.weights_in_use or 1)

    @property
    def multiply_adds(self) -> int:
        """Of the forward pass, every tap."""
        return self._sum("multiply_adds")

    @property
    def useful_multiply_adds(self) -> int:
        """Without the taps that fall on zero padding."""
        return self._sum("useful_multiply_adds")

    @property
    def gradient_multiply_adds(self) -> int:
        """Of the gradients of all inputs and all weights, every tap."""
        return self._sum("gradient_multiply_adds")

    @property
    def flops(self) -> int:
        return self._sum("flops")

    @property
    def bytes(self) -> dict[str, int]:
        """Sizes of x, w, b and y, over all layers: each reads and writes its own once."""
        each = [r.counts.bytes(np.dtype(self.dtype).itemsize) for r in self.rows]
        return {name: sum(sizes[name] for sizes in each) for name in "xwby"}

    @property
    def intensity(self) -> Fraction:
        """2 * multiply-adds / bytes."""
        return Fraction(2 * self.multiply_adds, sum(self.bytes.values()) or 1)

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries."""
        total = {name: getattr(self, name) for name in SUMS}
        uses = {"least": self.least_uses, "most": self.most_uses, "mean": float(self.mean_uses)}
        return {
            "dtype": self.dtype, "x_shape": list(self.x_shape), "y_shape": list(self.y_shape),
            **total, "uses": uses, "bytes": self.bytes, "intensity": float(self.intensity),
            "field": _fields(self.field),
            "layers": [{"name": r.name, **counts_dict(r.counts, self.dtype),
                        "field": _fields(r.field), "tied": sorted(r.tied)} for r in self.rows],
        }

    def _table(self) -> Table:
        rows = [(r.name, str(r.counts.y_shape), number(r.counts.parameters) + "*" * bool(r.tied),
                 *_work(r.counts), _field(r.field)) for r in self.rows]
        total = ("total", "", number(self.parameters), "", number(self.multiply_adds),
                 number(self.useful_multiply_adds), "")
        sizes = ", ".join(f"{name} {size:,}" for name, size in self.bytes.items())
        notes = [f"bytes: {sizes}; {significant(float(self.intensity))} operations a byte"]
        if self.parameters_in_use < self.parameters:
            notes.insert(0, f"parameters in use: {self.parameters_in_use:,}")
        if any(r.tied for r in self.rows):
            notes.append("* shared with a layer above, counted once in the total")
        return Table(f"one image of shape {self.x_shape}, {self.dtype}",
                     ("layer", "result", "parameters", "uses", "multiply-adds", "useful", "field"),
                     rows, total if len(rows) > 1 else (), notes, left=2)


SUMS = ("weights", "biases", "parameters", "parameters_in_use", "multiply_adds",
        "useful_multiply_adds", "gradient_multiply_adds", "flops")


def _work(counts: Counts) -> tuple[str, str, str]:
    return (between(counts.least_uses, counts.most_uses), number(counts.multiply_adds),
            number(counts.useful_multiply_adds))


def _field(fields: Fields) -> str:
    return "?" if fields is None else each_axis([f.size for f in fields])


def _fields(fields: Fields) -> list[dict[str, Any]] | None:
    return None if fields is None else [
        {"size": f.size, "jump": f.jump, "start": float(f.start), "variance": float(f.variance)}
        for f in fields]


def counts_dict(counts: Counts, dtype: str) -> dict[str, Any]:
    """One layer's counts for JSON; the mean of the uses and the intensity as floats."""
    sizes = counts.bytes(np.dtype(dtype).itemsize)
    return {
        "family": counts.family, "x_shape": list(counts.x_shape), "y_shape": list(counts.y_shape),
        "filters": counts.filters, "filter_size": counts.filter_size,
        **{name: getattr(counts, name) for name in SUMS},
        "uses": {"least": counts.least_uses, "most": counts.most_uses,
                 "mean": float(counts.mean_uses)},
        "bytes": sizes, "intensity": 2 * counts.multiply_adds / (sum(sizes.values()) or 1),
    }


def cost(layer: Layer | Counts | Iterable[Counts], x_shape: Sequence[int] | None = None, *,
         dtype: npt.DTypeLike | None = None) -> Cost:
    """What a layer or a net stores and computes for one image, in exact integers.

    Parameters
    ----------
    layer : a layer, a `Sequential`, or what has no arrays: one `counts_of(...)` or several in a
        row, where each takes as many elements as the one before gives.
    x_shape : of one image, without the batch, as `Layer.out_shape` takes it: (C, *spatial) or
        (D,).  Only for a layer: counts know theirs.
    dtype : of x, for the bytes; default that of the parameters, else float32.

    Returns
    -------
    Cost
        `str(...)` is a table; `.rows` has one entry per layer.

    Examples
    --------
    >>> from sweepconv.layers import Conv, Dense, Flatten, MaxPool, ReLU, Sequential
    >>> net = Sequential(Conv(1, 4, 3, padding=1), ReLU(), MaxPool(2), Flatten(), Dense(64, 10))
    >>> total = cost(net, (1, 8, 8))
    >>> total.parameters, total.multiply_adds, total.useful_multiply_adds
    (690, 2944, 2576)
    >>> print(total)
    one image of shape (1, 8, 8), float32
    layer      result     parameters      uses  multiply-adds  useful  field
    ------------------------------------------------------------------------
    0 Conv     (4, 8, 8)          40  49 to 64          2,304   1,936    3x3
    1 ReLU     (4, 8, 8)           -         -              -       -    3x3
    2 MaxPool  (4, 4, 4)           -         -              -       -    4x4
    3 Flatten  (64,)               -         -              -       -    4x4
    4 Dense    (10,)             650         1            640     640  10x10
    ------------------------------------------------------------------------
    total                        690                    2,944   2,576
    bytes: x 2,816, w 2,704, b 56, y 2,600; 0.72 operations a byte
    """
    if isinstance(layer, Layer):
        if x_shape is None:
            raise TypeError("cost: x_shape is needed for a layer: (C, *spatial) of one image")
        rows = tuple(_rows_of_layer(layer, as_shape("cost", "x_shape", x_shape)))
        kept = next((p.dtype for p in layer.params.values()), np.dtype(np.float32))
    else:
        if x_shape is not None:
            raise TypeError(f"cost: counts know their x_shape, got x_shape = {x_shape!r} as well")
        rows = tuple(_rows_of_counts([layer] if isinstance(layer, Counts) else list(layer)))
        kept = np.dtype(np.float32)
    if not rows:
        raise ValueError("cost: there is no layer to count")
    return Cost(rows, dtype_name("cost", kept if dtype is None else dtype))


def dtype_name(verb: str, dtype: npt.DTypeLike) -> str:
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"{verb}: dtype must be float32 or float64, got {np.dtype(dtype)}")
    return np.dtype(dtype).name


def _rows_of_layer(net: Layer, x_shape: tuple[int, ...]) -> Iterator[Row]:
    found = list(net.each(x_shape))
    fields = follow(counts for _, _, counts in found)
    seen: set[int] = set()  # arrays of the rows above
    for (place, layer, counts), field in zip(found, fields, strict=True):
        tied = frozenset(name for name, p in layer.params.items() if id(p) in seen)
        seen.update(map(id, layer.params.values()))
        yield Row(f"{place} {type(layer).__name__}".lstrip(), counts, field, tied)


def _rows_of_counts(layers: list[Counts]) -> Iterator[Row]:
    for i, (before, after) in enumerate(pairwise(layers)):
        if prod(before.y_shape) != prod(after.x_shape):
            raise ValueError(f"cost: layer {i + 1} takes x_shape = {after.x_shape}, but layer {i} "
                             f"gives {before.y_shape}")
    for i, (counts, field) in enumerate(zip(layers, follow(layers), strict=True)):
        yield Row(f"{i} {counts.family}" if len(layers) > 1 else counts.family, counts, field)
