"""The report's plots as SVG text, one small panel each, so that they flow on any screen.

A family has one colour and one marker everywhere.  The colours are Okabe and Ito's, which people
with any kind of colour vision can tell apart; the markers carry the same information.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from sweepconv.output.svg import INK, panel, svg

from .plan import FAMILIES
from .verdict import Result
from .words import count, mean, spread, strides

COLOURS = {"dense": "#D55E00", "local": "#CC79A7", "tiled": "#009E73", "conv": "#0072B2"}
MARKERS = {"dense": "s", "local": "^", "tiled": "D", "conv": "o"}


def _line(axes: Axes, family: str, x: Sequence[float], y: Sequence[float], **more: Any) -> None:
    axes.plot(x, y, color=COLOURS[family], marker=MARKERS[family], **more)


def _log_sizes(axes: Axes, sizes: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda n, _: count(n)))


def learning_curve(question: Mapping[str, Any], title: str) -> str:
    """Accuracy against training images, with a band of one standard deviation."""
    with panel() as (figure, axes):
        sizes = question["sizes"]
        for family in FAMILIES:
            seeds = question["accuracy"][family]
            middle = [mean(s) for s in seeds]
            axes.fill_between(sizes, [m - spread(s) for m, s in zip(middle, seeds, strict=True)],
                              [m + spread(s) for m, s in zip(middle, seeds, strict=True)],
                              color=COLOURS[family], alpha=0.13, linewidth=0)
            _line(axes, family, sizes, middle)
        axes.axhline(question["chance"], color=INK, linewidth=0.8, linestyle=(0, (2, 2)))
        if question["needed"]["level"] is not None:
            axes.axhline(question["needed"]["level"], color=INK, linewidth=0.8, alpha=0.6)
        _log_sizes(axes, sizes)
        axes.set(title=title, xlabel="training images", ylabel="balanced accuracy", ylim=(
            question["chance"] - 0.04, 1.01))
        axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
        return svg(figure, f"Accuracy against training images, {title}")


def _bars(axes: Axes, values: Mapping[str, float | None], said: Sequence[str]) -> None:
    """One horizontal bar per family on a logarithmic axis, and beside it what `said` says of it;
    no bar where there is no value."""
    known = [v for v in values.values() if v is not None]
    low, high = min(known) / 3, max(known) * 30
    for i, family in enumerate(FAMILIES):
        value = values[family] or low
        axes.barh(i, value - low, left=low, height=0.62, color=COLOURS[family])
        axes.annotate(said[i], (value, i), xytext=(5, 0), textcoords="offset points",
                      va="center")
    axes.set(xscale="log", xlim=(low, high), ylim=(len(FAMILIES) - 0.5, -0.5))
    axes.set_yticks(range(len(FAMILIES)), FAMILIES)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.grid(visible=False)
    axes.tick_params(axis="y", length=0)


def bars(values: Mapping[str, float | None], title: str, said: Sequence[str],
         width: float = 3.4) -> str:
    """A panel of four bars on a logarithmic axis."""
    with panel(width, 1.9) as (figure, axes):
        _bars(axes, values, said)
        axes.set_title(title)
        return svg(figure, f"{title}: " + ", ".join(
            f"{f} {text}" for f, text in zip(FAMILIES, said, strict=True)))


def map_error(result: Result) -> str:
    """Equivariance error against the move, at whole strides."""
    eq = result["equivariance"]
    with panel() as (figure, axes):
        for family in FAMILIES:
            _line(axes, family, eq["strides"], eq["error"][family], clip_on=False, zorder=3)
        axes.axhline(2**0.5, color=INK, linewidth=0.8, linestyle=(0, (2, 2)))
        axes.annotate("unrelated maps", (eq["strides"][-1], 2**0.5), xytext=(0, 4),
                      textcoords="offset points", ha="right", fontsize=9)
        axes.set(title="How far the map is from moving along", ylim=(0, 1.65), xticks=eq["strides"],
                 xlabel=f"image moved by (strides of {strides(result['settings']['stride'])})",
                 ylabel="equivariance error")
        axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
        return svg(figure, "Equivariance error against the move")


def moved_accuracy(result: Result) -> str:
    """Accuracy of networks trained on centred images, on moved ones."""
    moved = result["moved_tests"]
    with panel() as (figure, axes):
        for family in FAMILIES:
            _line(axes, family, moved["pixels"], [mean(s) for s in moved["accuracy"][family]])
        chance = result["questions"]["centred"]["chance"]
        axes.axhline(chance, color=INK, linewidth=0.8, linestyle=(0, (2, 2)))
        axes.set(title="Tests moved, training not", xlabel="test images moved by (pixels)",
                 ylabel="balanced accuracy", ylim=(chance - 0.04, 1.01), xticks=moved["pixels"])
        axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
        return svg(figure, "Accuracy against the move of the test images")


def dots(rows: Sequence[tuple[str, Mapping[str, Sequence[float]], float]], title: str) -> str:
    """For each row a mean and a dot per seed of each family, and the row's chance."""
    with panel(4.6, 0.75 + 0.95 * len(rows)) as (figure, axes):
        for r, (_, at, chance) in enumerate(rows):
            axes.plot([chance] * 2, [r - 0.42, r + 0.42], color=INK, linewidth=0.8,
                      linestyle=(0, (2, 2)))
            for i, family in enumerate(FAMILIES):
                y = r + (i - 1.5) * 0.19
                axes.plot(at[family], [y] * len(at[family]), MARKERS[family], alpha=0.35,
                          color=COLOURS[family], markersize=4, clip_on=False)
                axes.plot([mean(at[family])], [y], MARKERS[family], color=COLOURS[family],
                          markersize=7, clip_on=False)
        axes.set_yticks(range(len(rows)), [label for label, _, _ in rows])
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set(title=title, ylim=(len(rows) - 0.5, -0.5), xlabel="balanced accuracy",
                 xlim=(min(chance for _, _, chance in rows) - 0.06, 1.01))
        axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
        return svg(figure, title)
