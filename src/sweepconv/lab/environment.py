"""What a result was made with: versions and machine."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sweepconv import show_config

PACKAGES = ("numpy", "matplotlib", "rich", "scikit-learn", "mlxtend")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor's name as Linux knows it, else as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        named = [line for line in lines if line.startswith("model name")]
        return named[0].split(":", 1)[1].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def environment() -> dict[str, Any]:
    """Versions, machine, and what `sweepconv.show_config` says of the engine."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "packages": {package: _version(package) for package in PACKAGES},
        "sweepconv": show_config(),
    }
