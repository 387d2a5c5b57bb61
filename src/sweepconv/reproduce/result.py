"""What a run found, as one dictionary that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from .recipe import Figure, Recipe, Scale, band_words, ours_words
from .runner import Ran

SCHEMA = 1  # a number that grows when a key changes its meaning
Entry: TypeAlias = "dict[str, Any]"


def _finite(value: float) -> float | None:
    """JSON has no infinity; an open end is null."""
    return value if math.isfinite(value) else None


def figure_entry(figure: Figure) -> Entry:
    return {
        "name": figure.name, "published": figure.published, "expected": figure.expected,
        "values": [_finite(v) for v in figure.values], "mean": _finite(figure.mean),
        "spread": None if figure.spread is None else _finite(figure.spread),
        "band": [_finite(v) for v in figure.band], "judged": figure.judged,
        "inside": figure.inside,
        "ours_words": ours_words(figure), "band_words": band_words(figure),
    }


def entry(recipe: Recipe, ran: Ran, scale: Scale) -> Entry:
    return {
        "id": recipe.id, "title": recipe.title, "source": recipe.source, "what": recipe.what,
        "log": recipe.log, "quick_bands": recipe.quick_bands if scale.quick else "",
        "figures": [figure_entry(f) for f in recipe.figures(ran.done, scale)],
        "seconds": round(ran.seconds, 3),
    }


def outside(entries: Sequence[Entry]) -> list[tuple[str, Entry]]:
    """(id, figure) of all that is not in its band."""
    return [(e["id"], f) for e in entries for f in e["figures"]
            if f["judged"] and not f["inside"]]


def summary(entries: Sequence[Entry]) -> str:
    """One sentence: how many figures have a band, how many are outside."""
    total = sum(f["judged"] for e in entries for f in e["figures"])
    bad = len(outside(entries))
    return (f"{total} figures with a band, of {len(entries)} ids: {total - bad} inside their "
            f"bands, {bad} outside.")
