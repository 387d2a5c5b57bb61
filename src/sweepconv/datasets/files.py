"""Labelled images of one's own, from a file that may hold anything."""

from __future__ import annotations

import os
import zipfile
import zlib
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Labelled: TypeAlias = "tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]"


def load_npz(path: str | os.PathLike[str]) -> Labelled:
    """Labelled images of your own, from an .npz file with the arrays `x` and `y`.

    Parameters
    ----------
    path : file as `numpy.savez(path, x=x, y=y)` writes it; pickled objects are refused.
        x is (N, H, W) or (N, length), both taken as having one channel, or (N, C, *spatial)
        with 2 or 3 spatial axes.  y is (N,) whole numbers.

    Returns
    -------
    x : float32; where a value exceeds 1 in size, all are divided by the greatest size, so that
        they lie in [-1, 1] and 0 stays 0.
    y : int64, as in the file.

    Raises
    ------
    ValueError
        Names the file and what is wrong with it.
    """
    name = os.fspath(path)
    try:
        x, y = _read(name)
        return _checked_x(x), _checked_y(y, len(x))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _read(name: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    try:
        with open(name, "rb") as file:  # np.load would leave a broken file open
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("expected an .npz file with arrays x and y, got a single array")
            lost = [key for key in ("x", "y") if key not in archive.files]
            if lost:
                raise ValueError(f"no array named {' or '.join(map(repr, lost))}; "
                                 f"the file has {sorted(archive.files)}")
            return archive["x"], archive["y"]
    except FileNotFoundError:
        raise ValueError("no such file") from None
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error})") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        raise ValueError(f"not a readable .npz file ({error})") from None


def _checked_x(x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    if x.dtype.kind not in "biuf":
        raise ValueError(f"x must hold real numbers, got dtype {x.dtype}")
    if not 2 <= x.ndim <= 5 or x.size == 0:
        raise ValueError("x must be (N, length), (N, H, W), (N, C, H, W) or (N, C, D, H, W), "
                         f"no axis of length 0, got x.shape = {x.shape}")
    if x.ndim <= 3:
        x = x[:, None]
    greatest = float(np.abs(x.astype(np.float64)).max())
    if not np.isfinite(greatest):
        raise ValueError("x must be finite, but holds NaN or infinity")
    return (x / max(greatest, 1.0)).astype(np.float32)


def _checked_y(y: npt.NDArray[Any], n: int) -> npt.NDArray[np.int64]:
    if y.shape != (n,):
        raise ValueError(f"y must have one label for each of the {n} images, shape ({n},), "
                         f"got y.shape = {y.shape}")
    whole = y.astype(np.int64) if y.dtype.kind in "biuf" and np.isfinite(y).all() else None
    if whole is None or (whole != y).any():
        raise ValueError(f"y must hold whole numbers, got dtype {y.dtype}")
    if len(np.unique(whole)) < 2:
        raise ValueError(f"y must hold at least 2 classes, got only {whole[0]}")
    return whole
