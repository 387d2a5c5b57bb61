"""Parameter sharing as an object: from dense to conv and back, exactly.

    pattern.py   the map from stored weights to dense ones, for every family
    convert.py   from one family's layer to another's
    arrays.py    the same for plain arrays, and layers as matrices
    grads.py     shared gradients before their sum
    penalty.py   a term for the loss that slides a local layer towards a shared one
"""

from .arrays import from_matrix, tie, to_matrix, untie
from .base import Map
from .convert import convert
from .grads import GradStats, grad_stats, position_grads, sample_grads, sample_norms
from .pattern import Pattern
from .penalty import sharing_penalty

__all__ = [
    "GradStats", "Map", "Pattern", "convert", "from_matrix", "grad_stats", "position_grads",
    "sample_grads", "sample_norms", "sharing_penalty", "tie", "to_matrix", "untie",
]
