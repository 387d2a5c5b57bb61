"""Parameters and operations that books and papers print: integers, so they must be equal."""

from __future__ import annotations

from collections.abc import Callable

from sweepconv.counts import Counts, counts_of
from sweepconv.layers import Conv, Dense, Flatten, Layer, MaxPool, ReLU, Sequential
from sweepconv.reproduce.recipe import Done, Figure, Job, Recipe, Scale, exact, figure

# Ranjan's networks: (C, *spatial) of x, kernel, pool, and the filters of the first layer.
Net = Sequential


def _classifier(x_shape: tuple[int, ...], convolutions: list[Layer], pool: tuple[int, ...]) -> Net:
    """Convolutions, ReLU, a pool, a dense layer of 16 units and one of 1."""
    body: list[Layer] = [*convolutions, ReLU(), MaxPool(pool), Flatten()]
    (features,) = Sequential(*body).out_shape(x_shape)
    return Sequential(*body, Dense(features, 16), ReLU(), Dense(16, 1))


RANJAN: dict[str, tuple[Callable[[], Net], int]] = {  # name: network, published parameters
    "69 channels, 20 steps": (
        lambda: _classifier((69, 20), [Conv(69, 16, (4,))], (4,)), 5489),
    "69 channels, 240 steps": (
        lambda: _classifier((69, 240), [Conv(69, 16, (4,))], (4,)), 19569),
    "the same as an image, kernel 4x69": (
        lambda: _classifier((1, 20, 69), [Conv(1, 16, (4, 69))], (4, 1)), 5489),
    "the same as an image, kernel 4x4": (
        lambda: _classifier((1, 20, 69), [Conv(1, 16, (4, 4))], (4, 4)), 16689),
    "240 steps, 64 filters, then 1x1 to 32": (
        lambda: _classifier((69, 240), [Conv(69, 64, (4,)), Conv(64, 32, (1,))], (4,)), 50049),
}
IMAGE, FILTER = (3, 32, 32), (64, 3, 3, 3)  # 3 to 64 channels, 3x3, valid


def goodfellow() -> dict[str, int]:
    """Edges by the difference of neighbours: 280x320 to 280x319."""
    conv = counts_of("conv", (1, 280, 320), (1, 1, 1, 2), bias=False)
    dense = counts_of("dense", (1, 280, 320), (280 * 319, 1, 280, 320), bias=False)
    return {"conv": conv.flops, "dense": dense.weights,
            "ratio": round(10 * 2 * dense.multiply_adds / conv.flops)}  # in tenths


def one_layer() -> dict[str, Counts]:
    out = (30, 30)
    return {
        "conv": counts_of("conv", IMAGE, FILTER),
        "local": counts_of("local", IMAGE, (*out, *FILTER)),
        "dense": counts_of("dense", IMAGE, (64 * 30 * 30, *IMAGE)),
    }


def everything() -> dict[str, int]:
    """All integers by name."""
    found = {f"Goodfellow, {name}": value for name, value in goodfellow().items()}
    found |= {f"Ranjan, {name}": make().n_params for name, (make, _) in RANJAN.items()}
    found["Ranjan, dense for the first layer"] = Dense((69, 20), 16 * 17).n_params
    for family, counts in one_layer().items():
        found[f"{family}, weights"], found[f"{family}, biases"] = counts.weights, counts.biases
    padded = counts_of("conv", (2, 6, 6), (3, 2, 3, 3), padding=1)
    found["useful"] = padded.useful_multiply_adds
    return found


def jobs(scale: Scale) -> list[Job]:
    return [Job(everything, {}, 0.1)]


def figures(done: list[Done], scale: Scale) -> list[Figure]:
    own = done[0].result
    rows = [
        exact("280x320 edges, conv, operations", own["Goodfellow, conv"], 267_960),
        exact("280x320 edges, dense matrix, entries", own["Goodfellow, dense"], 8_003_072_000),
        figure("280x320 edges, ratio of operations", own["Goodfellow, ratio"] / 10, 59_733.3,
               (59_733.25, 59_733.35), digits=7),
    ]
    rows += [exact(f"{name}, parameters", own[f"Ranjan, {name}"], published)
             for name, (_, published) in RANJAN.items()]
    rows.append(exact("dense in the place of its first layer (4,432), parameters",
                      own["Ranjan, dense for the first layer"], 375_632))
    for family, weights, biases in (("conv", 1_728, 64), ("local", 1_555_200, 57_600),
                                    ("dense", 176_947_200, 57_600)):
        rows.append(exact(f"3 to 64, 3x3 on 32x32, {family}, weights",
                          own[f"{family}, weights"], weights))
        rows.append(exact(f"3 to 64, 3x3 on 32x32, {family}, biases", own[f"{family}, biases"],
                          biases))
    rows.append(exact("6x6, 3x3, padding 1, 2 to 3, multiply-adds on the image", own["useful"],
                      1_536))
    return rows


RECIPE = Recipe(
    "counts", "Parameters and operations, as integers",
    "Goodfellow, Bengio & Courville, Deep Learning, fig. 9.6; C. Ranjan, "
    "deep-learning-and-rare-event-prediction; the last seven derived",
    "Counted from shapes alone, no array is made; all must be equal.", jobs, figures, log=True)
