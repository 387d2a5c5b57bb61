"""Arrays of a call: checked once, here, before any pointer is taken."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def _as_array(verb: str, name: str, value: Any) -> Array:
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{verb}: {name} is no array: {error}") from error


def operands(verb: str, **named: Any) -> tuple[Array, ...]:
    """The operands as arrays of one dtype, float32 or float64; None (no bias) stays out."""
    arrays = {name: _as_array(verb, name, a) for name, a in named.items()
              if a is not None or name != "b"}
    first_name, first = next(iter(arrays.items()))
    for name, a in arrays.items():
        if a.dtype not in DTYPES or not a.dtype.isnative:
            raise TypeError(f"{verb}: {name} must be float32 or float64, got {a.dtype}")
        if a.dtype != first.dtype:
            raise TypeError(f"{verb}: {name} must have the dtype of {first_name}, {first.dtype}, "
                            f"got {a.dtype}")
    return tuple(arrays.values())


def require_shape(verb: str, name: str, array: Array, shape: tuple[int, ...], why: str) -> None:
    if array.shape != shape:
        raise ValueError(f"{verb}: {name} must have shape {shape} {why}, "
                         f"got {name}.shape = {array.shape}")


def result(verb: str, shape: tuple[int, ...], like: Array, out: Any,
           inputs: tuple[Array, ...], accumulate: bool = False) -> tuple[Array, tuple[Array, ...]]:
    """The array to write, and the inputs, copied where they overlap with it.

    A new array takes the memory order of `like`, the data operand.
    """
    if out is None:
        if accumulate:
            raise ValueError(f"{verb}: accumulate=True adds into out, but out is None")
        return np.empty_like(like, shape=shape, subok=False), inputs
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{verb}: out must be an array, got {type(out).__name__}")
    if out.dtype != like.dtype or not out.dtype.isnative:
        raise TypeError(f"{verb}: out must have dtype {like.dtype}, got {out.dtype}")
    require_shape(verb, "out", out, shape, "here")
    if not out.flags.writeable:
        raise ValueError(f"{verb}: out is read-only")
    if _overlaps_itself(out):
        raise ValueError(f"{verb}: out has elements that share memory (out.strides = "
                         f"{out.strides})")
    return out, tuple(a.copy(order="K") if np.may_share_memory(a, out) else a for a in inputs)


def _overlaps_itself(a: Array) -> bool:
    """Whether two elements share memory."""
    if not a.size or a.flags.forc:
        return False
    reach = a.itemsize  # of the axes so far, in bytes
    for step, n in sorted((abs(s), n) for s, n in zip(a.strides, a.shape, strict=True) if n > 1):
        if step < reach:  # the axes interleave: rare, so look at each element
            at = sum(np.ix_(*(s * np.arange(n) for s, n in zip(a.strides, a.shape, strict=True))))
            return bool((np.diff(np.sort(at, axis=None)) < a.itemsize).any())
        reach += step * (n - 1)
    return False
