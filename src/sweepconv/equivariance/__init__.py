"""Equivariance: what a network commutes with, measured, certified and made.

    certify.py    the exact answer from integers: lattice, margin, flips, and who breaks them
    measure.py    the error on data, for any function; `tally.py` adds it up, `results.py` shows it
    locate.py     where a filter found its pattern
    polyphase.py  what a stride keeps, and how shifts permute it
    blur.py       `blur_pool`; aps.py `aps`; layers.py both as layers

`axis.py`, `shifts.py` and `flips.py` hold the laws of one axis, `steps.py` reads layers into them,
and `act.py` moves arrays.
"""

from .aps import aps, aps_input_grad
from .blur import blur_pool, blur_pool_input_grad
from .certify import AxisLaws, Break, Certificate, certify
from .layers import APS, BlurPool
from .locate import Found, Located, locate
from .measure import measure, measure_layers
from .polyphase import polyphase, polyphase_inverse, polyphase_shift
from .results import Measured, MeasuredLayers
from .shifts import Lattice, Support

__all__ = [
    "APS", "AxisLaws", "BlurPool", "Break", "Certificate", "Found", "Lattice", "Located",
    "Measured", "MeasuredLayers", "Support", "aps", "aps_input_grad", "blur_pool",
    "blur_pool_input_grad", "certify", "locate", "measure", "measure_layers", "polyphase",
    "polyphase_inverse", "polyphase_shift",
]
