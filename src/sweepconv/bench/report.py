"""A result as one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby

from sweepconv.output.page import figure, page, panels, paragraph, section

from . import plots
from .cases import DIRECTIONS, TOLERANCE
from .table import COLUMNS, FAST_COLUMNS
from .verdict import CLOSE, Record, Result, against, ratio, summaries, troubles
from .words import (
    SHORT,
    absent,
    direction,
    has_fast,
    how_wrong,
    limits,
    per_cent,
    present,
    setting,
    times,
    who,
)


def _table(head: Sequence[str], body: Iterable[str], kind: str = "") -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    return (f'<div class="scroll"><table class="{kind}"><thead><tr>{cells}</tr></thead>'
            f'<tbody>{"".join(body)}</tbody></table></div>')


def _line(cells: Sequence[str], style: str = "") -> str:
    given = f' style="{style}"' if style else ""
    return f"<tr{given}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _heading(text: str, width: int) -> str:
    return f'<tr class="section"><th colspan="{width}">{escape(text)}</th></tr>'


def _opening(result: Result) -> str:
    rated = [value for row in result["rows"] if (value := ratio(row)) is not None]
    losing = sum(value < 1 for value in rated)
    lead = (f"{len(result['rows'])} rows, {len(rated)} of them with a peer: the best peer is "
            f"faster in {losing}, by more than a tenth in {sum(v < CLOSE for v in rated)}.")
    return "\n".join((
        "<h1>sweepconv and its peers, layer by layer</h1>", paragraph(lead, "lead"),
        paragraph(f"{setting(result)}; {result['date']}. Measured in the same run: "
                  f"{limits(result)}."),
        paragraph(f"Timed: {present(result)}."), *(paragraph(s + ".", "note") for s in
                                                   absent(result))))


def _summary(result: Result) -> str:
    head = ("", "rows", "geometric mean", f"below {CLOSE}", "below 1", "% of peak", "% of roof")
    body = []
    for letter, some in groupby(summaries(result["rows"]), lambda s: s.direction):
        body.append(_heading(direction(letter), len(head)))
        body += [_line((s.kind, str(s.rows), times(s.mean), str(s.clear), str(s.losing),
                        per_cent(s.of_peak), per_cent(s.of_roof))) for s in some]
    return paragraph("The ratio of a row is the time of the best peer over ours: above 1, ours is "
                     "faster. Per cent are medians; the roof of a row is the peak, or what "
                     "reading x, w and y once allows, whichever is less.") + _table(head, body) + (
                         _against(result))


def _against(result: Result) -> str:
    lines = [_line((a.peer, SHORT[a.direction], str(a.rows), times(a.mean), str(a.losing)))
             for a in against(result["rows"])]
    head = ("against each peer alone", "", "rows", "geometric mean", "below 1")
    return _table(head, lines) if lines else ""


def _by_direction(result: Result) -> dict[str, list[Record]]:
    return {letter: rows for letter in DIRECTIONS if (rows := [
        row for row in result["rows"] if row["direction"] == letter and ratio(row) is not None])}


def _ratios(result: Result) -> str:
    found, spans = _by_direction(result), plots.ratio_range(result)
    if not found:
        return paragraph("No row has a peer.")
    kinds = {row["kind"]: None for rows in found.values() for row in rows}
    legend = '<div class="legend">' + "".join(
        f'<span><svg class="mark" viewBox="0 0 10 10"><circle cx="5" cy="5" r="5" '
        f'fill="{colour}"/></svg>{escape(kind)}</span>'
        for kind, colour in plots.COLOURS.items() if kind in kinds) + "</div>"
    return legend + panels(*(figure(plots.ordered(rows, letter, spans), "")
                             for letter, rows in found.items()), kind="small")


def _names(result: Result) -> str:
    return "\n".join(f"<h3>{direction(letter)}</h3>"
                     + figure(plots.named(rows, letter), "")
                     for letter, rows in _by_direction(result).items())


def _roofline(result: Result) -> str:
    dtypes = [d for d in result["machine"]["peak"] if any(
        plots.is_in_roofline(row, d) for row in result["rows"])]
    return panels(*(figure(plots.roofline(result, dtype),
                           "Solid: peak and memory read; dashed: memory copied. Points above the "
                           "slope are layers that stay in a cache. A call's overhead and denormals "
                           "are in the table only.")
                    for dtype in dtypes))


def _rows(result: Result) -> str:
    columns = COLUMNS + (("against NumPy's", lambda v: times(v["numpy_ratio"])),) + (
        FAST_COLUMNS if has_fast(result) else ())
    head = ("layer", "", "ratio", *(name for name, _ in columns))
    body = []
    for row in result["rows"]:
        value, many = ratio(row), row["dtype"] != "float32"
        way = SHORT[row["direction"]] + (f" {row['dtype']}" if many else "")
        style = "" if value is None or value >= 1 else "color:#b34700" + (
            ";font-weight:700" if value < CLOSE else "")
        body.append(_line((f"{row['suite']}/{row['layer']}", way, times(value),
                           *(cell(row["verdict"]) for _, cell in columns)), style))
    return paragraph("The worst first; orange: the best peer is faster, bold: by more than a "
                     "tenth. \"Against NumPy's\": the ratio to the best of the peers that take "
                     "and give arrays of NumPy, as ours does.") + _table(head, body, "wide")


def _troubles(result: Result) -> str:
    wrong, failed = (troubles(result["rows"], status) for status in ("wrong", "failed"))
    parts = []
    for title, found, text in (("Wrong, not timed", wrong, how_wrong),
                               ("Could not run", failed, lambda e: e["message"] or "")):
        if found:
            items = "".join(f"<li>{escape(row)}: {escape(who(entry))}: {escape(text(entry))}</li>"
                            for row, entry in found)
            parts.append(f"<h3>{title}</h3><ul>{items}</ul>")
    return "\n".join(parts) or paragraph("None.")


def _method(result: Result) -> str:
    s = result["settings"]
    said = (
        f"Each peer has a process of its own with {s['n_threads']} threads on the same CPUs. A "
        f"result is checked before it is timed: nowhere further than {TOLERANCE} * eps * (sum of "
        "the terms' absolute values) from the one in float64. Then all entries of a row take "
        "turns, in rounds whose order moves on by one: each round as many calls as take about "
        f"{s['round_seconds'] * 1e3:.0f} ms, after a pause of {s['pause'] * 1e3:.0f} ms. Threads "
        "that wait for work spin for a fraction of a millisecond, then sleep (GOMP_SPINCOUNT, ONNX "
        "Runtime's spin_duration_us; those of OpenVINO cannot be told and do much the same): they "
        "are awake from call to call, and asleep before the next entry's turn. Times are medians "
        "of rounds, with arrays that were used just before. Operands lie ready in the memory order "
        "of the entry, and filters are packed where an entry's name says so, or where the peer "
        "compiles them in. Results of ONNX Runtime, OpenVINO, NumPy's matmul and our entries with "
        "packed filters or out= go to an array that stays from call to call, all others to a new "
        "one.")
    kept = {"settings": s, "machine": result["machine"], "environment": result["environment"],
            "peers": result["peers"]}
    return paragraph(said) + f"<pre>{escape(json.dumps(kept, indent=1))}</pre>"


def html(result: Result) -> str:
    """The whole report of a result as `judge` returns it."""
    return page("sweepconv bench", "\n".join((
        _opening(result),
        section("In short", _summary(result)),
        section("Speed ratios", _ratios(result)),
        section("Roofline", _roofline(result)),
        section("Layer by layer", _names(result)),
        section("All rows", _rows(result)),
        section("Wrong or not run", _troubles(result)),
        section("How it was measured", _method(result)),
    )))
