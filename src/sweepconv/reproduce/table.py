"""The table in the terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .result import Entry, summary

QUICK = "A quick run: fewer seeds and steps, and wider bands where the line under an id says so."


def verdict(figure: Entry) -> Text:
    """Nothing is said of a figure without a band."""
    if not figure["judged"]:
        return Text("")
    return Text("inside", style="green") if figure["inside"] else Text("OUTSIDE", style="bold red")


def _table(result: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure", overflow="fold")
    for name in ("published", "ours (seeds)", "band"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("verdict")
    for entry in result["results"]:
        table.add_row(Text(entry["id"], style="bold"), "", "", "", f"{entry['seconds']:.1f} s")
        if entry["quick_bands"]:
            table.add_row(Text(f"  quick: {entry['quick_bands']}", style="italic"))
        for f in entry["figures"]:
            table.add_row(f"  {f['name']}", f["published"], f["ours_words"], f["band_words"],
                          verdict(f))
    return table


def show(console: Console, result: dict[str, Any]) -> None:
    """Everything that was found, and how much of it lies outside."""
    console.print(_table(result))
    if result["settings"]["quick"]:
        console.print(Text(QUICK, style="italic"))
    console.print(summary(result["results"]), highlight=False)
    console.print(f"{result['seconds']:.0f} s in {result['settings']['workers']} processes of one "
                  "thread; the seconds of an id are the processor time of its jobs.",
                  highlight=False)
