"""What the made sets share: checks of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def whole(name: str, argument: str, value: Any, least: int) -> int:
    """`value` as an int of at least `least`."""
    try:
        found = int(value)
    except (TypeError, ValueError):
        found = least - 1
    if found < least or found != value:
        raise ValueError(f"{name}: {argument} must be a whole number of at least {least}, "
                         f"got {value!r}")
    return found


def not_negative(name: str, argument: str, value: float) -> float:
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name}: {argument} must be finite and not negative, got {value!r}")
    return float(value)


def float_type(name: str, dtype: npt.DTypeLike) -> np.dtype[Any]:
    found = np.dtype(dtype)
    if found not in (np.float32, np.float64):
        raise TypeError(f"{name}: dtype must be float32 or float64, got {found}")
    return found
