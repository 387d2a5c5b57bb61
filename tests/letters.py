"""The figure "2" from a semicircle above an angle, and images that hold it, or its parts."""

from typing import Any

import numpy as np

from sweepconv.datasets import ANGLE, SEMICIRCLE
from sweepconv.weak import Parts

Array = np.ndarray[Any, np.dtype[Any]]

FIXED = (6, 9)
PARTS = Parts({"semicircle": SEMICIRCLE, "angle": ANGLE},
              {"semicircle": (0, 0), "angle": (6, 0)})
FIGURES = {
    "2": np.concatenate([SEMICIRCLE, ANGLE]),
    "swapped": np.concatenate([ANGLE, SEMICIRCLE]),
    "semicircle": np.concatenate([SEMICIRCLE, 0 * ANGLE]),
    "angle": np.concatenate([0 * SEMICIRCLE, ANGLE]),
}


def image(figure: str, corner: tuple[int, int] = FIXED) -> Array:
    """(1, 1, 28, 28), without noise."""
    x = np.zeros((1, 1, 28, 28))
    row, column = corner
    x[0, 0, row:row + 16, column:column + 10] = FIGURES[figure]
    return x


def letters(n: int, *, sigma: float, anywhere: bool, seed: int = 0) -> tuple[Array, Array]:
    """n images, half of them "2" (label 1), the others the three distractors in turn."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    others = list(FIGURES)[1:]
    names = ["2" if label else others[i // 2 % 3] for i, label in enumerate(y)]
    corners = rng.integers((13, 19), size=(n, 2)) if anywhere else [FIXED] * n
    x = np.concatenate([image(name, (int(r), int(c))) for name, (r, c) in zip(names, corners,
                                                                             strict=True)])
    return x + sigma * rng.standard_normal(x.shape), y
