"""Many channels, no pooling: sharing changes nothing in the kernel of one random layer."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv import conv, local_conv
from sweepconv.reproduce.recipe import ANY, INF, Done, Figure, Job, Recipe, Scale, figure

Array: TypeAlias = "npt.NDArray[Any]"

LENGTH, TAPS = 10, 3
ERRORS = 4  # standard errors


def inputs() -> Array:
    """Two signals, (2, 1, 10), that have something in common."""
    common, *own = np.random.default_rng(7).standard_normal((3, LENGTH))
    return np.stack([common + 0.7 * a for a in own])[:, None]


def kernels(draws: int, seed: int) -> dict[str, dict[str, float]]:
    """Kernel between both signals of one ReLU layer, for each family: mean over the draws.

    A channel is a draw.  Without pooling the kernel is the mean over positions of h(x) h(x'),
    with mean pooling the product of the means over positions.
    """
    rng, x = np.random.default_rng(seed), inputs()
    scale = 1 / math.sqrt(TAPS)
    w = scale * rng.standard_normal((draws, 1, TAPS))
    bank = scale * rng.standard_normal((LENGTH, draws, 1, TAPS))
    found = {}
    keywords: dict[str, Any] = {"padding": 1, "padding_mode": "circular"}
    for name, y in (("conv", conv(x, w, **keywords)), ("local", local_conv(x, bank, **keywords))):
        h = np.maximum(y, 0)  # (2, draws, positions)
        plain, pooled = (h[0] * h[1]).mean(axis=1), h[0].mean(axis=1) * h[1].mean(axis=1)
        for kind, values in (("plain", plain), ("pooled", pooled)):
            found[f"{name}, {kind}"] = {"mean": float(values.mean()),
                                        "error": float(values.std() / math.sqrt(draws))}
    return found


def limit() -> float:
    """What both plain kernels tend to: the arc-cosine kernel of degree 1 (Cho & Saul 2009)."""
    x = inputs()
    windows = np.stack([np.roll(x[:, 0], 1 - a, axis=1) for a in range(TAPS)], axis=2)
    a, b = windows  # (positions, taps)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) / TAPS
    angle = np.arccos(np.clip((a * b).sum(axis=1) / TAPS / lengths, -1, 1))
    return float(np.mean(lengths * (np.sin(angle) + (np.pi - angle) * np.cos(angle))) / (2 * np.pi))


def jobs(scale: Scale) -> list[Job]:
    return [Job(kernels, {"draws": scale.of(40_000, 10_000), "seed": seed}, 1)
            for seed in scale.range(5, 2)]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    def values(name: str, what: str = "mean") -> list[float]:
        return [d.result[name][what] for d in done]

    want = limit()
    rows = []
    for family in ("conv", "local"):
        name = f"{family}, plain"
        error = ERRORS * float(np.mean(values(name, "error"))) / math.sqrt(len(done))
        rows.append(figure(f"{family}, no pooling, kernel", values(name), want,
                           (want - error, want + error), digits=4))
    rows += [figure(f"{family}, mean pooling, kernel", values(f"{family}, pooled"), "-",
                    ANY, digits=4) for family in ("conv", "local")]
    for kind, said in (("plain", "0"), ("pooled", "apart")):
        gaps = [abs(d.result[f"conv, {kind}"]["mean"] - d.result[f"local, {kind}"]["mean"])
                / math.hypot(d.result[f"conv, {kind}"]["error"],
                             d.result[f"local, {kind}"]["error"]) for d in done]
        where = "no pooling" if kind == "plain" else "mean pooling"
        rows.append(figure(f"{where}, conv - local in standard errors", gaps, said,
                           (0, ERRORS) if kind == "plain" else (ERRORS, INF)))
    return rows


RECIPE = Recipe(
    "novak", "Many channels and no pooling: conv and local have one kernel",
    "Novak et al., ICLR 2019; the limit: Cho & Saul 2009",
    "One random ReLU layer, circular, 3 taps, 10 positions, two signals; 40,000 channels, each one "
    "draw. With mean pooling the kernels come apart. Bands are 4 standard errors.", jobs, figures)
