"""Names, numbers and questions in words: one place for terminal, report and findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Question(NamedTuple):
    short: str
    where: str
    explained: str


NAMES = {"dense": "Dense", "local": "Local", "tiled": "Tiled", "conv": "Conv"}

WHAT = {
    "dense": "strong filters, as big as the image, nothing shared",
    "local": "weak filters, another one at every place, nothing shared",
    "tiled": "weak filters, tile sharing: the same again after every period",
    "conv": "weak filters, shared by all places",
}

QUESTIONS = {
    "centred": Question("Centred images", "images centred",
                        "images as they come, each in the middle of its frame"),
    "moved": Question("Moved images", "images moved",
                      "the same images, each moved by up to {reach} pixels, in training and test"),
    "shuffled": Question("Shuffled pixels", "pixels shuffled",
                         "the moved images with all pixels in one other, fixed order"),
    "place_kept": Question("Place, kept", "place kept",
                           "at which of two places was the image put?"),
    "place_forgotten": Question("Place, forgotten", "place forgotten",
                                "the same with a head that keeps only each map's maximum"),
}


QUICK = "A quick run: few training steps, so all families stay below what they can do."


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def spread(values: Sequence[float]) -> float:
    """Standard deviation over the seeds; 0 for one seed."""
    if len(values) < 2:
        return 0.0
    m = mean(values)
    return float((sum((v - m) ** 2 for v in values) / (len(values) - 1)) ** 0.5)


def percent(share: float, digits: int = 1) -> str:
    return f"{share * 100:.{digits}f} %"


def points(share: float) -> str:
    return f"{share * 100:.1f} points"


def count(n: float) -> str:
    return f"{n:,.0f}"


def times(ratio: float) -> str:
    """A factor with about two significant digits."""
    return f"{count(round_2(ratio))} times" if ratio >= 10 else f"{ratio:.1f} times"


def listed(parts: Sequence[str]) -> str:
    """a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def strides(sizes: Sequence[int]) -> str:
    """The stride in pixels, on each axis where these differ."""
    return pixels(sizes[0]) if len(set(sizes)) == 1 else f"{' x '.join(map(str, sizes))} pixels"


def pixels(n: int) -> str:
    return f"{n} pixel" if n == 1 else f"{n} pixels"


def round_2(n: float) -> int:
    """Two significant digits: an interpolated number of images has no more."""
    return int(float(f"{n:.2g}"))
