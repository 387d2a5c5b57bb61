"""The peers' processes as their parent sees them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import sweepconv

from .peers import PEERS

# The peer's package comes first, so that it loads the OpenMP runtime that it brings.  All processes
# run on the same CPUs, as many as there are threads.
START = """if True:
    import os, sys
    name, n, *needs = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(n)])
    for module in needs:
        __import__(module)
    from sweepconv.bench.worker import serve
    serve(name, int(n))
"""

# They would place or slow the threads of some peers and not of others.
REMOVED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMP_PROC_BIND", "OMP_PLACES",
           "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "OMP_WAIT_POLICY", "OMP_SCHEDULE", "OMP_DYNAMIC",
           "SWEEPCONV_ISA")


def child_environment(n_threads: int, isa: str) -> dict[str, str]:
    """Variables that all children get: one number of threads, which spin for a moment before they
    sleep: awake from call to call of a round, asleep from round to round."""
    n = str(n_threads)
    return {
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC",
                         "PJRT_NPROC"), n),
        "GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1",  # times a pause: 0.1 to 0.5 ms; and 1 ms
        "OPENBLAS_THREAD_TIMEOUT": "4",  # 2**4 ticks of the clock, the least it takes
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "2", "SWEEPCONV_ISA": isa,
    }


class ChildError(Exception):
    """A request failed; `died` if the process is gone with it."""

    def __init__(self, message: str, died: bool) -> None:
        super().__init__(message)
        self.died = died


class Child:
    """One peer's process; started anew after it has died."""

    def __init__(self, name: str, n_threads: int, variables: Mapping[str, str], log: Path,
                 timeout: float) -> None:
        self.name, self.n_threads, self.timeout = name, n_threads, timeout
        kept = {key: value for key, value in os.environ.items() if key not in REMOVED}
        path = [str(Path(sweepconv.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        self.environment = {**kept, **variables, "PYTHONPATH": os.pathsep.join(filter(None, path))}
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.ready: dict[str, Any] = {}

    def start(self) -> dict[str, Any]:
        """Start the process if it does not run; what it says of itself."""
        if self.process is None:
            with self.log.open("wb") as log:
                self.process = subprocess.Popen(
                    [sys.executable, "-P", "-c", START, self.name, str(self.n_threads),
                     *PEERS[self.name].needs],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                    env=self.environment)
            self.ready = self._answer(self.process)
        return self.ready

    def ask(self, do: str, within: float | None = None, **request: Any) -> dict[str, Any]:
        """Send one request and wait for its answer, for `within` seconds if given; ChildError says
        what went wrong."""
        self.start()
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **request}).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise self._dead(self.process) from None
        answer = self._answer(self.process, within)
        if "error" in answer:
            raise ChildError(answer["error"], died=False)
        return answer

    def _answer(self, process: subprocess.Popen[bytes], within: float | None = None
                ) -> dict[str, Any]:
        assert process.stdout is not None
        stdout: IO[bytes] = process.stdout
        limit = self.timeout if within is None else within
        while True:
            if not select.select([stdout], [], [], limit)[0]:
                self.stop()
                raise ChildError(f"no answer in {limit:g} s", died=True)
            line = stdout.readline()
            if not line:
                raise self._dead(process)
            if line.startswith(b"{"):  # else printed while a package was imported
                answer: dict[str, Any] = json.loads(line)
                return answer

    def _dead(self, process: subprocess.Popen[bytes]) -> ChildError:
        self.stop()
        said = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "")
        return ChildError(f"the process ended with {process.returncode}: {last}", died=True)

    def stop(self) -> None:
        """End the process; asked twice or not started, there is nothing to do."""
        process, self.process = self.process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.kill()
        process.wait()
        process.stdout.close()
        with contextlib.suppress(OSError):  # if something was left to be written
            process.stdin.close()
