"""Parameter sharing as an object: from dense to conv and back, exactly.

    pattern.py   the map from stored weights to dense ones, for every family
    convert.py   from one family's layer to another's
    arrays.py    the same for plain arrays, and layers as matrices
    grads.py     shared gradients before their sum
    penalty.py   a term for the loss that slides a local layer towards a shared one
    cost.py      what a layer or a net stores and computes for one image, and what an output sees
    compare.py   one layer as dense, local, tiled and conv, side by side

The last two count from shapes alone: no array is made, and no layer is too large.
"""

from sweepconv.counts import Counts, Window, counts_of

from .arrays import from_matrix, tie, to_matrix, untie
from .base import Map
from .compare import Comparison, compare
from .convert import convert
from .cost import Cost, Row, cost
from .field import Field
from .grads import GradStats, grad_stats, position_grads, sample_grads, sample_norms
from .pattern import Pattern
from .penalty import sharing_penalty

__all__ = [
    "Comparison", "Cost", "Counts", "Field", "GradStats", "Map", "Pattern", "Row", "Window",
    "compare", "convert", "cost", "counts_of", "from_matrix", "grad_stats", "position_grads",
    "sample_grads", "sample_norms", "sharing_penalty", "tie", "to_matrix", "untie",
]
