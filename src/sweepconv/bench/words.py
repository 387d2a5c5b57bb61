"""Numbers and names in words: one place for terminal and report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .cases import DIRECTIONS, TOLERANCE
from .peers import PEERS
from .verdict import Result

SHORT = {"f": "fwd", "i": "dx", "w": "dw"}


def times(value: float | None) -> str:
    """A ratio of times."""
    return "" if value is None else f"{value:.2f}"


def per_cent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f}"


def milliseconds(seconds: float | None) -> str:
    """Three digits, or whole numbers."""
    if seconds is None:
        return ""
    ms = seconds * 1e3
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.3g}" if ms >= 1 else f"{ms:.3f}"


def who(entry: Mapping[str, Any] | None) -> str:
    return "" if entry is None else f"{entry['peer']}, {entry['entry']}"


def how_wrong(entry: Mapping[str, Any]) -> str:
    """What the check found of an entry that was not timed."""
    if entry["worst"] is None:
        return "not a number where the truth is one"
    rms = "" if entry["rms"] is None else f"; rms error {entry['rms']:.1e}"
    return f"off by {entry['worst']:.3g} eps * sum of |terms|, allowed {TOLERANCE}{rms}"


def has_fast(result: Result) -> bool:
    """Whether some row has a fast algorithm that is not the direct sweep."""
    return any(row["verdict"]["fast"] for row in result["rows"])


def limits(result: Result) -> str:
    """The machine's limits as measured."""
    machine = result["machine"]
    peaks = ", ".join(f"{dtype} {value / 1e9:.0f}" for dtype, value in machine["peak"].items())
    return (f"multiply-adds: {peaks} GFLOP/s; memory: {machine['read'] / 1e9:.1f} GB/s read, "
            f"{machine['copy'] / 1e9:.1f} GB/s copied")


def setting(result: Result) -> str:
    """What it ran on, in one line."""
    s, e = result["settings"], result["environment"]
    threads = f"{s['n_threads']} thread{'s' * (s['n_threads'] > 1)}"
    return f"{e['processor']}, {s['isa']}, {threads}; sweepconv {e['sweepconv']['version']}"


def absent(result: Result) -> list[str]:
    """Sentences about the peers that could not take part."""
    told = []
    for name, peer in result["peers"].items():
        if peer["missing"]:
            told.append(f"{name} is left out: not installed ({', '.join(peer['missing'])})")
        elif peer["error"]:
            told.append(f"{name} is left out: {peer['error']}")
    return told


def present(result: Result) -> str:
    """Names and versions of those that took part."""
    versions = result["environment"]["packages"]
    return ", ".join(f"{name} {versions.get(PEERS[name].package) or ''}".strip()
                     for name, peer in result["peers"].items()
                     if not peer["missing"] and not peer["error"])


def direction(letter: str) -> str:
    return DIRECTIONS[letter].capitalize()
