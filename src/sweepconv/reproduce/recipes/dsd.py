"""A signal in one of k patches: how many examples until one step finds it."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from sweepconv import conv_weight_grad, local_conv_weight_grad
from sweepconv.datasets import dsd
from sweepconv.efficiency import dsd_alignment
from sweepconv.reproduce.recipe import Done, Figure, Job, Recipe, Scale, figure

D, SIGMA = 16, 0.5
LEVEL = 0.5  # of cos^2: half of the step points along the signal
AT = (8, 400)  # k and n of the single check


def cosines(k: int, sizes: list[int], seed: int) -> dict[str, list[float]]:
    """cos^2 between the first step w = sum of y x and the signal, after so many examples.

    The step is the weight gradient of a layer with kernel and stride d whose output gradient is y
    at each patch.
    """
    x, y = dsd(k, D, SIGMA, sizes[-1], seed=seed, dtype=np.float64)
    dy = np.ascontiguousarray(np.broadcast_to(y[:, None, None], (len(y), 1, k)), np.float64)
    v = np.full(D, D ** -0.5)
    shared, local = np.zeros((1, 1, D)), np.zeros((k, 1, 1, D))
    found: dict[str, list[float]] = {"conv": [], "local": []}
    for begin, end in pairwise([0, *sizes]):
        part = x[begin:end], dy[begin:end]
        conv_weight_grad(*part, shared.shape, stride=D, out=shared, accumulate=True)
        local_conv_weight_grad(*part, local.shape, stride=D, out=local, accumulate=True)
        for name, w, truth in (("conv", shared, v), ("local", local, np.tile(v, k) / k ** 0.5)):
            found[name].append(float((w.ravel() @ truth) ** 2 / np.square(w).sum()))
    return found


def needed(sizes: list[int], curve: list[float]) -> float:
    """Examples at which the mean curve reaches the level, between sizes by logarithms."""
    return math.exp(float(np.interp(LEVEL, curve, np.log(sizes))))


def _sizes(k: int) -> list[int]:
    """From a quarter of what conv needs to four times what local needs."""
    noise = D * SIGMA ** 2
    ends = np.geomspace(max(4, k * noise / 4), 4 * k * k * noise, 25)
    return sorted({int(n) for n in ends} | ({AT[1]} if k == AT[0] else set()))


def jobs(scale: Scale) -> list[Job]:
    ks = scale.of(32, 16)
    return [Job(cosines, {"k": k, "sizes": _sizes(k), "seed": seed}, (k / 32) ** 3)
            for k in (4, 8, 16, 32) if k <= ks for seed in scale.range(40, 12)]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    k, n = AT
    own = [d for d in done if d.arguments["k"] == k]
    place = own[0].arguments["sizes"].index(n)
    rows = []
    for name in ("conv", "local"):
        want = dsd_alignment(name, k=k, d=D, n=n, sigma=SIGMA)
        values = [d.result[name][place] for d in own]
        reach = 0.06 if scale.quick else 0.03
        rows.append(figure(f"{name}, cos² at k {k}, n {n}", values, want,
                           (want - reach, want + reach)))
    for name, want in (("conv", 1), ("local", 2)):
        points = []
        for other in dict.fromkeys(d.arguments["k"] for d in done):
            ran = [d for d in done if d.arguments["k"] == other]
            curve = np.mean([d.result[name] for d in ran], axis=0).tolist()
            points.append((math.log(other), math.log(needed(ran[0].arguments["sizes"], curve))))
        log_k, log_n = np.array(points).T
        slope = float(np.polyfit(log_k, log_n, 1)[0])
        reach = 0.35 if scale.quick else 0.2
        rows.append(figure(f"{name}, slope of log examples in log k", slope, want,
                           (want - reach, want + reach)))
    return rows


RECIPE = Recipe(
    "dsd", "A signal in one of k patches: examples grow as k for conv, as k² for local",
    "Lahoti et al., ICLR 2024; here the law of the first gradient step, derived",
    "d 16, noise 0.5; one linear step w = mean of y x; examples until cos² to the signal is one "
    "half, for 4 to 32 patches; 40 draws. Bands of cos²: 0.03.",
    jobs, figures, quick_bands="up to 16 patches, 12 draws: cos² +-0.06, slopes +-0.35")
