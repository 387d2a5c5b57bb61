"""The process of one peer.  It reads one request in JSON a line, answers with one, and sleeps in
between: the parent alone decides when it runs.

Requests: entries, prepare, round, release; and to this library's own process truth, peak,
bandwidth.  An answer with "error" says that a request has failed; the process goes on.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from sweepconv.runtime import loaded_openmp

from .cases import Case, Truth, check
from .machine import bandwidth, fma_peak
from .peers import PEERS
from .peers.base import Call, NotOffered
from .truth import is_plain, truth

SLOW = 0.1  # seconds; one call tells how long such calls are
WARM = 0.01  # seconds; a round of calls shorter than this starts with one that is not counted
MOST_SAID = 200  # characters of an error

Answer = dict[str, Any]


class Worker:
    def __init__(self, name: str, n_threads: int) -> None:
        self.n_threads = n_threads
        self.peer = import_module(f".peers.{PEERS[name].file}", __package__).Peer(n_threads)
        self.case: Case | None = None
        self.calls: dict[str, Call] = {}
        self.seconds: dict[str, float] = {}

    def entries(self, case: Answer) -> Answer:
        """Names of what there is for a case, which is the one that is prepared from now on."""
        self.release()
        self.case = Case.from_json(case)
        return {"entries": list(self.peer.entries(self.case))}

    def prepare(self, entry: str, truth: str) -> Answer:
        """Make one entry, check its result, and say how long a call takes if it is right."""
        assert self.case is not None
        try:
            call: Call = self.peer.entries(self.case)[entry]()
            result = call.to_numpy(call.run())
        except NotOffered:
            return {"status": "not offered"}
        found = check(self.case, result, Truth(*(np.load(Path(truth, f"{name}.npy"), mmap_mode="r")
                                                 for name in Truth._fields)))
        answer = {"status": "right" if found.right else "wrong", "worst": _finite(found.worst),
                  "rms": _finite(found.rms)}
        if found.right:
            self.calls[entry] = call
            seconds = _clock(call, 1)
            self.seconds[entry] = answer["seconds"] = (
                seconds if seconds > SLOW else min(seconds, _clock(call, 1)))
        return answer

    def round(self, entry: str, calls: int) -> Answer:
        """Seconds a call."""
        call = self.calls[entry]
        if self.seconds[entry] < WARM:
            call.run()
        return {"seconds": _clock(call, calls)}

    def release(self) -> Answer:
        self.case = None
        self.calls.clear()
        self.seconds.clear()
        gc.collect()
        return {}

    def truth(self, case: Answer, folder: str) -> Answer:
        asked = Case.from_json(case)
        for name, array in truth(asked)._asdict().items():
            np.save(Path(folder, f"{name}.npy"), array)
        return {"plain": is_plain(asked)}

    def peak(self, dtype: str) -> Answer:
        return {"flops": fma_peak(dtype, self.n_threads)}

    def bandwidth(self, most: int) -> Answer:
        return bandwidth(self.n_threads, most)


def _clock(call: Call, calls: int) -> float:
    run: Callable[[], Any] = call.run
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def _finite(value: float) -> float | None:
    """JSON has neither NaN nor infinity."""
    return value if np.isfinite(value) else None


def serve(name: str, n_threads: int) -> None:
    """Answer requests until there are no more."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)  # whatever a peer prints is no answer
        gc.disable()

        def answer(what: Answer) -> None:
            out.write(json.dumps(what) + "\n")
            out.flush()

        worker = Worker(name, n_threads)
        answer({"ready": name, "openmp": loaded_openmp()})
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer(getattr(worker, request.pop("do"))(**request))
            except Exception as error:
                said = str(error).strip().split("\n")[0][:MOST_SAID]
                answer({"error": f"{type(error).__name__}: {said}"})
