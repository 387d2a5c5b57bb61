"""A result in the terminal: losing rows first, then the rest, then each class in a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .verdict import CLOSE, Record, Result, ratio, summaries, troubles
from .words import (
    SHORT,
    absent,
    direction,
    has_fast,
    how_wrong,
    limits,
    milliseconds,
    per_cent,
    present,
    setting,
    times,
    who,
)

MOST_TROUBLES = 12  # of one kind, in the terminal; JSON and report have all

COLUMNS: tuple[tuple[str, Callable[[Record], str]], ...] = (
    ("GFLOP/s", lambda v: "" if v["gflops"] is None else f"{v['gflops']:.3g}"),
    ("% peak", lambda v: per_cent(v["of_peak"])),
    ("% read", lambda v: per_cent(v["of_read"])),
    ("ms", lambda v: milliseconds(v["ours"] and v["ours"]["median"])),
    ("entry", lambda v: v["ours"]["entry"] if v["ours"] else "none right"),
    ("peer ms", lambda v: milliseconds(v["peer"] and v["peer"]["median"])),
    ("best peer", lambda v: who(v["peer"])),
)
FAST_COLUMNS: tuple[tuple[str, Callable[[Record], str]], ...] = (
    ("fast ms", lambda v: milliseconds(v["fast"] and v["fast"]["median"])),
    ("fast ratio", lambda v: times(v["fast_ratio"])),
    ("rms direct, fast", lambda v: f"{v['ours']['rms']:.1e}, {v['fast']['rms']:.1e}"
     if v["fast"] and v["ours"] else ""),
)


def _mark(row: Record) -> Text:
    value = ratio(row)
    if value is None:
        return Text("", style="dim")
    if value >= 1:
        return Text(times(value), style="green")
    return Text(f"▼ {times(value)}", style="bold red" if value < CLOSE else "red")


def _section(row: Record) -> str:
    value = ratio(row)
    return ("No peer to compare with" if value is None else
            "Losing: the best peer is faster (ratio below 1)" if value < 1 else
            "At least as fast as every peer")


def rows_table(result: Result) -> Table:
    """All rows, in the order of the result."""
    columns = COLUMNS + (FAST_COLUMNS if has_fast(result) else ())
    single = {row["dtype"] for row in result["rows"]} == {"float32"}
    table = Table(box=box.HORIZONTALS, padding=(0, 1, 0, 0), show_edge=False, title_justify="left",
                  caption_justify="left", caption="ratio: time of the best peer / ours, both the "
                  "median of rounds. % peak: of the multiply-adds, % read: of the memory "
                  "bandwidth for reading, x, w and y counted once.")
    table.add_column("ratio", justify="right", no_wrap=True)
    table.add_column("layer", no_wrap=True, overflow="ellipsis", min_width=24)
    table.add_column("", no_wrap=True)
    for name, _ in columns:
        table.add_column(name, justify="left" if name in ("entry", "best peer") else "right",
                         no_wrap=True)
    for title, some in groupby(result["rows"], _section):
        table.add_section()
        table.add_row("", Text(title, style="bold"))
        for row in some:
            way = SHORT[row["direction"]] + ("" if single else f" {row['dtype'][5:]}")
            table.add_row(_mark(row), f"{row['suite']}/{row['layer']}", way,
                          *(cell(row["verdict"]) for _, cell in columns))
    return table


def summary_table(result: Result) -> Table:
    table = Table(box=box.HORIZONTALS, padding=(0, 2, 0, 0), show_edge=False, title_justify="left",
                  caption_justify="left", caption="geo. mean: of the ratios. % peak, % roof: "
                  "medians; the roof is the peak or what reading x, w and y once allows.")
    table.add_column("")
    for name in ("rows", "geo. mean", f"below {CLOSE}", "below 1", "% peak", "% roof"):
        table.add_column(name, justify="right")
    for letter, some in groupby(summaries(result["rows"]), lambda s: s.direction):
        table.add_section()
        table.add_row(Text(direction(letter), style="bold"))
        for s in some:
            table.add_row(f"  {s.kind}", str(s.rows), times(s.mean), str(s.clear), str(s.losing),
                          per_cent(s.of_peak), per_cent(s.of_roof))
    return table


def _show_troubles(console: Console, title: str, found: Sequence[tuple[str, Record]],
                   text: Callable[[Record], str]) -> None:
    if not found:
        return
    console.print(Text(f"\n{title}: {len(found)}", style="bold"))
    for row, entry in found[:MOST_TROUBLES]:
        console.print(Text.assemble("  ", (who(entry), "yellow"), f"  {row}: {text(entry)}"))
    if len(found) > MOST_TROUBLES:
        console.print(f"  and {len(found) - MOST_TROUBLES} more, see the JSON or HTML file")


def show(console: Console, result: Result) -> None:
    """The whole result, as `judge` returns it."""
    console.print(Text(setting(result), style="bold"))
    console.print(Text(limits(result)))
    console.print(Text(f"timed: {present(result)}"))
    for sentence in absent(result):
        console.print(Text(sentence, style="yellow"))
    console.print()
    console.print(rows_table(result))
    console.print()
    console.print(summary_table(result))
    _show_troubles(console, "Wrong results, not timed", troubles(result["rows"], "wrong"),
                   how_wrong)
    _show_troubles(console, "Could not run", troubles(result["rows"], "failed"),
                   lambda entry: entry["message"] or "")
