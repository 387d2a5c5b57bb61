"""Convolution, local connection and dense layers as one sweep with more and more sharing.

    y[n, o, p] = b[o] + sum over c, t of w[f(p), o, c, t] * x[n, c, p*stride + t*dilation - padding]

`f(p)` says which filter of the bank serves output position p, and is all that tells the families
apart: conv (one filter), tiled (one for each residue of a period), local (one a position), dense
(one position).  Names only; each is documented where it is made.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .conv import bias_grad, conv, conv_input_grad, conv_transpose, conv_weight_grad
from .dense import dense, dense_input_grad, dense_weight_grad
from .geometry import output_shape, padding_amounts
from .local import local_conv, local_conv_input_grad, local_conv_weight_grad
from .packing import PackedFilters, pack
from .pool import avg_pool, avg_pool_input_grad, max_pool, max_pool_input_grad
from .runtime import show_config, threads, use_isa
from .tiled import tiled_conv, tiled_conv_input_grad, tiled_conv_weight_grad

if TYPE_CHECKING:
    from . import (
        compat,
        dask,
        datasets,
        efficiency,
        equivariance,
        jax,
        layers,
        reference,
        sharing,
        testing,
        torch,
        weak,
    )

__version__ = "0.1.0"

__all__ = [
    "PackedFilters", "avg_pool", "avg_pool_input_grad", "bias_grad", "compat", "conv",
    "conv_input_grad", "conv_transpose", "conv_weight_grad", "datasets", "dense",
    "dense_input_grad", "dense_weight_grad", "efficiency", "equivariance", "layers",
    "local_conv",
    "local_conv_input_grad", "local_conv_weight_grad", "max_pool", "max_pool_input_grad",
    "output_shape", "pack", "padding_amounts", "reference", "sharing", "show_config", "testing",
    "threads", "tiled_conv", "tiled_conv_input_grad", "tiled_conv_weight_grad", "use_isa",
    "weak",
]


def __getattr__(name: str) -> Any:
    """Modules that the verbs do not need are imported when they are first asked for."""
    if name in ("compat", "dask", "datasets", "efficiency", "equivariance", "jax", "layers",
                "reference", "sharing", "testing", "torch", "weak"):
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module 'sweepconv' has no attribute {name!r}")
