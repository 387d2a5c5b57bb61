"""What the machine can do at most: multiply-adds in registers, and memory read and copied.

Both by threads of Python whose work is done without the GIL.  All start together, and the clock
stops with the last.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np

from sweepconv.runtime import multiply_adds

LEAST, MOST = 2**26, 2**30  # bytes of the array that is read
REPEATS = 3


def _together(n_threads: int, work: Callable[[int], float]) -> tuple[float, float]:
    """(sum of what the threads return, seconds until all have ended)."""
    barrier = Barrier(n_threads + 1)

    def one(i: int) -> float:
        barrier.wait()
        return work(i)

    with ThreadPoolExecutor(n_threads) as pool:
        waiting = [pool.submit(one, i) for i in range(n_threads)]
        barrier.wait()
        start = time.perf_counter()
        done = sum(w.result() for w in waiting)
        return done, time.perf_counter() - start


def fma_peak(dtype: str, n_threads: int, seconds: float = 0.03) -> float:
    """Floating-point operations a second, the best of a few repeats of about `seconds`."""
    def speed(rounds: int) -> tuple[float, float]:
        done, took = _together(n_threads, lambda _: multiply_adds(dtype, rounds))
        return done / took, took

    rounds = 10_000
    while speed(rounds)[1] < seconds / 2:
        rounds *= 4
    return max(speed(rounds)[0] for _ in range(REPEATS))


def caches() -> dict[str, int]:
    """Bytes by name ("L1d", "L2", ...) as Linux tells them of the first CPU."""
    found = {}
    units = {"K": 2**10, "M": 2**20, "G": 2**30}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = (folder.joinpath(name).read_text().strip()
                                 for name in ("level", "type", "size"))
            letter = {"Data": "d", "Instruction": "i"}.get(kind, "")
            found[f"L{level}{letter}"] = int(size[:-1]) * units[size[-1]]
        except (OSError, ValueError, KeyError, IndexError):
            continue
    return found


def _available() -> int:
    """Bytes of memory that are free."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration, ValueError):
        return 4 * LEAST


def bandwidth(n_threads: int, most: int = MOST) -> dict[str, Any]:
    """Bytes a second, read by a maximum over integers, and copied (read and written: twice the
    array), from arrays twice as large as the last cache where memory allows it."""
    largest = max(caches().values(), default=LEAST // 2)
    size = min(max(2 * largest, LEAST), most, _available() // 4) // (8 * n_threads) * n_threads
    source = np.arange(size, dtype=np.int64)
    target = np.zeros_like(source)
    parts = [slice(i * size // n_threads, (i + 1) * size // n_threads) for i in range(n_threads)]

    def read(i: int) -> float:
        source[parts[i]].max()
        return float(source[parts[i]].nbytes)

    def copy(i: int) -> float:
        target[parts[i]] = source[parts[i]]
        return 2.0 * source[parts[i]].nbytes

    speeds = {}
    for name, work in (("read", read), ("copy", copy)):
        pairs = [_together(n_threads, work) for _ in range(REPEATS)]
        speeds[name] = max(done / took for done, took in pairs)
    return {**speeds, "array_bytes": source.nbytes}
