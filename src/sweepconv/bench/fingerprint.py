"""What a result was measured on: machine, versions, variables, source."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweepconv.output.environment import environment

from .machine import caches
from .peers import PEERS

MATTERS = ("OMP_", "GOMP_", "KMP_", "OPENBLAS_", "MKL_", "BLIS_", "SWEEPCONV_", "XLA_", "JAX_",
           "ONEDNN_", "DNNL_", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "TORCH_", "ATEN_")


def _commit() -> str | None:
    """Of the checkout that this file is in, if it is in one; with a plus where that has changes."""
    folder = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(folder), *words], check=True, text=True,
                              capture_output=True).stdout.strip()

    try:
        if not git("ls-files", "__init__.py"):  # a checkout of something else
            return None
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def fingerprint(children: Mapping[str, str]) -> dict[str, Any]:
    """Everything that may explain why two results differ; `children` are the variables that the
    peers' processes got."""
    packages = [info.package for info in PEERS.values()]
    try:
        load: tuple[float, ...] = os.getloadavg()
    except OSError:
        load = ()
    return {
        **environment(packages),
        "cpus": os.cpu_count(),
        "caches": caches(),
        "load": load,
        "variables": {key: value for key, value in sorted(os.environ.items())
                      if key.startswith(MATTERS)},
        "children": dict(children),
        "commit": _commit(),
    }
