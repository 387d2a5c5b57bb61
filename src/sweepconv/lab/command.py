"""`sweepconv compare`: load, run with a progress bar, show, write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from sweepconv import datasets
from sweepconv.output.files import writable_folder, write_whole
from sweepconv.output.progress import progress_bar

from .experiment import Experiment
from .findings import findings, timing_findings
from .plan import Plan, make_plan
from .report import html
from .table import show

BUILT_IN = {"mnist5k": datasets.mnist5k, "digits": datasets.digits}


def _load(data: str) -> datasets.Labelled:
    if data in BUILT_IN:
        return BUILT_IN[data]()
    if not data.endswith(".npz"):
        raise ValueError(f"--data must be {', '.join(BUILT_IN)} or a file .npz, got {data!r}")
    return datasets.load_npz(data)


def _run(experiment: Experiment) -> dict[str, Any]:
    """The experiment with a bar on stderr, where that is a terminal."""
    with progress_bar(28) as bar:
        task = bar.add_task("training", total=experiment.amount)
        result = experiment.run(lambda what, amount: bar.update(
            task, description=what, advance=amount))
    result["findings"] = [vars(f) for f in findings(result)]
    result["timings"]["findings"] = [vars(f) for f in timing_findings(result)]
    return result


def compare(*, data: str = "mnist5k", target: str | None = None, quick: bool = False,
            seed: int = 0, seeds: int = 3, out: str | Path = "report",
            n_threads: int | None = None, plan: Plan | None = None) -> dict[str, Any]:
    """Run the comparison, print it, and write compare.json and compare.html to `out`.

    Parameters
    ----------
    data : "mnist5k", "digits" or the path of an .npz file, see `datasets.load_npz`.
    target : the class to tell from the rest, or "all".  Default "2", for a file "all".
    quick, seed, seeds, n_threads : as in `plan.make_plan`.
    plan : takes the place of all of these, for other sizes, steps, ...

    Returns
    -------
    What compare.json holds.
    """
    target = target or ("2" if data in BUILT_IN else "all")
    plan = plan or make_plan(data, target, seed=seed, seeds=seeds, quick=quick,
                             n_threads=n_threads)
    folder = writable_folder(out)
    x, labels = _load(plan.data)
    result = _run(Experiment(plan, x, labels))
    console = Console()
    show(console, result)
    written = {"compare.json": json.dumps(result, indent=1), "compare.html": html(result)}
    for name, text in written.items():
        write_whole(folder / name, text)
    console.print(f"\nWritten to {folder}: {', '.join(written)}", highlight=False)
    return result
