"""JAX: jitted, both layouts, gradients as the transposes of the convolution."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
from jax import lax

from sweepconv.bench.cases import Array, Case

from .base import Call, Entries, PeerBase

SPATIAL = {1: "W", 2: "HW", 3: "DHW"}


class Peer(PeerBase):
    def __init__(self, n_threads: int) -> None:
        """Its threads are as many as the CPUs that the process may use; see `worker`."""
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", True)

    def entries(self, case: Case) -> Entries:
        if case.layer.family == "dense":
            return {}
        if case.layer.family == "local":
            return {"local": lambda: _call(case, False)}
        return {"contiguous": lambda: _call(case, False),
                "channels-last": lambda: _call(case, True)}


def _sweep(case: Case, last: bool) -> Any:
    """y as a function of x and w."""
    layer = case.layer
    axes = SPATIAL[layer.ndim]
    data = f"N{axes}C" if last else f"NC{axes}"
    numbers = (data, f"{axes}IO" if last else f"OI{axes}", data)
    where = {"window_strides": layer.stride, "padding": [(p, p) for p in layer.pad],
             "rhs_dilation": layer.dilation, "dimension_numbers": numbers}
    if layer.family == "local":
        return partial(lax.conv_general_dilated_local, filter_shape=layer.kernel, **where)
    return partial(lax.conv_general_dilated, feature_group_count=layer.groups, **where)


def _call(case: Case, last: bool) -> Call:
    layer, direction = case.layer, case.direction
    sweep = _sweep(case, last)

    def ordered(name: str, a: Array) -> Array:
        """Our order of axes to JAX's."""
        if layer.family == "local":  # our (*out, O, C, *k) is its (O, C*k, *out)
            flat = a.reshape(*layer.out, layer.c_out, layer.terms) if name == "w" else a
            return np.moveaxis(flat, (-2, -1), (0, 1)) if name == "w" else a
        if not last:
            return a
        return np.moveaxis(a, (0, 1), (-1, -2)) if name == "w" else np.moveaxis(a, 1, -1)

    def back(name: str, a: Array) -> Array:
        if layer.family == "local":
            return np.moveaxis(a, (0, 1), (-2, -1)).reshape(layer.w_shape) if name == "w" else a
        if not last:
            return a
        return np.moveaxis(a, (-1, -2), (0, 1)) if name == "w" else np.moveaxis(a, -1, 1)

    a, b = (jax.device_put(np.ascontiguousarray(ordered(name, value)))
            for name, value in zip(case.operands, case.given(), strict=True))
    if direction == "f":
        function = jax.jit(sweep)
    else:
        wanted = ordered(case.result, np.empty(case.shapes[case.result], case.dtype))
        like = jax.ShapeDtypeStruct(wanted.shape, wanted.dtype)
        if direction == "i":
            function = jax.jit(lambda dy, w: jax.linear_transpose(
                lambda x: sweep(x, w), like)(dy)[0])
        else:
            function = jax.jit(lambda x, dy: jax.linear_transpose(
                lambda w: sweep(x, w), like)(dy)[0])
    return Call(lambda: function(a, b).block_until_ready(),
                lambda y: back(case.result, np.asarray(y)))
