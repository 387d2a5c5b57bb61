"""`sweepconv reproduce`: choose, run with a progress bar, show, write."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from sweepconv.output.environment import environment
from sweepconv.output.files import writable_folder, write_whole
from sweepconv.output.progress import progress_bar
from sweepconv.runtime import resolve_threads

from .recipe import Recipe, Scale
from .registry import RECIPES, chosen
from .report import html
from .result import SCHEMA, entry
from .runner import Ran, amount, run
from .table import show

WIDE = 130  # columns, where the output is no terminal
PACKAGES = ("numpy", "matplotlib", "rich", "mlxtend")


def _run(recipes: Sequence[Recipe], scale: Scale, workers: int) -> dict[str, Ran]:
    """All jobs, with a bar on stderr where that is a terminal."""
    with progress_bar(18) as bar:
        task = bar.add_task("starting", total=amount(recipes, scale))
        return run(recipes, scale, workers, lambda name, more: bar.update(
            task, description=name, advance=more))


def _words(ids: Sequence[str], scale: Scale) -> str:
    """The command that repeats this run."""
    return " ".join(("sweepconv reproduce", *ids, *(["--quick"] if scale.quick else []),
                     *([f"--seeds {scale.seeds}"] if scale.seeds is not None else [])))


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)


def list_ids(console: Console) -> None:
    """Print what there is to reproduce."""
    for recipe in RECIPES.values():
        console.print(f"{recipe.id:16} {recipe.title}", highlight=False)


def reproduce(ids: Sequence[str] = (), *, quick: bool = False, seeds: int | None = None,
              out: str | Path = "report", as_json: bool = False,
              n_threads: int | None = None, listing: bool = False) -> dict[str, Any] | None:
    """Run recipes, print published beside ours, write reproduce.json and reproduce.html to `out`.

    Parameters
    ----------
    ids : of the recipes, see `registry.RECIPES`; all if there is none.
    quick : about a minute for all: fewer seeds and steps, wider bands.
    seeds : runs of what is trained or drawn, in the place of each recipe's own number.
    out : folder to write to.
    as_json : print the JSON in the place of the table.
    n_threads : processes side by side, each with one thread.
    listing : print the ids, and stop.

    Returns
    -------
    What reproduce.json holds.
    """
    console = _console()
    if listing:
        list_ids(console)
        return None
    recipes, scale = chosen(ids), Scale(quick, seeds)
    folder, workers = writable_folder(out), resolve_threads("reproduce", n_threads)
    start = time.perf_counter()
    ran = _run(recipes, scale, workers)
    result = {
        "schema": SCHEMA, "command": _words(ids, scale),
        "settings": {"quick": quick, "seeds": seeds, "workers": workers},
        "results": [entry(recipe, ran[recipe.id], scale) for recipe in recipes],
        "environment": environment(PACKAGES), "seconds": round(time.perf_counter() - start, 3),
    }
    text = json.dumps(result, indent=1, allow_nan=False)
    written = {"reproduce.json": text, "reproduce.html": html(result)}
    for name, content in written.items():
        write_whole(folder / name, content)
    if as_json:
        print(text)
        return result
    show(console, result)
    console.print(f"Written to {folder}: {', '.join(written)}", highlight=False)
    return result
