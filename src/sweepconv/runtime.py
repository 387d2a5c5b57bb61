"""Threads and instruction sets: what a call runs on.

The number of threads of a call is its `n_threads`, else what `threads(n)` set around it, else
what the machine grants: the least of OMP_NUM_THREADS, CPU affinity and the cgroup's quota.  It
never changes a result.
"""

from __future__ import annotations

import math
import operator
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from . import _kernels, _sweep

MOST_THREADS = 1024  # more is a mistake, and each costs memory

_threads: ContextVar[int | None] = ContextVar("sweepconv_threads", default=None)


def _quota() -> float:
    """CPUs that the cgroup grants (versions 2 and 1); infinity where there is no limit."""
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            text = " ".join(Path("/sys/fs/cgroup", f).read_text() for f in files)
            quota, period = text.split()
            if quota != "max" and int(quota) > 0:
                return int(quota) / int(period)
        except (OSError, ValueError):
            continue
    return math.inf


@cache
def _limit() -> float:
    """What the cgroup and OMP_NUM_THREADS grant; both are read once, as OpenMP does.

    OMP_NUM_THREADS may be a list, one number a level; the first is the outermost.
    """
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    named = int(first) if first.isdecimal() and int(first) > 0 else math.inf
    return min(named, max(1, math.ceil(_quota()) if _quota() < math.inf else math.inf))


def default_threads() -> int:
    """Threads that the machine grants this process."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cpus = os.cpu_count() or 1
    return int(min(cpus, _limit()))


def resolve_threads(verb: str, n_threads: int | None) -> int:
    """The number of threads of one call."""
    if n_threads is None:
        n_threads = _threads.get()
        if n_threads is None:
            return default_threads()
        return n_threads
    try:
        n = operator.index(n_threads)
    except TypeError:
        raise TypeError(f"{verb}: n_threads must be None or an int, got {n_threads!r}") from None
    if n < 1:
        raise ValueError(f"{verb}: n_threads must be at least 1, got {n}")
    if n > MOST_THREADS:
        raise ValueError(f"{verb}: n_threads must be at most {MOST_THREADS}, got {n}")
    return n


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Run the calls inside with `n` threads, where they do not say `n_threads` themselves.

    Holds for this thread of Python (and this task of asyncio) alone.

    Examples
    --------
    >>> with threads(1):
    ...     resolve_threads("conv", None)
    1
    """
    token = _threads.set(resolve_threads("threads", n))
    try:
        yield
    finally:
        _threads.reset(token)


def use_isa(name: str) -> None:
    """Choose the instruction set whose kernels run from now on: one that this machine has.

    Environment variable SWEEPCONV_ISA does the same at import.

    Raises
    ------
    ValueError
        For a name that is unknown, or that this machine cannot run; says which ones it can.
    """
    if name not in _kernels.instances():
        raise ValueError(f"use_isa: unknown instruction set {name!r}: this build has "
                         f"{', '.join(_kernels.instances())}")
    if name not in _kernels.supported():
        raise ValueError(f"use_isa: this machine does not run {name!r}: it runs "
                         f"{', '.join(_kernels.supported())}")
    _kernels.activate(name)


def loaded_openmp() -> list[str]:
    """OpenMP runtimes in this process; two of them may fight over the cores."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return []
    paths = {line.split(maxsplit=5)[-1] for line in maps.splitlines() if "/" in line}
    return sorted(p for p in paths if Path(p).name.startswith(("libgomp", "libomp", "libiomp")))


def show_config() -> dict[str, Any]:
    """What this library runs on, as a dictionary that JSON can hold.

    Examples
    --------
    >>> config = show_config()
    >>> config["isa"] in config["isa_supported"]
    True
    """
    from . import __version__

    return {
        "version": __version__,
        "isa": _kernels.active(),
        "isa_supported": _kernels.supported(),
        "isa_built": _kernels.instances(),
        "threads": resolve_threads("show_config", None),
        "forked_serial": _sweep.forked(),
        "openmp": loaded_openmp(),
        "compiler": _kernels.compiler(),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
    }


def multiply_adds(dtype: Any, rounds: int) -> float:
    """Spend time on multiply-adds in registers alone, and return how many operations they were.

    It runs in the calling thread, without the GIL: several threads of Python, and a clock, measure
    the peak of the active instruction set.

    Examples
    --------
    >>> multiply_adds(np.float32, 1000) == 2 * multiply_adds(np.float64, 1000) > 0
    True
    """
    return _kernels.call_peak(np.dtype(dtype).itemsize, rounds)


if _forced := os.environ.get("SWEEPCONV_ISA"):
    use_isa(_forced)
