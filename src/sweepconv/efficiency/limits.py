"""Where sharing does not help, or harms: small experiments, each a second or two.

Sharing pays where a pattern means the same wherever it is.  Here the label is the place, the
place is all there is, or neighbours mean nothing; and a border of zeros tells what sharing was to
forget.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.layers import Conv, Dense, GlobalMaxPool, Layer, LocalConv, ReLU, Sequential
from sweepconv.layers.fitting import predict
from sweepconv.runtime import threads
from sweepconv.sharing import Pattern

from .jobs import Recipe
from .learning import learning_curve
from .networks import SmallNetwork
from .samples import For, generator

Array: TypeAlias = "npt.NDArray[Any]"

LENGTH = 24  # elements of a signal
MOTIF = (1, -1, 2, -1, 1)
BRIEF = Recipe(steps=150, learning_rate=1e-2)


def _placed(at: Array) -> Array:
    """(N, 1, LENGTH): the motif, alone, its first element at `at`."""
    x = np.zeros((len(at), 1, LENGTH), np.float32)
    for i, value in enumerate(MOTIF):
        x[np.arange(len(at)), 0, at + i] = value
    return x


def _accuracies(makers: dict[str, Callable[[np.random.Generator], Layer]], x: Array, y: Array,
                seed: int) -> dict[str, float]:
    """Trained and tested on all places there are, so that nothing but the network is at fault."""
    found = {}
    for name, make in makers.items():
        with threads(1):  # the signals are too short for more
            net = make(generator(seed, For.WEIGHTS))
            BRIEF(net, x, y, generator(seed, For.TRAINING))
            found[name] = float(np.mean(predict(net, x) == y))
    return found


def location_labels(seed: int = 0) -> dict[str, float]:
    """Accuracy where the label is the place: does the motif lie in the left or the right half?

    Conv with global max pooling gives the same answer wherever the motif lies, bit for bit, and
    so is right on exactly half of the signals.  A filter for each place, local or dense, tells
    them apart, and so does conv with a dense layer after it, which knows places again.

    Examples
    --------
    >>> found = location_labels()
    >>> found["conv, global maximum"], found["conv, dense"]
    (0.5, 1.0)
    """
    half, margin = LENGTH // 2, len(MOTIF) - 1  # no window of the motif is cut at a border
    left = np.arange(margin, half - len(MOTIF) + 1)
    at = np.concatenate([left, left + half - margin])
    x, y = _placed(at), np.repeat([0, 1], len(left))
    k, maps = (len(MOTIF),), 4

    def conv(rng: np.random.Generator) -> Layer:
        return Sequential(Conv(1, maps, k, rng=rng), ReLU(), GlobalMaxPool(),
                          Dense(maps, 2, rng=rng))

    def conv_dense(rng: np.random.Generator) -> Layer:
        positions = LENGTH - k[0] + 1
        return Sequential(Conv(1, maps, k, rng=rng), ReLU(), Dense((maps, positions), 2, rng=rng))

    def local(rng: np.random.Generator) -> Layer:
        return Sequential(LocalConv(1, maps, k, input_size=(LENGTH,), rng=rng), ReLU(),
                          GlobalMaxPool(), Dense(maps, 2, rng=rng))

    def dense(rng: np.random.Generator) -> Layer:
        return Sequential(Dense((1, LENGTH), 16, rng=rng), ReLU(), Dense(16, 2, rng=rng))

    return _accuracies({"conv, global maximum": conv, "local, global maximum": local,
                        "conv, dense": conv_dense, "dense": dense}, x, y, seed)


def dots_margin(side: int = 15) -> dict[str, float]:
    """Margins of two images that differ in one dot: +1 or -1 in the middle of side x side zeros.

    A linear classifier sign(<w, x>) with ||w|| = 1 has margin 1 with w at the dot.  One that is
    invariant to shifts has equal weights everywhere, the projection of that w onto conv with a
    filter as large as the image, and its margin is 1/sqrt(d), d = side^2: a change of that length
    fools it (Ge, Singla, Basri, Jacobs 2021).

    Examples
    --------
    >>> dots_margin(15)
    {'dense': 1.0, 'shift-invariant': 0.06666666666666665}
    """
    if side < 1:
        raise ValueError(f"dots_margin: side must be at least 1, got {side}")
    dot = np.zeros((1, side, side))
    dot[0, side // 2, side // 2] = 1
    # One orbit of all shifts: a single weight that stands everywhere.
    invariant = Pattern.from_index_map(np.zeros((1, side, side), np.intp))
    shared = invariant.expand(invariant.project(dot)[0])

    def margin(w: Array) -> float:  # of +dot and -dot alike, since the classifier is odd
        return float((w * dot).sum()) / math.sqrt(float(np.square(w).sum()))

    return {"dense": margin(dot), "shift-invariant": margin(shared)}


def shuffled_pixels(seeds: int = 3, size: int = 200) -> dict[str, dict[str, float]]:
    """Mean accuracy before and after one fixed shuffle of all pixels, the same for all signals.

    The label is the sign of a motif that lies anywhere, in noise.  The shuffle leaves dense's
    task as it was, while conv's windows no longer hold the motif.

    Examples
    --------
    >>> found = shuffled_pixels()
    >>> gap = {order: a["conv"] - a["dense"] for order, a in found.items()}
    >>> gap["in order"] > 0.05 > gap["shuffled"]
    True
    """
    makers = {f: SmallNetwork(f, (1, LENGTH), 2) for f in ("dense", "conv")}
    found = {}
    for name, draw in (("in order", _signed_motifs), ("shuffled", _shuffled_motifs)):
        curve = learning_curve(makers, draw, [size], seeds, train=BRIEF)
        found[name] = dict(zip(curve.families, curve.mean[:, 0].tolist(), strict=True))
    return found


def _signed_motifs(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    y = rng.integers(2, size=n)
    x = _placed(rng.integers(LENGTH - len(MOTIF) + 1, size=n))
    x *= (2 * y - 1).astype(np.float32)[:, None, None]
    return x + np.float32(0.5) * rng.standard_normal(x.shape, np.float32), y


def _shuffled_motifs(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    x, y = _signed_motifs(n, rng)
    order = np.random.default_rng(0).permutation(LENGTH)
    return np.ascontiguousarray(x[:, :, order]), y


def padding_leak(seed: int = 0, layers: int = 4) -> dict[str, float]:
    """Accuracy on "left or right half?" of conv, ReLU, global maximum, by padding mode.

    The signal is one dot that may lie anywhere.  With circular padding every place looks the same,
    bit for bit: exactly half are right.  With zeros the border looks different from the middle,
    and layer after layer that difference moves inwards: the place leaks in, though every filter is
    shared and the maximum forgets where it was.

    Examples
    --------
    >>> found = padding_leak()
    >>> found["circular"], found["zeros"] > 0.8
    (0.5, True)
    """
    x = np.eye(LENGTH, dtype=np.float32)[:, None]
    y = (np.arange(LENGTH) >= LENGTH // 2).astype(np.int64)
    maps = 8

    def net(mode: str) -> Callable[[np.random.Generator], Layer]:
        def make(rng: np.random.Generator) -> Layer:
            body: list[Layer] = []
            for i in range(layers):
                body += [Conv(maps if i else 1, maps, (7,), padding="same", padding_mode=mode,
                              rng=rng), ReLU()]
            return Sequential(*body, GlobalMaxPool(), Dense(maps, 2, rng=rng))
        return make

    return _accuracies({mode: net(mode) for mode in ("zeros", "circular")}, x, y, seed)
