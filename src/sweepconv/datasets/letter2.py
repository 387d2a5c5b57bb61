"""A figure "2" of two parts, a semicircle above an angle: whole, in part, or in the wrong order.

Each part alone is as much a pattern as the whole; only both in their place make the figure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ._made import float_type, not_negative, whole
from .files import Labelled

SIDE, HEIGHT, WIDTH, CUT = 28, 16, 10, 6  # the semicircle has the glyph's first 6 rows
FIXED = (6, 9)  # row and column of the glyph's corner
PLACES = ("fixed", "anywhere")
THICK = 0.75  # half of a stroke, in pixels

Mask = npt.NDArray[np.float32]


def _glyph() -> Mask:
    """(16, 10), ones on the strokes."""
    r, c = np.indices((HEIGHT, WIDTH))
    arc = np.abs(np.hypot(r - 4.5, c - 4.5) - 4) <= THICK
    slope = np.abs(c - (8 - 7 * (r - CUT) / 8)) <= THICK
    foot = r >= HEIGHT - 2
    return np.where(r < CUT, arc, slope | foot).astype(np.float32)


def _fixed(a: Mask) -> Mask:
    a.setflags(write=False)
    return a


GLYPH = _fixed(_glyph())
SEMICIRCLE, ANGLE = GLYPH[:CUT], GLYPH[CUT:]  # (6, 10) and (10, 10)


def _figures() -> Mask:
    """(4, 16, 10): the whole; the semicircle alone; the angle alone; the angle above it."""
    made = np.zeros((4, HEIGHT, WIDTH), np.float32)
    made[0] = GLYPH
    made[1, :CUT] = SEMICIRCLE
    made[2, CUT:] = ANGLE
    made[3] = np.concatenate([ANGLE, SEMICIRCLE])
    return made


def letter2(n: int, sigma: float = 0.0, place: str = "fixed", seed: int = 0, *,
            dtype: npt.DTypeLike = np.float32) -> Labelled:
    """Is the figure "2" in the image (1), or its parts alone or in the wrong order (0)?

    Parameters
    ----------
    n : number of images.  Label 1 is drawn with probability 1/2; an image of label 0 holds with
        equal probability the semicircle alone, the angle alone, or the angle above the semicircle.
    sigma : standard deviation of the noise that is added to each pixel.
    place : "fixed", the box of 16x10 pixels always at (6, 9), or "anywhere", its corner uniform in
        rows 0 to 12 and columns 0 to 18.
    seed : of the draws.
    dtype : float32 or float64.

    Returns
    -------
    x : (n, 1, 28, 28), strokes 1 and background 0, plus the noise.
    y : (n,) int64, 0 or 1.

    Notes
    -----
    The arrays `GLYPH` (16, 10), `SEMICIRCLE` (6, 10; 26 pixels) and `ANGLE` (10, 10; 33 pixels)
    hold the figure and its parts.

    Examples
    --------
    >>> x, y = letter2(6, place="anywhere")
    >>> x.shape, sorted(set(x.sum(axis=(1, 2, 3)).tolist()))
    ((6, 1, 28, 28), [33.0, 59.0])
    """
    kind, sigma = float_type("letter2", dtype), not_negative("letter2", "sigma", sigma)
    n = whole("letter2", "n", n, 1)
    if place not in PLACES:
        raise ValueError(f"letter2: place must be 'fixed' or 'anywhere', got {place!r}")
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    which = np.where(y == 1, 0, rng.integers(1, 4, size=n))  # of `_figures`
    corner = np.broadcast_to(FIXED, (n, 2)) if place == "fixed" else rng.integers(
        (SIDE - HEIGHT + 1, SIDE - WIDTH + 1), size=(n, 2))
    x: Any = np.zeros((n, 1, SIDE, SIDE), kind)
    for image, figure, (r, c) in zip(x, _figures()[which], corner, strict=True):
        image[0, r:r + HEIGHT, c:c + WIDTH] = figure
    if sigma:
        x += sigma * rng.standard_normal(x.shape)
    return x, y
