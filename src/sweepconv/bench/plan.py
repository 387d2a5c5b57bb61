"""What is to be run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sweepconv.runtime import show_config

from .cases import DIRECTIONS, DTYPES, Case, Direction
from .machine import MOST
from .peers import OURS, PEERS
from .workloads import Layer, layers, select

LEAST_ROUNDS, MOST_ROUNDS = 3, 15
HOPELESS = 10  # times slower than the best: two rounds say enough
TOO_SLOW = 300  # times slower than ours: not waited for
LEAST_PATIENCE = 10.0  # seconds; to compile a graph takes some


@dataclass(frozen=True)
class Plan:
    """`budget`: about how many seconds an entry is timed for; `round_seconds`: about how long one
    round is; `pause`: how long all threads are left alone before each round, so that those of the
    peer before have gone to sleep; `timeout`: of one answer of a process."""

    cases: tuple[Case, ...]
    peers: tuple[str, ...]
    n_threads: int
    isa: str
    budget: float = 0.4
    round_seconds: float = 0.05
    pause: float = 0.005
    timeout: float = 30.0
    peak_every: float = 20.0  # seconds; shared machines drift
    bandwidth_bytes: int = MOST
    quick: bool = False

    def patience(self, seconds: float) -> float:
        """How long to wait for an entry to be made and checked where ours takes `seconds`."""
        return min(self.timeout, max(LEAST_PATIENCE, TOO_SLOW * seconds))

    def effort(self, seconds: float, best: float) -> tuple[int, int]:
        """(rounds, calls a round) of an entry that takes `seconds` where the best takes `best`."""
        calls = max(1, math.ceil(self.round_seconds / seconds))
        if seconds > max(self.budget, HOPELESS * best):
            return 2, 1
        rounds = round(self.budget / (calls * seconds))
        return min(max(rounds, LEAST_ROUNDS), MOST_ROUNDS), calls


def _names(option: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{option} {unknown[0]}: must be of {', '.join(known)}")
    return names


def applies(layer: Layer, direction: str) -> bool:
    """A call's overhead and denormals are measured forward alone."""
    return direction == "f" or layer.suite not in ("overhead", "denormal")


def make_plan(*, suites: str | None = None, match: str = "", directions: str = "f,i,w",
              dtypes: str = "float32", peers: str | None = None, n_threads: int | None = None,
              isa: str | None = None, quick: bool = False, every: int = 1,
              budget: float | None = None, timeout: float = 30.0) -> Plan:
    """Options of the command, checked; lists are separated by commas.  ValueError says what is
    wrong with one."""
    config = show_config()
    if isa is not None and isa not in config["isa_supported"]:
        raise ValueError(f"--isa {isa}: this machine runs {', '.join(config['isa_supported'])}")
    rows = select(layers(), suites=suites.split(",") if suites else (), match=match,
                  quick=quick, every=every)
    ways = cast("tuple[Direction, ...]", _names("--dir", directions, list(DIRECTIONS)))
    kinds = _names("--dtype", dtypes, DTYPES)
    cases = tuple(Case(row, way, kind) for row in rows for kind in kinds for way in ways
                  if applies(row, way))
    if not cases:
        raise ValueError("no row is left: see sweepconv bench --list")
    others = [name for name in PEERS if name != OURS]
    return Plan(cases=cases, quick=quick, timeout=timeout,
                peers=_names("--peers", peers, others) if peers else tuple(others),
                n_threads=n_threads or config["threads"], isa=isa or config["isa"],
                budget=budget or (0.1 if quick else 0.4), round_seconds=0.02 if quick else 0.05,
                bandwidth_bytes=MOST // 4 if quick else MOST)
