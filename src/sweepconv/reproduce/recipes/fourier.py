"""Linear networks: what gradient descent prefers depends on how the same function is stored."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.layers import SGD, Conv, Dense, Flatten, Sequential
from sweepconv.reproduce.recipe import ANY, Done, Figure, Job, Recipe, Scale, figure

Array: TypeAlias = "npt.NDArray[Any]"

D, EXAMPLES = 32, 8
ACTIVE = 0.05  # a frequency counts from this share of the greatest on


def data(seed: int) -> tuple[Array, Array]:
    """Random signals with the sign of a cosine of one frequency as their label."""
    rng = np.random.default_rng([seed, 9])
    x = rng.standard_normal((EXAMPLES, 1, D))
    wave = np.cos(2 * np.pi * (3 * np.arange(D) / D + rng.random()))
    return x, np.sign(x[:, 0] @ wave)


def network(kind: str, seed: int) -> Sequential:
    """Two linear layers without biases: the first full-width and circular, or dense."""
    rng = np.random.default_rng(seed)
    options: dict[str, Any] = {"bias": False, "dtype": np.float64, "rng": rng}
    first = Conv(1, 1, (D,), padding=((0, D - 1),), padding_mode="circular", **options) if (
        kind == "conv") else Dense((1, D), D, **options)
    return Sequential(first, Flatten(), Dense(D, 1, **options))


def direction(net: Sequential) -> Array:
    """The vector v with net(x) = <v, x>."""
    return net(np.eye(D)[:, None]).ravel()


def train(kind: str, seed: int, steps: int, rate: float = 0.01) -> dict[str, float]:
    """Norms of the linear map after descent on the exponential loss, at least margin 1.

    The gradient is divided by the loss, and the rate by the norm of all weights, which then grows
    evenly: the same path as without, in far fewer steps.
    """
    x, y = data(seed)
    net = network(kind, seed)
    sgd = SGD(net, rate)
    for _ in range(steps):
        margins = y * net(x)[:, 0]
        share = np.exp(margins.min() - margins)
        share /= share.sum()
        net.backward(-(y * share)[:, None], input_grad=False)
        sgd.lr = rate / float(np.sqrt(sum(np.square(p).sum() for p in net.params.values())))
        sgd.step()
    v = direction(net)
    v /= (y * (x[:, 0] @ v)).min()
    spectrum = np.abs(np.fft.fft(v)) / np.sqrt(D)
    return {"l1": float(spectrum.sum()), "l2": float(np.linalg.norm(v)),
            "active": int((spectrum > ACTIVE * spectrum.max()).sum())}


def jobs(scale: Scale) -> list[Job]:
    return [Job(train, {"kind": kind, "seed": seed, "steps": scale.of(20_000, 1500)},
                scale.of(8, 1))
            for kind in ("conv", "dense") for seed in scale.range(5, 2)]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    def values(kind: str, what: str) -> Array:
        return np.array([d.result[what] for d in done if d.arguments["kind"] == kind])

    rows = [figure(f"{kind}, {said}", values(kind, what).tolist(), "-", ANY)
            for what, said in (("l1", "l1 norm in Fourier"), ("l2", "l2 norm"),
                               ("active", "active frequencies of 32"))
            for kind in ("conv", "dense")]
    for what, said in (("l1", "l1 norm in Fourier"), ("active", "active frequencies")):
        rows.append(figure(f"{said}, conv / dense", (values("conv", what)
                           / values("dense", what)).tolist(), "less than 1", (0, 0.999)))
    rows.append(figure("l2 norm, dense / conv", (values("dense", "l2")
                       / values("conv", "l2")).tolist(), "less than 1", (0, 0.999)))
    return rows


RECIPE = Recipe(
    "fourier", "Linear networks: conv prefers few frequencies, dense a small norm",
    "Gunasekar, Lee, Soudry & Srebro, NeurIPS 2018",
    "Two linear layers on 32 values, full-width circular convolution or dense; 8 separable "
    "examples, exponential loss, 20,000 steps; the map scaled to least margin 1. A frequency is "
    "active from 5 % of the greatest on.", jobs, figures)
