"""Labelled examples to try layers on: x (N, C, *spatial), y (N,) int64.

    digits, mnist5k   handwritten digits, out of the packages that bring them
    load_npz          a file of one's own
    mnist1d           ten shapes of 40 values, in noise
    red_green         two boxes: the order of their colours is asked for, their place gives it away
    dsd               a signal in one of k patches
    dots              two images that differ in one pixel
    letter2           a glyph of two parts, against its parts alone and in the wrong order

Made data comes from a seed and NumPy alone: equal arguments give equal arrays.  The background
of images is 0, so moving one and filling the gap with 0 adds no edge.
"""

from .files import Labelled, load_npz
from .letter2 import ANGLE, GLYPH, SEMICIRCLE, letter2
from .mnist1d import mnist1d, mnist1d_columns
from .patches import dots, dsd
from .real import digits, mnist5k
from .red_green import red_green, red_green_boxes

__all__ = [
    "ANGLE", "GLYPH", "Labelled", "SEMICIRCLE", "digits", "dots", "dsd", "letter2", "load_npz",
    "mnist1d", "mnist1d_columns", "mnist5k", "red_green", "red_green_boxes",
]
