"""One panel for each id: seeds, mean and band of every figure, and what was published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sweepconv.output.svg import INK, panel, svg

INSIDE, OUTSIDE, BAND = "#0072B2", "#D55E00", "#E2E9EE"  # Okabe and Ito's blue and vermilion


def _limits(entry: dict[str, Any]) -> tuple[float, float]:
    """An axis that holds all values and all that is finite of the bands."""
    known = [v for f in entry["figures"] for v in (*f["values"], f["expected"], *f["band"])
             if v is not None and (v > 0 or not entry["log"])]
    low, high = min(known, default=0.1), max(known, default=1)
    if entry["log"]:
        return low / 2, high * 2
    rest = (high - low or 1) * 0.06
    return low - rest, high + rest


def _seeds(axes: Any, row: int, figure: dict[str, Any]) -> None:
    colour = INSIDE if figure["inside"] else OUTSIDE
    values = [v for v in figure["values"] if v is not None]
    axes.plot(values, [row] * len(values), "o", color=colour, alpha=0.35, markersize=4)
    if figure["mean"] is not None:
        axes.plot([figure["mean"]], [row], "o" if figure["inside"] else "X", color=colour,
                  markersize=8)
    if figure["expected"] is not None:
        axes.plot([figure["expected"]] * 2, [row - 0.38, row + 0.38], color=INK, linewidth=1.6)


def dots(entry: dict[str, Any]) -> str:
    """The panel of one id as SVG text."""
    figures: Sequence[dict[str, Any]] = entry["figures"]
    low, high = _limits(entry)
    with panel(9.2, 0.8 + 0.3 * len(figures)) as (drawing, axes):
        for row, figure in enumerate(figures):
            if figure["judged"]:
                a, b = figure["band"]
                left, right = (low if a is None or a < low else a), (high if b is None else b)
                axes.barh(row, right - left, left=left, height=0.76, color=BAND)
            _seeds(axes, row, figure)
        if entry["log"]:
            axes.set_xscale("log")
        axes.set(xlim=(low, high), ylim=(len(figures) - 0.5, -0.5))
        axes.set_yticks(range(len(figures)), [f["name"] for f in figures], fontsize=8)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        return svg(drawing, f"Published and ours: {entry['id']}")
