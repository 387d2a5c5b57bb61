"""One call of any family in plain types, for frameworks that keep calls in a graph.

A compiler of PyTorch's or JAX's can hold numbers, tuples of numbers and strings beside its
tensors, and compares calls by them.  `How` is a call's keywords in this form, `How.text` in one
string.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from .conv import conv, conv_input_grad, conv_weight_grad
from .geometry import Family, numeric_pads, per_axis
from .local import local_conv, local_conv_input_grad, local_conv_weight_grad
from .tiled import tiled_conv, tiled_conv_input_grad, tiled_conv_weight_grad

Numbers: TypeAlias = "tuple[int, ...]"

# Forward, input gradient, weight gradient.
VERBS: dict[str, tuple[Callable[..., Any], ...]] = {
    "conv": (conv, conv_input_grad, conv_weight_grad),
    "tiled": (tiled_conv, tiled_conv_input_grad, tiled_conv_weight_grad),
    "local": (local_conv, local_conv_input_grad, local_conv_weight_grad),
}


class How(NamedTuple):
    """A family, and the keywords of its verbs."""

    family: Family
    stride: Numbers
    padding: Numbers  # low, high of the first axis, low, high of the second, ...; () where named
    padding_name: str
    dilation: Numbers
    groups: int
    padding_mode: str

    @classmethod
    def of(cls, name: str, family: Family, rank: int, *, stride: Any = 1, padding: Any = 0,
           dilation: Any = 1, groups: int = 1, padding_mode: str = "zeros") -> How:
        """From the keywords of a verb; `name` opens the messages of errors."""
        named = isinstance(padding, str)
        pads = () if named else numeric_pads(name, padding, rank)
        return cls(family, per_axis(name, "stride", stride, rank, 1),
                   tuple(n for pair in pads for n in pair), padding if named else "",
                   per_axis(name, "dilation", dilation, rank, 1), groups, padding_mode)

    @property
    def keywords(self) -> dict[str, Any]:
        """As the verbs take them; for equal calls the same objects, by which a verb knows them."""
        return _keywords(*self[1:])

    @property
    def text(self) -> str:
        """As an operator of PyTorch takes it, which turns over each of its arguments several times
        a call: with these as seven of them that took longer than a small sweep."""
        return repr(tuple(self))

    @staticmethod
    @lru_cache(maxsize=1024)
    def read(text: str) -> How:
        return How(*ast.literal_eval(text))


@lru_cache(maxsize=1024)
def _keywords(stride: Numbers, padding: Numbers, padding_name: str, dilation: Numbers, groups: int,
              padding_mode: str) -> dict[str, Any]:
    pads = padding_name or tuple(zip(padding[::2], padding[1::2], strict=True))
    return {"stride": stride, "padding": pads, "dilation": dilation, "groups": groups,
            "padding_mode": padding_mode}
