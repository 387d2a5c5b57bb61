"""Milliseconds of the first layer's forward and backward sweep, family beside family."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from statistics import median
from typing import Any

import numpy as np

from sweepconv.runtime import threads

from .networks import first_layer
from .plan import FAMILIES, Plan, Sweep


def _milliseconds(call: Callable[..., Any], *arguments: Any) -> float:
    start = time.perf_counter()
    call(*arguments)
    return (time.perf_counter() - start) * 1e3


def sweep_times(plan: Plan, sweep: Sweep) -> dict[str, dict[str, dict[str, float]]]:
    """Median and least of several rounds, by family and direction.

    The families take turns within a round, so that what else the machine does meets all alike.
    Backward is the gradients of the weights, the biases and the input.
    """
    rng = np.random.default_rng(0)
    x = rng.random((plan.timing_batch, *sweep.in_shape), dtype=np.float32)
    layers = {f: first_layer(f, sweep, rng) for f in FAMILIES}
    dys = {f: np.ones_like(layer(x)) for f, layer in layers.items()}
    rounds: dict[str, dict[str, list[float]]] = {
        f: {"forward": [], "backward": []} for f in FAMILIES}
    with threads(plan.n_threads) if plan.n_threads else nullcontext():
        for r in range(plan.timing_rounds + 2):
            for f, layer in layers.items():
                forward = _milliseconds(layer, x)
                backward = _milliseconds(layer.backward, dys[f])
                if r >= 2:  # the first two find the caches cold
                    rounds[f]["forward"].append(forward)
                    rounds[f]["backward"].append(backward)
    return {f: {way: {"median": median(ms), "min": min(ms)} for way, ms in ways.items()}
            for f, ways in rounds.items()}
