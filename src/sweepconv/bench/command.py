"""`sweepconv bench`: choose, run with a progress bar, show, write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from sweepconv.output.files import writable_folder, write_whole
from sweepconv.output.progress import progress_bar

from . import diff, table
from .conductor import Conductor, Record
from .plan import Plan, make_plan
from .verdict import judge

WIDE = 150  # columns, where the output is no terminal


def list_rows(plan: Plan) -> None:
    """Print what would be run."""
    for case in plan.cases:
        layer = case.layer
        print(f"{case.id:60} {layer.kind:28} {layer.flops / 1e9:8.3f} GFLOP  "
              f"x {layer.x_shape}  w {layer.w_shape}")
    print(f"{len(plan.cases)} rows; peers: {', '.join(plan.peers)}")


def run(plan: Plan) -> Record:
    """The result with verdicts; a bar on stderr, where that is a terminal."""
    with progress_bar(42) as bar:
        task = bar.add_task("starting", total=None)
        conductor = Conductor(plan, lambda what, amount: bar.update(
            task, description=what, advance=amount))
        bar.update(task, total=conductor.amount)
        return judge(conductor.run())


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)


def bench(*, listing: bool = False, out: str | None = None, json_file: str | None = None,
          html_file: str | None = None, **options: Any) -> Record | None:
    """Run the benchmark, print it, and write what is asked for.

    Parameters
    ----------
    listing : only print which rows would be run.
    out : folder for bench.json and bench.html.
    json_file, html_file : single files instead, or as well.
    **options : as in `plan.make_plan`.

    Returns
    -------
    What the JSON file holds.
    """
    plan = make_plan(**options)
    if listing:
        list_rows(plan)
        return None
    files = {"json": [json_file], "html": [html_file]}
    if out is not None:
        folder = writable_folder(out)
        for kind, names in files.items():
            names.append(str(folder / f"bench.{kind}"))
    paths = {kind: [Path(name) for name in names if name] for kind, names in files.items()}
    for path in [p for some in paths.values() for p in some]:
        writable_folder(path.parent)
    if paths["html"]:
        from .report import html  # here, so that what is missing is said before the long run
    result = run(plan)
    console = _console()
    table.show(console, result)
    texts = {"json": json.dumps(result, indent=1)} | (
        {"html": html(result)} if paths["html"] else {})
    for kind, text in texts.items():
        for path in paths[kind]:
            write_whole(path, text)
            console.print(f"Written: {path}", highlight=False)
    return result


def bench_diff(before: str, after: str, tolerance: float) -> int:
    """Print how the times of two JSON files differ; the exit code, 1 with regressions."""
    return int(diff.show(_console(), diff.read(before), diff.read(after), tolerance) > 0)
