"""`compare`: one layer as each family of the ladder, what it stores and what it computes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sweepconv.counts import LADDER, Counts, ladder_counts
from sweepconv.geometry import Ints, Padding, as_shape, frozen

from .cost import counts_dict, dtype_name
from .table import Shown, Table, between, number, significant

# What a title leaves out, since it says nothing.
DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros",
            "bias": True}
LEGEND = ("useful: without taps on zero padding; bytes: x, w, b and y; "
          "intensity: 2 * multiply-adds / bytes")


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """The counts of several families that make maps of the same size from the same image.

    Attributes
    ----------
    rows : one `Counts` per family; `comparison["conv"]` is that of one.
    x_shape, y_shape : (C, *spatial) of the image and (O, *out) of the maps.
    settings : kernel and keywords, as they were given.
    dtype : of all arrays.
    """

    rows: tuple[Counts, ...]
    x_shape: tuple[int, ...]
    y_shape: tuple[int, ...]
    settings: dict[str, Any]
    dtype: str

    def __getitem__(self, family: str) -> Counts:
        for counts in self.rows:
            if counts.family == family:
                return counts
        raise KeyError(family)

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries."""
        return {"dtype": self.dtype, "x_shape": list(self.x_shape), "y_shape": list(self.y_shape),
                "settings": self.settings,
                "families": [counts_dict(c, self.dtype) for c in self.rows]}

    def _cells(self, c: Counts) -> tuple[str, ...]:
        size = sum(c.bytes(np.dtype(self.dtype).itemsize).values())
        return (c.family, number(c.weights), number(c.biases),
                between(c.least_uses, c.most_uses), number(c.multiply_adds),
                number(c.useful_multiply_adds), number(size),
                significant(2 * c.multiply_adds / (size or 1)))

    def _table(self) -> Table:
        notes = [f"{c.family}: {c.parameters_in_use:,} of {c.parameters:,} parameters are in use"
                 for c in self.rows if c.parameters_in_use < c.parameters]
        told = [f"x {self.x_shape}", f"y {self.y_shape}", *(
            f"{name} {value}" for name, value in self.settings.items()
            if value != DEFAULTS.get(name)), self.dtype]
        return Table(", ".join(told),
                     ("family", "weights", "biases", "uses", "multiply-adds", "useful", "bytes",
                      "intensity"),
                     [self._cells(c) for c in self.rows], notes=[*notes, LEGEND])


def compare(x_shape: Sequence[int], out_channels: int, kernel: Ints, *, stride: Ints = 1,
            padding: Padding = 0, dilation: Ints = 1, groups: int = 1, padding_mode: str = "zeros",
            period: Ints = 2, bias: bool = True, dtype: npt.DTypeLike = np.float32,
            families: Iterable[str] = LADDER) -> Comparison:
    """One layer as dense, local, tiled and conv: the ladder of sharing in exact integers.

    All make maps (out_channels, *out) from an image of `x_shape`; dense with a filter as big as
    the image for each of their elements.

    Parameters
    ----------
    x_shape : (C, *spatial) of one image, without the batch.
    out_channels, kernel : O, and an int or one per spatial axis.
    stride, padding, dilation, groups, padding_mode : as in `conv`; dense has no use for them but
        the size of the maps.
    period : of tiled, an int or one per spatial axis.
    bias : whether there is a b.
    dtype : of all arrays, for the bytes.
    families : which, in this order.

    Returns
    -------
    Comparison
        `str(...)` is a table, and `.markdown()`, `.json()` and `.to_dict()` say the same.

    Examples
    --------
    >>> print(compare((3, 32, 32), 64, 3))
    x (3, 32, 32), y (64, 30, 30), kernel 3, period 2, float32
    family      weights  biases  uses  multiply-adds       useful        bytes  intensity
    -------------------------------------------------------------------------------------
    dense   176,947,200  57,600     1    176,947,200  176,947,200  708,261,888        0.5
    local     1,555,200  57,600     1      1,555,200    1,555,200    6,693,888      0.465
    tiled         6,912     256   225      1,555,200    1,555,200      271,360       11.5
    conv          1,728      64   900      1,555,200    1,555,200      249,856       12.4
    useful: without taps on zero padding; bytes: x, w, b and y; intensity: 2 * multiply-adds / bytes
    """
    shape, chosen = as_shape("compare", "x_shape", x_shape), tuple(families)
    if not chosen:
        raise ValueError(f"compare: families must name some of {', '.join(LADDER)}, got none")
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
                "padding_mode": padding_mode}
    rows, (conv,) = ([ladder_counts("compare", family, shape, out_channels, kernel, period=period,
                                    bias=bias, **geometry) for family in each]
                     for each in (chosen, ["conv"]))
    given = {"kernel": kernel, **geometry, "period": period, "bias": bias}
    settings = {name: frozen("compare", name, value) for name, value in given.items()
                if name != "period" or "tiled" in chosen}
    return Comparison(tuple(rows), conv.x_shape, conv.y_shape, settings,
                      dtype_name("compare", dtype))
