"""What sharing is, in integers and in arrays: what each family stores and computes.

    cost       what a layer or a net stores and computes for one image, and what an output sees
    compare    one layer as dense, local, tiled and conv, side by side

Both count from shapes alone: no array is made, and no layer is too large.
"""

from sweepconv.counts import Counts, Window, counts_of

from .compare import Comparison, compare
from .cost import Cost, Row, cost
from .field import Field

__all__ = ["Comparison", "Cost", "Counts", "Field", "Row", "Window", "compare", "cost",
           "counts_of"]
