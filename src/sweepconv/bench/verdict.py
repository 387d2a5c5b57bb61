"""Who is ahead in a row and by how much, and rows in classes.

The ratio of a row is the median time of the best peer over that of our best entry: above 1 we are
ahead.  `algorithm="fast"` is no part of it where it is not the direct sweep.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from .peers import OURS, PEERS
from .peers.base import FAST
from .workloads import KINDS

Record: TypeAlias = dict[str, Any]
Result: TypeAlias = Mapping[str, Any]

CLOSE = 0.9  # a ratio below this is a clear loss


def _best(entries: Iterable[Record]) -> Record | None:
    right = [e for e in entries if e["status"] == "right"]
    return min(right, key=lambda e: float(e["median"]), default=None)


def _short(entry: Record | None) -> Record | None:
    keys = ("peer", "entry", "median", "spread", "rms")
    return None if entry is None else {key: entry[key] for key in keys}


def verdict(row: Record, machine: Mapping[str, Any]) -> Record:
    """What follows from a row's times and the machine's limits; None where something is lacking."""
    entries = row["entries"]
    ours = _best(e for e in entries if e["peer"] == OURS and not e["entry"].startswith(FAST))
    fast = _best(e for e in entries if e["peer"] == OURS and e["entry"].startswith(FAST))
    peers = [e for e in entries if e["peer"] != OURS]
    peer, numpy = _best(peers), _best(e for e in peers if PEERS[e["peer"]].takes_numpy)
    told: Record = {"ours": _short(ours), "fast": _short(fast), "peer": _short(peer),
                    "numpy_peer": _short(numpy), "ratio": None, "fast_ratio": None,
                    "numpy_ratio": None, "gflops": None, "of_peak": None, "of_read": None,
                    "of_roof": None, "by_peer": {}}
    if ours is not None:
        rate, peak = row["flops"] / ours["median"], machine["peak"][row["dtype"]]
        roof = min(peak, row["flops"] / row["bytes"] * machine["read"])
        told |= {"gflops": rate / 1e9, "of_peak": rate / peak, "of_roof": rate / roof,
                 "of_read": row["bytes"] / ours["median"] / machine["read"]}
        for name in dict.fromkeys(e["peer"] for e in peers):
            theirs = _best(e for e in peers if e["peer"] == name)
            if theirs is not None:
                told["by_peer"][name] = theirs["median"] / ours["median"]
        if peer is not None:
            told["ratio"] = peer["median"] / ours["median"]
        if numpy is not None:
            told["numpy_ratio"] = numpy["median"] / ours["median"]
    if fast is not None and peer is not None:
        told["fast_ratio"] = peer["median"] / fast["median"]
    return told


def judge(result: Record) -> Record:
    """The result with a verdict in each row, losing rows first."""
    rows = [row | {"verdict": verdict(row, result["machine"])} for row in result["rows"]]
    return result | {"rows": losing_first(rows)}


def ratio(row: Record) -> float | None:
    value: float | None = row["verdict"]["ratio"]
    return value


def losing_first(rows: Iterable[Record]) -> list[Record]:
    """By ratio, the worst first; rows without a ratio last."""
    def place(row: Record) -> float:
        value = ratio(row)
        return math.inf if value is None else value

    return sorted(rows, key=place)


class Summary(NamedTuple):
    """Some rows of one direction: `mean` is the geometric mean of the ratios; `of_peak` and
    `of_roof` are medians."""

    direction: str
    kind: str
    rows: int
    mean: float | None
    clear: int
    losing: int
    of_peak: float | None
    of_roof: float | None


def _summary(direction: str, kind: str, rows: list[Record]) -> Summary:
    ratios = [r for r in map(ratio, rows) if r is not None]

    def middle(key: str) -> float | None:
        values = [row["verdict"][key] for row in rows if row["verdict"][key] is not None]
        return statistics.median(values) if values else None

    return Summary(direction, kind, len(rows),
                   statistics.geometric_mean(ratios) if ratios else None,
                   sum(r < CLOSE for r in ratios), sum(r < 1 for r in ratios),
                   middle("of_peak"), middle("of_roof"))


def summaries(rows: Iterable[Record]) -> list[Summary]:
    """For each direction all float32 rows, each class of them, and the float64 rows."""
    rows, found = list(rows), []
    for direction in "fiw":
        mine = [row for row in rows if row["direction"] == direction]
        single = [row for row in mine if row["dtype"] == "float32"]
        groups = {"all float32": single,
                  **{kind: [row for row in single if row["kind"] == kind] for kind in KINDS},
                  "float64": [row for row in mine if row["dtype"] == "float64"]}
        found += [_summary(direction, kind, some) for kind, some in groups.items() if some]
    return found


class Against(NamedTuple):
    """Our rows against one peer's, in one direction; `mean` as in `Summary`."""

    peer: str
    direction: str
    rows: int
    mean: float
    losing: int


def against(rows: Iterable[Record]) -> list[Against]:
    """For each peer and direction in which it has rows."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        for name, value in row["verdict"]["by_peer"].items():
            found.setdefault((name, row["direction"]), []).append(value)
    return [Against(name, letter, len(values), statistics.geometric_mean(values),
                    sum(value < 1 for value in values))
            for name in PEERS for letter in "fiw" if (values := found.get((name, letter)))]


def troubles(rows: Iterable[Record], status: str) -> list[tuple[str, Record]]:
    """(row, entry) of the entries with a status: "wrong" or "failed"."""
    return [(row["id"], e) for row in rows for e in row["entries"] if e["status"] == status]
