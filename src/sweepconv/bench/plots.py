"""The report's plots: ratios in order, ratios by name, and the roofline."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from sweepconv.output.svg import INK, panel, svg

from .verdict import Record, Result, ratio
from .words import direction
from .workloads import KINDS

# Okabe and Ito's colours; each class has a marker of its own as well.
COLOURS = dict(zip(KINDS, ("#0072B2", "#E69F00", "#CC79A7", "#009E73", "#56B4E9", "#8a8a86",
                           "#D55E00", "#222222"), strict=True))
MARKERS = dict(zip(KINDS, "os^DvoPX", strict=True))
WIN, LOSS = "#0072B2", "#D55E00"
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
ROW = 0.155  # inches of a named bar


def _rated(rows: Sequence[Record]) -> list[tuple[float, Record]]:
    pairs = [(value, row) for row in rows if (value := ratio(row)) is not None]
    return sorted(pairs, key=lambda pair: pair[0])


def _log_ratio(axis: object, low: float, high: float) -> None:
    ticks = [t for t in TICKS if low <= t <= high]
    axis.set_major_locator(FixedLocator(ticks))  # type: ignore[attr-defined]
    axis.set_minor_locator(NullLocator())  # type: ignore[attr-defined]
    axis.set_major_formatter(FuncFormatter(  # type: ignore[attr-defined]
        lambda value, _: f"{value:g}"))


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(0.5, *values) / 1.15, max(2.0, *values) * 1.15


def _kinds(rows: Sequence[Record]) -> list[str]:
    return [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]


def ordered(rows: Sequence[Record], letter: str, limits: tuple[float, float]) -> str:
    """Ratios of one direction from the worst to the best, coloured by class."""
    rated = _rated(rows)
    with panel(3.9, 3.1) as (figure, axes):
        for kind in _kinds(rows):
            at = [(i, value) for i, (value, row) in enumerate(rated) if row["kind"] == kind]
            if at:
                axes.plot(*zip(*at, strict=True), MARKERS[kind], color=COLOURS[kind], markersize=4)
        axes.axhline(1, color=INK, linewidth=1)
        losing = sum(value < 1 for value, _ in rated)
        axes.set(yscale="log", ylim=limits, title=f"{direction(letter)}: {losing} of {len(rated)} "
                 "below 1", xlabel="rows, the worst first", ylabel="ratio")
        _log_ratio(axes.yaxis, *limits)
        axes.set_xticks([])
        return svg(figure, f"Speed ratio of each row, {direction(letter)}, in order")


def named(rows: Sequence[Record], letter: str) -> str:
    """The same as bars from 1, with the layer's name and the best peer."""
    rated = _rated(rows)
    low, high = _range([value for value, _ in rated])
    high *= 2.2  # room for names
    with panel(10.4, 0.75 + ROW * len(rated)) as (figure, axes):
        for i, (value, row) in enumerate(rated):
            axes.barh(i, value - 1, left=1, height=0.66, color=WIN if value >= 1 else LOSS)
            peer = row["verdict"]["peer"]
            axes.annotate(f"{value:.2f}  {peer['peer']}, {peer['entry']}", (max(value, 1), i),
                          xytext=(4, 0), textcoords="offset points", va="center", fontsize=7)
        axes.axvline(1, color=INK, linewidth=1)
        axes.set(xscale="log", xlim=(low, high), ylim=(len(rated) - 0.4, -0.6),
                 xlabel="ratio: time of the best peer / ours")
        _log_ratio(axes.xaxis, low, high)
        names = [f"{row['suite']}/{row['layer']}" for _, row in rated]
        axes.set_yticks(range(len(rated)), names, fontsize=7)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        return svg(figure, f"Speed ratio of each layer, {direction(letter)}")


def _legend(figure: Figure, kinds: Sequence[str]) -> None:
    handles = [Line2D([], [], linestyle="", marker=MARKERS[k], color=COLOURS[k], label=k)
               for k in kinds]
    figure.legend(handles=handles, fontsize=8, loc="outside right upper", frameon=False)


def ratio_range(result: Result) -> tuple[float, float]:
    """One range for all panels."""
    return _range([value for row in result["rows"] if (value := ratio(row)) is not None] or [1.0])


def is_in_roofline(row: Record, dtype: str) -> bool:
    """Not where the limit is neither arithmetic nor memory."""
    return bool(row["dtype"] == dtype and row["verdict"]["gflops"]
                and row["kind"] not in ("overhead", "denormal"))


def roofline(result: Result, dtype: str) -> str:
    """GFLOP/s against operations per byte, under the measured limits."""
    machine, rows = result["machine"], [
        row for row in result["rows"] if is_in_roofline(row, dtype)]
    peak = machine["peak"][dtype]
    intensity = {row["id"]: row["flops"] / row["bytes"] for row in rows}
    low, high = min(intensity.values()) / 1.6, max(*intensity.values(), peak / machine["read"]) * 2
    with panel(9.4, 4.8) as (figure, axes):
        x = np.geomspace(low, high, 200)
        for name, dash in (("read", "solid"), ("copy", (0, (4, 2)))):
            speed = machine[name]
            roof = np.minimum(peak, x * speed) / 1e9
            axes.plot(x, roof, color=INK, linewidth=1.2, linestyle=dash)
        axes.annotate(f"{peak / 1e9:.0f} GFLOP/s", (high, peak / 1e9), xytext=(-2, 4),
                      textcoords="offset points", ha="right", fontsize=9)
        speeds = " · ".join(f"{name} {machine[name] / 1e9:.1f} GB/s" for name in ("read", "copy"))
        axes.annotate(f"memory: {speeds}", (low, peak / 1e9), xytext=(2, 4),
                      textcoords="offset points", fontsize=9)
        for row in rows:
            axes.plot(intensity[row["id"]], row["verdict"]["gflops"], MARKERS[row["kind"]],
                      color=COLOURS[row["kind"]], markersize=4.5, alpha=0.8)
        floor = min(peak / 1e10, *(row["verdict"]["gflops"] for row in rows))
        axes.set(xscale="log", yscale="log", xlim=(low, high), title=f"{dtype}, all directions",
                 ylim=(10 ** math.floor(math.log10(floor)), peak / 1e9 * 2.2),
                 xlabel="operations per byte of x, w and y", ylabel="GFLOP/s of our best entry")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        _legend(figure, _kinds(rows))
        return svg(figure, f"Roofline of all {dtype} rows")
