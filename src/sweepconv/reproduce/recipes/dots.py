"""Two images that differ in one pixel: invariance to shifts makes them harder to keep apart."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.datasets import dots
from sweepconv.layers import SGD, Conv, Dense, Flatten, GlobalAvgPool, Layer, ReLU, Sequential
from sweepconv.reproduce.recipe import Done, Figure, Job, Recipe, Scale, figure
from sweepconv.reproduce.training import step

Array: TypeAlias = "npt.NDArray[Any]"

RATES = {0: 1.0, 1000: 0.5, 2000: 0.1}  # from this step on
HIDDEN = 100
STARTS, ROUNDS = 5, 100  # of the attack


def network(kind: str, side: int, rng: np.random.Generator) -> Sequential:
    """"dense", or "conv" with filters as big as the image, circular, and the mean of each map."""
    if kind == "dense":
        return Sequential(Flatten(), Dense(side * side, HIDDEN, rng=rng), ReLU(),
                          Dense(HIDDEN, 2, rng=rng))
    conv = Conv(1, HIDDEN, side, padding=(side // 2, side // 2), padding_mode="circular", rng=rng)
    return Sequential(conv, ReLU(), GlobalAvgPool(), Dense(HIDDEN, 2, rng=rng))


def margin(net: Layer, x: Array, label: int) -> tuple[float, Array]:
    """Score of the label minus the other one for one image (1, 1, side, side); its gradient."""
    s = net(x)[0]
    up = np.zeros((1, 2), x.dtype)
    up[0, label], up[0, 1 - label] = 1, -1
    return float(s[label] - s[1 - label]), net.backward(up)


def smallest_attack(net: Layer, x: Array, label: int, rng: np.random.Generator) -> float:
    """Least l2 change found that makes the answer wrong.

    From several starts: the nearest point of the boundary of the linearised margin, again and
    again; what crosses the true boundary is then shortened until it just does.
    """
    best = math.inf
    for start in range(STARTS):
        d = 0.02 * start * rng.standard_normal(x.shape).astype(x.dtype)
        for turn in range(1, ROUNDS + 1):
            m, g = margin(net, x + d, label)
            size = float(np.vdot(g, g))
            if size == 0:
                break
            goal = (float(np.vdot(g, d)) - m) / size * g
            d = d + x.dtype.type(0.5) * (goal - d)
            if turn % 20 == 0:
                best = min(best, _crossing(net, x, 1.05 * d, label))
    return best


def _crossing(net: Layer, x: Array, d: Array, label: int) -> float:
    """Length of the shortest wrong part of d by bisection; infinite if all of d is right."""
    def wrong(share: float) -> bool:
        s = net(x + x.dtype.type(share) * d)[0]
        return bool(s[label] <= s[1 - label])

    if not wrong(1.0):
        return math.inf
    low, high = 0.0, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if wrong(middle) else (middle, high)
    return high * float(np.linalg.norm(d))


def train(kind: str, side: int, seed: int, steps: int) -> float:
    """Mean over both images of the smallest attack on a trained network."""
    x, y = dots(side)
    labels = (y > 0).astype(np.int64)
    rng = np.random.default_rng(seed)
    net = network(kind, side, rng)
    sgd = SGD(net, RATES)
    for _ in range(steps):
        step(net, sgd, x, labels)
    return float(np.mean([smallest_attack(net, x[i:i + 1], int(labels[i]), rng)
                          for i in range(2)]))


def linear_margins(side: int) -> dict[str, float]:
    """Distance of the images to the boundary of the best linear classifiers.

    Dense: w is the difference of the two images.  Invariant to shifts: the mean over all positions
    of a circular convolution, which is a multiple of the sum of the pixels.
    """
    x, _ = dots(side, dtype=np.float64)
    dense = Sequential(Flatten(), Dense(side * side, 1, bias=False, dtype=np.float64))
    dense.params["1.w"][...] = (x[0] - x[1]).reshape(1, -1)
    invariant = Sequential(Conv(1, 1, side, padding=side // 2, padding_mode="circular", bias=False,
                                dtype=np.float64, rng=0), GlobalAvgPool())
    found = {}
    for name, net in (("dense", dense), ("invariant", invariant)):
        s = abs(float(net(x[:1])[0, 0]))
        found[name] = s / float(np.linalg.norm(net.backward(np.ones((1, 1)))))
    return found


def jobs(scale: Scale) -> list[Job]:
    side, steps = scale.of(15, 7), scale.of(3000, 600)
    return [Job(linear_margins, {"side": side}, 0.1),
            *(Job(train, {"kind": kind, "side": side, "seed": seed, "steps": steps},
                  20 if kind == "conv" and not scale.quick else 2)
              for kind in ("dense", "conv") for seed in scale.range(5, 1))]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    linear, side = done[0].result, done[0].arguments["side"]
    small, eps = 1 / side, 1e-12
    rows = [figure(f"linear, {name}, margin", linear[key], want, (want - eps, want + eps))
            for name, key, want in (("dense", "dense", 1.0),
                                    (f"shift-invariant, d {side * side}", "invariant", small))]
    attacks = {kind: [d.result for d in done[1:] if d.arguments["kind"] == kind]
               for kind in ("dense", "conv")}
    low = 0.5 if scale.quick else 0.7
    rows.append(figure("dense 100, smallest attack", attacks["dense"], "about 1", (low, 1.01),
                       expected=1.0))
    rows.append(figure(f"conv 100, mean, smallest attack, d {side * side}", attacks["conv"],
                       f"about 1/sqrt(d) = {small:.4f}", (0.5 * small, 2 * small),
                       expected=small))
    return rows


RECIPE = Recipe(
    "dots", "Two dots: what shift invariance costs in robustness",
    "Ge, Singla, Basri & Jacobs, NeurIPS 2021",
    "Images of 15x15 that differ in one pixel, +1 or -1. Dense d-100-2; conv 1-100 with filters "
    "as big as the image, circular, ReLU, mean, dense 2; SGD lr 1, 0.5 from step 1,000, 0.1 from "
    "2,000, 3,000 steps. The attack is the least l2 change found from several starts. The bands of "
    "the trained networks are ours: the paper says about.",
    jobs, figures, log=True, quick_bands="7x7 pixels, 600 steps: dense at least 0.5")
