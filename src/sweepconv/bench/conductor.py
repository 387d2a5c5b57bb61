"""Runs a plan: case by case, every entry is made and checked, then timed in rounds.

In each round all entries of a case have their turn, in an order that moves on by one from round to
round, so that what else the machine does meets all alike.  Only one process works at a time.
"""

from __future__ import annotations

import contextlib
import datetime
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from .cases import Case
from .children import Child, ChildError, child_environment
from .fingerprint import fingerprint
from .peers import OURS, lacks
from .plan import Plan

Tick: TypeAlias = Callable[[str, float], None]  # what runs now, and how much more is done
Record: TypeAlias = dict[str, Any]

SCHEMA = 1  # of the dictionary; grows when a key changes its meaning
CHECKED_BY = {True: "sweepconv.reference", False: f"{OURS} in float64", None: None}
PATIENCE = 10  # our own process, which makes the truth as well, may take as many timeouts


def entry_record(peer: str, entry: str, status: str, message: str | None = None) -> Record:
    return {"peer": peer, "entry": entry, "status": status, "message": message, "worst": None,
            "rms": None, "median": None, "min": None, "spread": None, "rounds": 0, "calls": 0}


class Conductor:
    """`run` may be called once."""

    def __init__(self, plan: Plan, tick: Tick = lambda what, amount: None) -> None:
        self.plan, self.tick = plan, tick
        self.peaks: dict[str, list[float]] = {case.dtype: [] for case in plan.cases}
        self.measured_peak = -float("inf")
        self.speeds: list[Record] = []

    @property
    def amount(self) -> float:
        """In the units of `tick`: about how much arithmetic, and a share for each case."""
        return sum(map(_amount, self.plan.cases))

    def run(self) -> Record:
        started = datetime.datetime.now(datetime.UTC)
        variables = child_environment(self.plan.n_threads, self.plan.isa)
        environment = fingerprint(variables)  # before there is any load of ours
        with TemporaryDirectory(prefix="sweepconv-bench-") as name:
            self.folder = Path(name)
            self.children = {peer: Child(peer, self.plan.n_threads, variables,
                                         self.folder / f"{peer}.log", self.plan.timeout * (
                                             PATIENCE if peer == OURS else 1))
                             for peer in (OURS, *self.plan.peers)}
            try:
                peers = {peer: self._start(peer) for peer in tuple(self.children)}
                rows = self._rows()
            finally:
                for child in self.children.values():
                    child.stop()
        plan = {key: value for key, value in asdict(self.plan).items() if key != "cases"}
        return {
            "schema": SCHEMA,
            "settings": plan,
            "date": started.isoformat(timespec="seconds"),
            "seconds": (datetime.datetime.now(datetime.UTC) - started).total_seconds(),
            "environment": environment,
            "peers": peers,
            "machine": self._machine(),
            "rows": rows,
        }

    def _start(self, peer: str) -> Record:
        """Who a peer is, or why it is left out."""
        self.tick(f"starting {peer}", 0)
        known: Record = {"missing": lacks(peer), "error": None, "openmp": []}
        if known["missing"]:
            self.children.pop(peer)
            return known
        try:
            known["openmp"] = self.children[peer].start()["openmp"]
        except ChildError as error:
            if peer == OURS:
                raise RuntimeError(f"the process of {OURS} does not start: {error}") from error
            known["error"] = str(error)
            self.children.pop(peer).stop()
        return known

    def _rows(self) -> list[Record]:
        rows = []
        self._measure_bandwidth()
        for i, case in enumerate(self.plan.cases):
            self._measure_peak(case.dtype)
            self.tick(f"{case.layer.id} {case.direction}", 0)
            rows.append(self._row(case))
            self.tick(f"{case.layer.id} {case.direction}", _amount(case))
            if i == len(self.plan.cases) // 2:
                self._measure_bandwidth()
        self.measured_peak = -float("inf")
        for dtype in self.peaks:
            self._measure_peak(dtype, last=True)
        self._measure_bandwidth()
        return rows

    def _measure_peak(self, dtype: str, last: bool = False) -> None:
        """Again after some time, and whenever there is none yet of this dtype."""
        late = time.monotonic() - self.measured_peak > self.plan.peak_every
        if late or last or not self.peaks[dtype]:
            self.peaks[dtype].append(self.children[OURS].ask("peak", dtype=dtype)["flops"])
            self.measured_peak = time.monotonic()

    def _measure_bandwidth(self) -> None:
        self.tick("memory bandwidth", 0)
        self.speeds.append(self.children[OURS].ask("bandwidth", most=self.plan.bandwidth_bytes))

    def _machine(self) -> Record:
        return {
            "peak": {dtype: statistics.median(samples) for dtype, samples in self.peaks.items()},
            "peak_samples": self.peaks,
            **{name: statistics.median(s[name] for s in self.speeds) for name in ("read", "copy")},
            "bandwidth_samples": self.speeds,
        }

    def _row(self, case: Case) -> Record:
        """One case: all its entries, checked and timed."""
        plain, layer = None, case.layer
        try:
            asked = self.children[OURS].ask("truth", case=case.as_json(), folder=str(self.folder))
            plain = asked["plain"]
            entries = self._prepare(OURS, case, self.plan.timeout * PATIENCE)
            patience = self.plan.patience(min((e["seconds"] for e in entries if "seconds" in e),
                                              default=self.plan.timeout))
            entries += [e for peer in self.children if peer != OURS
                        for e in self._prepare(peer, case, patience)]
        except ChildError as error:  # the rows to come may still be well
            entries = [entry_record(OURS, "truth", "failed", str(error))]
        self._time([e for e in entries if e["status"] == "right"])
        for child in self.children.values():
            if child.process is not None:
                with contextlib.suppress(ChildError):
                    child.ask("release")
        return {
            "id": case.id, "suite": layer.suite, "layer": layer.name, "family": layer.family,
            "kind": layer.kind, "direction": case.direction, "dtype": case.dtype,
            **{f"{name}_shape": shape for name, shape in case.shapes.items()},
            **case.keywords(), "weight": layer.weight, "flops": layer.flops, "bytes": case.bytes,
            "checked_by": CHECKED_BY[plain],
            "entries": entries,
        }

    def _prepare(self, peer: str, case: Case, patience: float) -> list[Record]:
        """All entries of a peer.  One that kills the process, or is too slow to wait for, is left
        out in a second attempt, as the process has to start anew."""
        child, lost = self.children[peer], dict[str, Record]()
        while True:
            entry, found = "", list[Record]()
            try:
                for entry in child.ask("entries", case=case.as_json())["entries"]:
                    record = lost.get(entry) or self._one(child, entry, patience)
                    found.append(record)
                return [record for record in found if record["status"] != "not offered"]
            except ChildError as error:
                lost[entry] = entry_record(peer, entry, "failed", str(error))
                if not entry or not error.died:  # not even what there is could be said
                    return list(lost.values())

    def _one(self, child: Child, entry: str, patience: float) -> Record:
        record = entry_record(child.name, entry, "failed")
        try:
            return record | child.ask("prepare", within=patience, entry=entry,
                                      truth=str(self.folder))
        except ChildError as error:
            if error.died:
                raise
            return record | {"message": str(error)}

    def _time(self, entries: list[Record]) -> None:
        """Rounds in turn; each entry as many as its effort allows."""
        best = min((e["seconds"] for e in entries), default=0.0)
        efforts = [self.plan.effort(e.pop("seconds"), best) for e in entries]
        seconds: list[list[float]] = [[] for _ in entries]
        for r in range(max((rounds for rounds, _ in efforts), default=0)):
            order = [(i + r) % len(entries) for i in range(len(entries))]
            for i in order:
                rounds, calls = efforts[i]
                if r < rounds and entries[i]["status"] == "right":
                    time.sleep(self.plan.pause)
                    try:
                        answer = self.children[entries[i]["peer"]].ask(
                            "round", entry=entries[i]["entry"], calls=calls)
                        seconds[i].append(answer["seconds"])
                    except ChildError as error:
                        self._lose(entries, entries[i], error)
        for record, (_, calls), times in zip(entries, efforts, seconds, strict=True):
            if record["status"] == "right":
                record.update(figures(times), calls=calls)

    def _lose(self, entries: list[Record], record: Record, error: ChildError) -> None:
        """An entry failed while it was timed; with a process all its entries are gone."""
        for other in entries:
            if other is record or (error.died and other["peer"] == record["peer"]):
                other.update(status="failed", message=str(error))


def figures(seconds: list[float]) -> Record:
    """Median, least, and the distance of the quartiles as a share of the median."""
    middle = statistics.median(seconds)
    low, _, high = (statistics.quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1
                    else [middle] * 3)
    return {"median": middle, "min": min(seconds), "spread": (high - low) / middle,
            "rounds": len(seconds)}


def _amount(case: Case) -> float:
    """About how long a case takes, in seconds on a small machine; only the progress bar asks."""
    return 2 + case.layer.flops * 2e-9
