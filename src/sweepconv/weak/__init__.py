"""Weak filters: small, swept, and several of them together find a pattern.

    detection.py   the response of a filter, and maps of several combined where they belong
    scores.py      how well a score separates: ROC, d', accuracy
    compare.py     one strong filter, one large swept filter and weak ones on the same images
    pictures.py    the maps side by side; needs Matplotlib

A strong filter is as big as the image and finds the whole pattern alone, at one place.  A weak one
finds a part, anywhere.  What it found says little; where it found it, beside what others found,
says all: a map keeps the place, and a combination of maps asks for the parts in their places.
"""

from .compare import WAYS, FilterComparison, compare_filters
from .detection import Parts, cut, detection_map, parts_of, pooled, responses
from .pictures import show_maps
from .scores import Roc, d_prime, roc

__all__ = [
    "WAYS", "FilterComparison", "Parts", "Roc", "compare_filters", "cut", "d_prime",
    "detection_map", "parts_of", "pooled", "responses", "roc", "show_maps",
]
