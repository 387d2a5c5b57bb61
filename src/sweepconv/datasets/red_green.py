"""Red to the left of green, or green to the left of red; the place of the boxes tells as well.

O. S. Kayhan and J. C. van Gemert, "On Translation Invariance in CNNs: Convolutional Layers can
Exploit Absolute Spatial Location", CVPR 2020.  Written from the paper and checked against the
arrays of the authors' program.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._made import float_type, whole
from .files import Labelled

SPLITS = ("train", "valid", "similar", "dissimilar")
COLOURS, SIDE, BOX = 3, 32, 4
ROWS = (7, 23)  # of label 0 and label 1, about
SWAY = 4  # a row is up to so many above that, less than so many below
FIRST = 10  # the left box starts in a column below this
APART = BOX + 1  # at least so many columns from the left box to the right one
MOVED = 16  # rows between "similar" and "dissimilar"


def _place(rng: np.random.RandomState, label: int) -> list[tuple[int, int]]:
    """(row, column) of the left and of the right box."""
    def row() -> int:
        return ROWS[label] + int(rng.randint(-SWAY, SWAY))

    left = int(rng.randint(FIRST))
    first = (row(), left)
    while True:
        right = int(rng.randint(left, SIDE - BOX))
        second = (row(), right)
        if right - left >= APART:
            return [first, second]


def _stream(split: str, seed: int, restart: bool) -> np.random.RandomState:
    k = SPLITS.index(split)
    return np.random.RandomState(seed if restart or k == 0 else [seed, k])


def red_green_boxes(split: str = "train", n: int | None = None, *, seed: int = 1988,
                    restart: bool = False) -> npt.NDArray[np.int64]:
    """Upper left corners of the boxes of `red_green` with the same arguments.

    Returns
    -------
    corners : (n, 2, 2) int64, (row, column) of the left and of the right box.

    Examples
    --------
    >>> red_green_boxes(n=3).tolist()
    [[[8, 8], [3, 25]], [[19, 7], [22, 12]], [[10, 0], [8, 13]]]
    """
    if split not in SPLITS:
        raise ValueError(f"red_green: split must be one of {', '.join(map(repr, SPLITS))}, "
                         f"got {split!r}")
    if n is None:
        n = 2000 if split == "train" else 1000
    rng = _stream(split, seed, restart)
    found = [_place(rng, i % 2) for i in range(whole("red_green", "n", n, 1))]
    corners = np.array(found, np.int64)  # (n, 2, 2)
    if split == "dissimilar":
        corners[0::2, :, 0] += MOVED
        corners[1::2, :, 0] -= MOVED
    return corners


def red_green(split: str = "train", n: int | None = None, *, seed: int = 1988,
              restart: bool = False, dtype: npt.DTypeLike = np.float32) -> Labelled:
    """Two boxes on black: is the red one to the left of the green one (0), or to the right (1)?

    Label 0 lies in the upper half of the image and label 1 in the lower half; in the split
    "dissimilar" it is the other way round.  A net that answers there by the order of colours is
    right, one that answers by the place is wrong.

    Parameters
    ----------
    split : "train", "valid", "similar" or "dissimilar".
    n : number of images; 2,000 in "train" and 1,000 elsewhere if not given.
    seed : of the draws; 1988 is the authors'.
    restart : draw every split from the beginning of the same stream, as the authors do.  Then
        "valid" and "similar" *are* the first images of "train", and "dissimilar" the same images
        moved by 16 rows.  By default each split has draws of its own.
    dtype : float32 or float64.

    Returns
    -------
    x : (n, 3, 32, 32), boxes of 4x4 ones in channel 0 (red) and channel 1 (green), else 0.
    y : (n,) int64, 0 and 1 in turn.

    Notes
    -----
    Kayhan and van Gemert, "On Translation Invariance in CNNs: Convolutional Layers can Exploit
    Absolute Spatial Location", CVPR 2020.

    Examples
    --------
    >>> x, y = red_green(n=4)
    >>> x.shape, y.tolist(), x.sum(axis=(2, 3))[0].tolist()
    ((4, 3, 32, 32), [0, 1, 0, 1], [16.0, 16.0, 0.0])
    """
    kind = float_type("red_green", dtype)
    corners = red_green_boxes(split, n, seed=seed, restart=restart)
    x: Any = np.zeros((len(corners), COLOURS, SIDE, SIDE), kind)
    y = np.arange(len(corners), dtype=np.int64) % 2
    for image, label, boxes in zip(x, y, corners, strict=True):
        for k, (row, column) in enumerate(boxes):
            image[k ^ int(label), row:row + BOX, column:column + BOX] = 1
    return x, y
