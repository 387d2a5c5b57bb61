"""One table in three forms: aligned text for a terminal, Markdown, HTML for notebooks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple


class Table(NamedTuple):
    """Cells are text.  The first `left` columns are aligned at the left, the others at the right.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    total: Sequence[str] = ()
    notes: Sequence[str] = ()
    left: int = 1

    @property
    def body(self) -> list[Sequence[str]]:
        return [*self.rows, self.total] if self.total else list(self.rows)

    def text(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.body, strict=True)]

        def line(cells: Sequence[str]) -> str:
            sides = ("<" if i < self.left else ">" for i in range(len(cells)))
            padded = (f"{c:{side}{w}}" for c, side, w in zip(cells, sides, widths, strict=True))
            return "  ".join(padded).rstrip()

        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
        total = [rule, line(self.total)] if self.total else []
        return "\n".join([self.title, line(self.header), rule, *map(line, self.rows), *total,
                          *self.notes])

    def markdown(self) -> str:
        rules = [":--" if i < self.left else "--:" for i in range(len(self.header))]
        lines = [f"| {' | '.join(cells)} |" for cells in (self.header, rules, *self.body)]
        return "\n\n".join([self.title, "\n".join(lines), *self.notes])

    def html(self) -> str:
        def line(cells: Sequence[str], tag: str) -> str:
            sides = ("left" if i < self.left else "right" for i in range(len(cells)))
            return "".join(["<tr>", *(f'<{tag} style="text-align: {side}">{escape(c)}</{tag}>'
                                      for c, side in zip(cells, sides, strict=True)), "</tr>"])

        body = "".join(line(cells, "td") for cells in self.body)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (f"<table><caption>{escape(self.title)}</caption>"
                f"<thead>{line(self.header, 'th')}</thead><tbody>{body}</tbody></table>{notes}")


class Shown:
    """A result that is shown as a table.  A subclass says which, and what it is as a dictionary."""

    def _table(self) -> Table:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries."""
        raise NotImplementedError

    def table(self) -> str:
        """As aligned text."""
        return self._table().text()

    def markdown(self) -> str:
        """As a Markdown table."""
        return self._table().markdown()

    def json(self) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1)

    def __repr__(self) -> str:
        return self.table()

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_html_(self) -> str:
        return self._table().html()


def number(n: int) -> str:
    """With thousands separators; nothing is a dash."""
    return f"{n:,}" if n else "-"


def between(least: int, most: int) -> str:
    return number(most) if least == most else f"{least:,} to {most:,}"


def each_axis(values: Sequence[int]) -> str:
    """3 x 3 in little room: 3x3."""
    return "x".join(f"{v:,}" for v in values) or "-"


def significant(value: float) -> str:
    """Three digits: of a ratio, no more are of use."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
