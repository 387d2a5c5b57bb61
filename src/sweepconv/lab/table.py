"""A result in the terminal: one table of figures, one of timings, and the findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .findings import findings, timing_findings
from .plan import FAMILIES
from .verdict import Finding, Result, at_size
from .words import QUESTIONS, QUICK, WHAT, count, mean, percent, round_2, spread


class Row(NamedTuple):
    """What is measured, one cell per family, and which of them are best."""

    label: str
    cells: list[str]
    best: Sequence[int] = ()


SIGNS = {"helps": ("+", "green"), "harms": ("-", "red"), "plain": ("=", "default")}


def _accuracies(label: str, at: Mapping[str, Sequence[float]]) -> Row:
    """Mean and spread; the greatest mean is the best, unless all are equal."""
    means = [mean(at[f]) for f in FAMILIES]
    best = [i for i, m in enumerate(means) if m == max(means)]
    return Row(label, [f"{100 * mean(at[f]):.1f} ± {100 * spread(at[f]):.1f}" for f in FAMILIES],
               best if len(best) < len(FAMILIES) else [])


def _cost(result: Result) -> Iterator[Row]:
    costs = result["families"]
    for key, label in (("filter_size", "weights of one filter"), ("filters", "filters stored"),
                       ("parameters", "parameters, with biases"),
                       ("uses_per_weight", "uses of a weight per image"),
                       ("multiply_adds", "multiply-adds per image")):
        yield Row(label, [count(costs[f][key]) for f in FAMILIES])


def _curve(question: Mapping[str, Any]) -> Iterator[Row]:
    for i, n in enumerate(question["sizes"]):
        yield _accuracies(f"{count(n)} training images", at_size(question, i))
    needed, least = question["needed"], question["sizes"][0]
    if needed["level"] is not None:
        by = needed["images"]
        reached = [n for n in by.values() if n is not None]
        best = [i for i, f in enumerate(FAMILIES) if by[f] is not None and by[f] == min(reached)]
        yield Row(f"images to reach {percent(needed['level'], 0)}",
                  [needed_cell(by[f], least) for f in FAMILIES], best)


def needed_cell(n: float | None, least: int) -> str:
    """A number of images for a table."""
    if n is None:
        return "not reached"
    return f"≤ {count(least)}" if n <= least else count(round_2(n))


def _moves(result: Result) -> Iterator[Row]:
    eq, settings = result["equivariance"], result["settings"]
    for i, n in enumerate(eq["strides"][:settings["period"]]):
        error = [eq["error"][f][i] for f in FAMILIES]
        yield Row(f"map off by, moved {n} stride{'s' * (n > 1)}",
                  [percent(e, 0) for e in error],
                  [j for j, e in enumerate(error) if e == min(error)])
    moved = result["moved_tests"]
    for i, p in list(enumerate(moved["pixels"]))[1:]:
        yield _accuracies(f"accuracy, tests moved {p} px", at_size(moved, i))


def _place(result: Result) -> Iterator[Row]:
    for name in ("shuffled", "place_kept", "place_forgotten"):
        if name in result["questions"]:
            yield _accuracies(QUESTIONS[name].short.lower(),
                              at_size(result["questions"][name], 0))


def _empty(title: str, caption: str) -> Table:
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left",
                  title_style="bold", box=box.HORIZONTALS, padding=(0, 0))  # fits 80 columns
    table.add_column("", min_width=28)
    for family in FAMILIES:
        table.add_column(family, justify="right", min_width=11)
    return table


def sections(result: Result) -> list[tuple[str, list[Row]]]:
    """All figures but the timings, by subject: the same for the same seed."""
    questions = result["questions"]
    return [
        ("First layer", list(_cost(result))),
        ("Centred images", list(_curve(questions["centred"]))),
        ("Moved images", list(_curve(questions["moved"]))),
        ("Moved only in the test", list(_moves(result))),
        ("Where place has a meaning", list(_place(result))),
    ]


def figures(result: Result) -> Table:
    """`sections` as a table; the best of a row is bold."""
    settings = result["settings"]
    table = _empty(f"{settings['data']}: {task_name(settings)}",
                   f"Accuracy: balanced, in %, mean ± s.d. of {settings['seeds']} seeds; "
                   f"guessing gives {percent(result['questions']['centred']['chance'], 0)}.")
    for title, rows in sections(result):
        table.add_section()
        table.add_row(Text(title, style="bold"))
        for row in rows:
            table.add_row(f"  {row.label}", *(Text(cell, style="bold" if i in row.best else "")
                                              for i, cell in enumerate(row.cells)))
    return table


def task_name(settings: Mapping[str, Any]) -> str:
    """The question in words."""
    if settings["target"] == "all":
        return f"which of {len(settings['classes'])} classes?"
    return f"is this a {settings['target']}?"


def timings(result: Result) -> Table:
    """What a clock measured: differs from run to run."""
    sweeps = result["timings"]["sweeps"]
    table = _empty("Timings (these vary from run to run)",
                   "Milliseconds of the first layer for "
                   f"{result['settings']['timing_batch']} images: median (least).")
    for way in ("forward", "backward"):
        table.add_row(way, *(f"{sweeps[f][way]['median']:.2f} ({sweeps[f][way]['min']:.2f})"
                             for f in FAMILIES))
    return table


def _print_finding(console: Console, finding: Finding) -> None:
    sign, colour = SIGNS[finding.kind]
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text(sign, style=f"bold {colour}"),
                 Text.assemble((finding.title + ".", "bold"), " ", finding.text))
    console.print(grid)


def show(console: Console, result: Result) -> None:
    """The whole result; what is reproducible first."""
    for family in FAMILIES:
        console.print(Text.assemble((f"{family:6}", "bold"), WHAT[family]))
    console.print()
    console.print(figures(result))
    if result["settings"]["quick"]:
        console.print(Text(QUICK, style="italic"))
    console.print(Text("\nFindings", style="bold"), Text(
        "(+ sharing helps, - it does not help or harms, = open)"))
    for finding in findings(result):
        _print_finding(console, finding)
    console.print()
    console.print(timings(result))
    for finding in timing_findings(result):
        _print_finding(console, finding)
