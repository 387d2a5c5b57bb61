"""A result in the terminal: losing rows first, then the rest, then each class in a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeAlias

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .verdict import CLOSE, Record, Result, against, ratio, summaries, troubles
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

Column: TypeAlias = tuple[str, Callable[[Record], str]]

COLUMNS: tuple[Column, ...] = (
    ("GFLOP/s", lambda v: "" if v["gflops"] is None else f"{v['gflops']:.3g}"),
    ("% peak", lambda v: per_cent(v["of_peak"])),
    ("% read", lambda v: per_cent(v["of_read"])),
    ("ms", lambda v: milliseconds(v["ours"] and v["ours"]["median"])),
    ("entry", lambda v: v["ours"]["entry"] if v["ours"] else "none right"),
    ("peer ms", lambda v: milliseconds(v["peer"] and v["peer"]["median"])),
    ("best peer", lambda v: who(v["peer"])),
)
FAST_COLUMNS: tuple[Column, ...] = (
    ("fast ms", lambda v: milliseconds(v["fast"] and v["fast"]["median"])),
    ("fast ratio", lambda v: times(v["fast_ratio"])),
    ("rms", lambda v: f"{v['ours']['rms']:.1e}" if v["fast"] and v["ours"] else ""),
    ("fast rms", lambda v: f"{v['fast']['rms']:.1e}" if v["fast"] else ""),
)
WORDS = {"layer": 24, "entry": 8, "best peer": 16}  # columns of words, and their least width
NARROW, LEFT_OUT = 110, ("GFLOP/s", "% read", "entry")  # below that width without these
RATIO = "ratio: time of the best peer / ours, both the median of rounds."


def _mark(row: Record) -> str:
    value = ratio(row)
    return times(value) if value is None or value >= 1 else f"▼ {times(value)}"


def _section(row: Record) -> str:
    value = ratio(row)
    return "No peer" if value is None else "Losing rows" if value < 1 else "The rest"


def _columns(table: Table, names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their figures; words give way where there is no room."""
    for name, column in zip(names, zip(*cells, strict=True), strict=True):
        words = name in WORDS
        table.add_column(name, justify="left" if words else "right", no_wrap=not words,
                         min_width=WORDS[name] if words else max(map(len, (name, *column))))


def _line(row: Record, way: str, columns: Sequence[Column]) -> list[str]:
    return [_mark(row), f"{row['suite']}/{row['layer']}", way,
            *(cell(row["verdict"]) for _, cell in columns)]


def _add(table: Table, names: Sequence[str], row: Record, cells: Sequence[str]) -> None:
    value = ratio(row)
    style = ("default" if value is None else "green" if value >= 1 else
             "red" if value >= CLOSE else "bold red")
    table.add_row(Text(cells[0], style=style), *(
        Text(cell, no_wrap=True, overflow="ellipsis") if name in WORDS else cell
        for name, cell in zip(names[1:], cells[1:], strict=True)))


def rows_table(result: Result, rows: Sequence[Record], columns: Sequence[Column],
               caption: str) -> Table:
    """Some rows in the order of the result, those that lose under a heading of their own."""
    single = {row["dtype"] for row in result["rows"]} == {"float32"}
    names = ("ratio", "layer", "", *(name for name, _ in columns))
    lines = [_line(row, SHORT[row["direction"]] + ("" if single else f" {row['dtype'][5:]}"),
                   columns) for row in rows]
    table = Table(box=box.HORIZONTALS, padding=(0, 1, 0, 0), show_edge=False,
                  caption_justify="left", caption=caption)
    _columns(table, names, lines)
    for title, some in groupby(zip(rows, lines, strict=True), lambda pair: _section(pair[0])):
        table.add_section()
        table.add_row("", Text(title, style="bold"))
        for row, cells in some:
            _add(table, names, row, cells)
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


def peers_table(result: Result) -> Table:
    table = Table(box=box.HORIZONTALS, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("against")
    table.add_column("")
    for name in ("rows", "geo. mean", "below 1"):
        table.add_column(name, justify="right")
    for a in against(result["rows"]):
        table.add_row(a.peer, SHORT[a.direction], str(a.rows), times(a.mean), str(a.losing))
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
    columns = [c for c in COLUMNS if console.width >= NARROW or c[0] not in LEFT_OUT]
    console.print(rows_table(result, result["rows"], columns, f"{RATIO} % peak: of the "
                             "multiply-adds, % read: of the memory bandwidth for reading, x, w "
                             "and y counted once."))
    console.print()
    if has_fast(result):
        rows = [row for row in result["rows"] if row["verdict"]["fast"]]
        console.print(Text('algorithm="fast", where it is not the direct sweep', style="bold"))
        console.print(rows_table(result, rows, FAST_COLUMNS, "rms: error of the direct sweep, "
                                 "relative to the root mean square of the result."))
        console.print()
    console.print(summary_table(result))
    if against(result["rows"]):
        console.print()
        console.print(peers_table(result))
    _show_troubles(console, "Wrong results, not timed", troubles(result["rows"], "wrong"),
                   how_wrong)
    _show_troubles(console, "Could not run", troubles(result["rows"], "failed"),
                   lambda entry: entry["message"] or "")
