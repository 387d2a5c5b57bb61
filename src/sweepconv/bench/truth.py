"""The result in float64, by our own verbs, or by `sweepconv.reference` where that is quick.

The second kind is independent of all that is timed; with the first, ours in float64 is checked
only by the peers that agree with it.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

import sweepconv
from sweepconv import reference

from .cases import Array, Case, Truth

PLAIN_FLOPS = 3e7  # the reference takes no more than a fraction of a second


def verb_name(case: Case) -> str:
    """Of the verb that does it."""
    family = {"conv": "conv", "local": "local_conv", "dense": "dense"}[case.layer.family]
    return family + {"f": "", "i": "_input_grad", "w": "_weight_grad"}[case.direction]


def verb(module: ModuleType, case: Case, a: Array, b: Array, **more: Any) -> Array:
    """Call the verb of `case` from `module`, one that has our names."""
    keywords = more if case.layer.family == "dense" else case.keywords() | more
    shape = () if case.direction == "f" else (case.shapes[case.result],)
    result: Array = getattr(module, verb_name(case))(a, b, *shape, **keywords)
    return result


def is_plain(case: Case) -> bool:
    """Whether the truth comes from `sweepconv.reference`."""
    return case.layer.flops <= PLAIN_FLOPS


def truth(case: Case) -> Truth:
    a, b = (operand.astype(np.float64) for operand in case.given())
    module = reference if is_plain(case) else sweepconv
    return Truth(verb(module, case, a, b), verb(module, case, np.abs(a), np.abs(b)))
