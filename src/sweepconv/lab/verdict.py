"""What a finding is, and when one family counts as ahead of another.

Conv differs from dense in two ways: its filters are weak, and they are shared.  So sharing is said
to help only where conv is ahead of dense and of local, whose filters are weak too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .plan import FAMILIES
from .words import listed, mean, percent

Result: TypeAlias = "Mapping[str, Any]"
Kind: TypeAlias = Literal["helps", "harms", "plain"]
Scores: TypeAlias = "Mapping[str, Sequence[float]]"  # accuracy of each family, seed by seed

LEAST_LEAD = 0.005  # half a point


@dataclass(frozen=True)
class Finding:
    """`kind`: sharing helps; it does not help, or harms; or no verdict on sharing."""

    kind: Kind
    title: str
    text: str


def lead(a: Sequence[float], b: Sequence[float]) -> int:
    """1 if a is ahead of b with every seed and by half a point on average, -1 if it is so far
    behind, 0 if neither."""
    gap = mean(a) - mean(b)
    pairs = list(zip(a, b, strict=True))
    if gap >= LEAST_LEAD and all(p > q for p, q in pairs):
        return 1
    if -gap >= LEAST_LEAD and all(p < q for p, q in pairs):
        return -1
    return 0


def sharing_kind(at: Scores) -> Kind:
    """Whether conv's accuracy speaks for sharing."""
    if lead(at["conv"], at["dense"]) <= 0:
        return "harms"
    return "helps" if lead(at["conv"], at["local"]) > 0 else "plain"


def at_size(question: Mapping[str, Any], i: int) -> dict[str, list[float]]:
    """The scores of a question at its i-th sample size."""
    return {f: question["accuracy"][f][i] for f in FAMILIES}


def scores(at: Scores) -> str:
    """All families, best first."""
    order = sorted(FAMILIES, key=lambda f: -mean(at[f]))
    return listed([f"{f} {percent(mean(at[f]))}" for f in order])
