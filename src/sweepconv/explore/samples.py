"""Digits to choose from: 28 rows of 28, ink from 0 to 9."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv import datasets

SIDE = 28
INK = 9  # one digit each: short in the file, and read at a glance in a small window
MOST = 300  # the page stays below 500 kB

Image: TypeAlias = "npt.NDArray[np.uint8]"  # (28, 28)


@dataclass(frozen=True)
class Sample:
    label: str
    pixels: Image


@dataclass(frozen=True)
class Samples:
    digits: tuple[Sample, ...]
    source: str  # where they come from, for readers


def glyph() -> Image:
    """A "2" of two parts, a semicircle over an angle, 16 x 10 in the middle of the image."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[6:22, 9:19] = INK * datasets.GLYPH
    return image


def _in_turn(y: npt.NDArray[np.int64]) -> Iterator[int]:
    """Indices of one example of each class, then of the next of each, and so on."""
    of_class = [np.flatnonzero(y == label) for label in np.unique(y)]
    for i in range(min(map(len, of_class))):
        yield from (int(indices[i]) for indices in of_class)


def _fitted(image: npt.NDArray[np.float32]) -> Image:
    """From 0 .. 1 to whole numbers; smaller images twice as big, in the middle."""
    if len(image) < SIDE:
        image = image.repeat(2, 0).repeat(2, 1)
        border = (SIDE - len(image)) // 2
        image = np.pad(image, border)
    ink: Image = np.rint(image * INK).astype(np.uint8)
    return ink


def _real() -> tuple[Any, Any, str] | None:
    """The best set whose package is there."""
    sets = ((datasets.mnist5k, "a part of MNIST, 28 x 28"),
            (datasets.digits, "the 8 x 8 digits of scikit-learn, enlarged"))
    for load, source in sets:
        try:
            return *load(), source
        except ImportError:
            continue
    return None


def samples(count: int) -> Samples:
    """The built-in "2" and, if a data set is installed, `count` handwritten digits."""
    if not 0 <= count <= MOST:
        raise ValueError(f"--digits must be from 0 to {MOST}, got {count}")
    built_in = Sample("a drawn 2: semicircle over angle", glyph())
    real = _real() if count else None
    if real is None:
        return Samples((built_in,), "One digit, drawn by formula.")
    x, y, source = real
    chosen = [i for i, _ in zip(_in_turn(y), range(count), strict=False)]
    digits = tuple(Sample(f"handwritten {y[i]}", _fitted(x[i, 0])) for i in chosen)
    return Samples((built_in, *digits), f"Handwritten digits: {source}. The first is drawn by "
                                        "formula.")
