"""The result as one HTML file that needs nothing else."""

from __future__ import annotations

from html import escape
from typing import Any

from sweepconv.output.page import figure, page, paragraph, section

from . import plots
from .result import outside, summary
from .table import QUICK

CAPTION = ("Small dots: one seed each; large: their mean, a cross where it is outside; shaded: the "
           "band; upright line: published or predicted.")


def _row(f: dict[str, Any]) -> str:
    cells = "".join(f"<td>{escape(f[key])}</td>"
                    for key in ("name", "published", "ours_words", "band_words"))
    word = ("inside" if f["inside"] else "outside") if f["judged"] else ""
    style = ' style="color:#b34700;font-weight:700"' if word == "outside" else ""
    return f"<tr{style}>{cells}<td>{word}</td></tr>"


def _table(entry: dict[str, Any]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("", "published", "ours (seeds)", "band", ""))
    return (f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>'
            f'{"".join(_row(f) for f in entry["figures"])}</tbody></table></div>')


def _part(entry: dict[str, Any]) -> str:
    quick = [paragraph(f"Bands of this quick run: {entry['quick_bands']}.", "note")] if (
        entry["quick_bands"]) else []
    return section(f"{entry['id']}: {entry['title']}", paragraph(f"{entry['source']}."),
                   paragraph(entry["what"]), *quick, _table(entry),
                   figure(plots.dots(entry), CAPTION),
                   paragraph(f"{entry['seconds']:.1f} s of processor time."))


def html(result: dict[str, Any]) -> str:
    """The whole page; what is outside its band stands first."""
    results, machine = result["results"], result["environment"]
    bad = outside(results)
    first = section("Outside their bands", "<ul>" + "".join(
        f"<li>{escape(name)}: {escape(f['name'])}: ours {escape(f['ours_words'])}, band "
        f"{escape(f['band_words'])}</li>" for name, f in bad) + "</ul>") if bad else ""
    return page("sweepconv reproduce", "\n".join((
        "<h1>Published results and ours</h1>", paragraph(summary(results), "lead"),
        *([paragraph(QUICK, "note")] if result["settings"]["quick"] else []),
        paragraph(f"{result['command']}; {machine['processor']}, {machine['platform']}, "
                  f"{result['settings']['workers']} processes of one thread, "
                  f"{result['seconds']:.0f} s."),
        first, *(_part(entry) for entry in results))))
