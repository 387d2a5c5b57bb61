"""The keywords of the sweeps: types, defaults, and how a verb shows them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, TypedDict, TypeVar

from ._arrays import Array
from .geometry import Ints, Padding

Verb = TypeVar("Verb", bound=Callable[..., Any])

GEOMETRY = ("stride", "padding", "dilation", "groups", "padding_mode")
DEFAULTS: dict[str, Any] = {
    "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros",
    "algorithm": "direct", "out": None, "accumulate": False, "reduce": "all", "n_threads": None,
}


class Sweep(TypedDict, total=False):
    """Keywords of every sweep; see `conv`."""

    stride: Ints
    padding: Padding
    dilation: Ints
    groups: int
    padding_mode: str
    algorithm: str
    out: Array | None
    n_threads: int | None


class Gradient(Sweep, total=False):
    """Keywords of every gradient."""

    accumulate: bool


class WeightGradient(Gradient, total=False):
    """Keywords of every weight gradient."""

    reduce: str


@cache
def defaults(keywords: type) -> dict[str, Any]:
    """Those of one kind of verb."""
    return {name: value for name, value in DEFAULTS.items() if name in keywords.__annotations__}


def takes(keywords: type) -> Callable[[Verb], Verb]:
    """Show a verb's `**keywords` one by one, with their defaults.

    They are taken as a dict, since most calls have few of them, and to pass on all would take
    longer than a small sweep.
    """
    def show(verb: Verb) -> Verb:
        signature = inspect.signature(verb)
        *own, _ = signature.parameters.values()
        named = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value)
                 for name, value in defaults(keywords).items()]
        verb.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*own, *named])
        return verb
    return show
