"""Two results of the same machine: which rows take another time.

A row has changed if its time did by more than the noise, which is the sum of both spreads (the
distance of the quartiles of the rounds) and no less than `LEAST_NOISE`.  It is a regression if it
also became slower by more than the tolerance.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .conductor import SCHEMA
from .verdict import Result
from .words import limits, milliseconds, setting

LEAST_NOISE = 0.02
SAME = ("processor", "settings.isa", "settings.n_threads")  # or times cannot be compared


class Change(NamedTuple):
    """`change`: 0.1 is 10 % slower, -0.1 is 10 % less time."""

    id: str
    before: float
    after: float
    noise: float

    @property
    def change(self) -> float:
        return self.after / self.before - 1

    @property
    def is_clear(self) -> bool:
        return abs(math.log(self.after / self.before)) > math.log1p(self.noise)

    def is_regression(self, tolerance: float) -> bool:
        return self.is_clear and self.change > tolerance


class Comparison(NamedTuple):
    """`changes`: all rows of both results, the greatest slow-down first; `only`: ids of rows that
    one of the two lacks, or where nothing of ours was right."""

    changes: list[Change]
    only: list[str]


def read(path: str | Path) -> Result:
    """A stored result; ValueError says why it is none."""
    try:
        result: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise ValueError(f"{path}: not a JSON file") from None
    if not isinstance(result, dict) or "rows" not in result:
        raise ValueError(f"{path}: not a result of sweepconv bench")
    if result["schema"] != SCHEMA:
        raise ValueError(f"{path}: has schema {result['schema']}, expected {SCHEMA}")
    return result


def compare(before: Result, after: Result) -> Comparison:
    """Our best entries, row by row."""
    ours = [{row["id"]: row["verdict"]["ours"] for row in result["rows"]}
            for result in (before, after)]
    a, b = ({key: entry for key, entry in rows.items() if entry} for rows in ours)
    changes = [Change(key, a[key]["median"], b[key]["median"],
                      max(LEAST_NOISE, a[key]["spread"] + b[key]["spread"]))
               for key in a.keys() & b.keys()]
    changes.sort(key=lambda c: (-c.change, c.id))
    return Comparison(changes, sorted((ours[0].keys() | ours[1].keys()) - (a.keys() & b.keys())))


def warnings(before: Result, after: Result) -> list[str]:
    """Where the two ran on different things."""
    pairs = [(name, *(r["environment"][name] if "." not in name else
                      r["settings"][name.split(".")[1]] for r in (before, after)))
             for name in SAME]
    return [f"{name.split('.')[-1]} differs: {a} and {b}" for name, a, b in pairs if a != b]


def show(console: Console, before: Result, after: Result, tolerance: float) -> int:
    """Print the changes; the number of regressions."""
    found = compare(before, after)
    for name, result in (("A", before), ("B", after)):
        console.print(Text(f"{name}: {setting(result)}, {result['date']}"))
        console.print(Text(f"   {limits(result)}"))
    for warning in warnings(before, after):
        console.print(Text(f"These times cannot be compared: {warning}", style="bold red"))
    clear = [c for c in found.changes if c.is_clear]
    table = Table(box=box.HORIZONTALS, padding=(0, 2, 0, 0), show_edge=False)
    for name in ("change", "row", "A ms", "B ms", "noise"):
        table.add_column(name, justify="left" if name == "row" else "right", no_wrap=True)
    for c in clear:
        worse = c.is_regression(tolerance)
        style = "bold red" if worse else "green" if c.change < 0 else "default"
        table.add_row(Text(f"{'▼ ' if worse else ''}{c.change:+.0%}", style=style), c.id,
                      milliseconds(c.before), milliseconds(c.after), f"{c.noise:.0%}")
    if clear:
        console.print(table)
    bad = sum(c.is_regression(tolerance) for c in clear)
    console.print(f"{len(found.changes)} rows compared: {bad} slower by more than "
                  f"{tolerance:.0%}, {len(clear)} changed by more than the noise", highlight=False)
    if found.only:
        console.print(f"{len(found.only)} rows in one of the two only", highlight=False)
    return bad
