"""`locate`: where a weak filter found its pattern.

A convolution keeps the place of what it finds: its map is largest where the window fits best.  So a
pattern that moves by d in the image moves the maximum by d, and with circular padding each value of
the map keeps its bits (`score="response"`; the others divide by sums that keep theirs too).

    response   sum of w * window
    cosine     response / (||w|| * ||window||): what is brighter does not score higher
    zncc       the cosine of both less their means: nor does what stands on a brighter ground

In white noise of variance s**2 the response to the filter's own pattern stands ||w|| / s standard
deviations above that to noise alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import Array, operands
from sweepconv.conv import conv
from sweepconv.geometry import Ints, Padding, geometry, per_axis
from sweepconv.sharing.table import Shown, Table

SCORES = ("response", "cosine", "zncc")


@dataclass(frozen=True)
class Found:
    """One place where a pattern was found: sample, score, and the element under the first tap."""

    sample: int
    position: tuple[int, ...]
    score: float


@dataclass(frozen=True, repr=False, eq=False)
class Located(Shown):
    """Where a filter found its pattern.

    Attributes
    ----------
    map : (N, *out), the score of each window.
    position : (N, axes), the element of the image under the first tap of the best window; outside
        of the image where that window reaches over the border.
    score : (N,), of the best window.
    found : places of at least the threshold, best first in each sample; without a threshold the
        best one of each.
    """

    map: Array
    position: Array
    score: Array
    found: tuple[Found, ...]

    def of_sample(self, n: int) -> tuple[Found, ...]:
        """The places in one sample, best first."""
        return tuple(f for f in self.found if f.sample == n)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the map, as numbers, lists and dictionaries."""
        return {"position": self.position.tolist(), "score": self.score.tolist(),
                "found": [vars(f) | {"position": list(f.position)} for f in self.found]}

    def _table(self) -> Table:
        rows = [(str(f.sample), str(f.position), f"{f.score:.4g}") for f in self.found]
        return Table(f"{len(rows)} found in {len(self.map)} samples",
                     ("sample", "position", "score"), rows, left=2)


def locate(x: npt.ArrayLike, w: npt.ArrayLike, *, score: str = "response",
           padding: Padding = "valid", padding_mode: str = "zeros",
           threshold: float | None = None, apart: Ints | None = None,
           n_threads: int | None = None) -> Located:
    """Where a filter found its pattern in each sample.

    Parameters
    ----------
    x : (N, C, *spatial), 1, 2 or 3 spatial axes, float32 or float64.
    w : (C, *kernel), one filter, of x's dtype.
    score : "response"; "cosine" and "zncc" lie between -1 and 1, and are 0 for windows, or a
        filter, that have no contrast.
    padding, padding_mode : as in `conv`: "valid" for windows that lie in the image, "same" for one
        at each element.
    threshold : find every window of at least this score that is the best one around.
    apart : with a threshold: of two places that are less than this apart on every axis, the lower
        one is suppressed; an int or one per axis, default the kernel's extent.
    n_threads : as in `conv`.

    Returns
    -------
    Located
        `str(...)` is a table of what was found.

    Notes
    -----
    Of equal scores the first in row-major order is best.  The circular distance counts where
    `padding_mode` is "circular".

    Examples
    --------
    >>> x = np.zeros((1, 1, 9))
    >>> x[0, 0, 2:5] = x[0, 0, 6:9] = 1, 3, 2
    >>> x[0, 0, 6:9] *= 2
    >>> shape = np.array([[1.0, 3.0, 2.0]])
    >>> locate(x, shape).position
    array([[6]])
    >>> print(locate(x, shape, score="cosine", threshold=0.99))
    2 found in 1 samples
    sample  position  score
    -----------------------
    0       (2,)          1
    0       (6,)          1
    """
    x, w = operands("locate", x=x, w=w)
    if score not in SCORES:
        raise ValueError(f"locate: score must be one of {', '.join(map(repr, SCORES))}, "
                         f"got {score!r}")
    if w.ndim != x.ndim - 1 or w.shape[:1] != x.shape[1:2]:
        raise ValueError("locate: w must be (C, *kernel) with the channels and spatial axes "
                         f"of x, got w.shape = {w.shape} for x.shape = {x.shape}")
    keywords: dict[str, Any] = {"padding": padding, "padding_mode": padding_mode}
    g = geometry("locate", "conv", x.shape, (1, *w.shape), **keywords)
    if 0 in g.out_size:
        raise ValueError(f"locate: there is no window for x.shape = {x.shape}, "
                         f"w.shape = {w.shape}")
    scores = _scores(x, w, score, keywords | {"n_threads": n_threads})
    lows = [low for low, _ in g.pads]
    best = scores.reshape(len(x), -1).argmax(axis=1)
    places = np.stack(np.unravel_index(best, g.out_size), axis=-1)  # (N, axes)
    top = scores.reshape(len(x), -1)[np.arange(len(x)), best]
    ring = tuple(n if padding_mode == "circular" else 0 for n in g.in_size)
    if threshold is None:
        chosen = [(n, tuple(map(int, place)), float(s))
                  for n, (place, s) in enumerate(zip(places, top, strict=True))]
    else:
        reach = per_axis("locate", "apart", w.shape[1:] if apart is None else apart, g.rank, 1)
        chosen = [(n, place, s) for n, image in enumerate(scores)
                  for place, s in _peaks(image, threshold, reach, ring)]
    found = tuple(Found(n, tuple(p - low for p, low in zip(place, lows, strict=True)), s)
                  for n, place, s in chosen)
    return Located(scores, places - np.array(lows), top, found)


def _scores(x: Array, w: Array, score: str, keywords: dict[str, Any]) -> Array:
    """(N, *out)."""
    def swept(image: Array, weights: Array) -> Array:
        return conv(image, weights[None], **keywords)[:, 0]

    if score == "response":
        return swept(x, w)
    # In float64, and for zncc about the middle of each sample's range, which a shift does not
    # change: then the squares that are subtracted are small.
    kind, taps = x.dtype, prod(w.shape)
    x, w = x.astype(np.float64), w.astype(np.float64)
    if score == "zncc":
        x, keywords = _padded(x, w, keywords)
        if x.size:
            axes = tuple(range(1, x.ndim))
            x = x - (x.max(axis=axes, keepdims=True) + x.min(axis=axes, keepdims=True)) / 2
        w = w - w.mean()
    ones = np.ones_like(w)
    squares = swept(x * x, ones)
    energy = squares
    if score == "zncc":
        energy = squares - swept(x, ones)**2 / taps
    size = np.sqrt((w * w).sum())
    # Below the rounding error of its own sum a window has no contrast.
    flat = (energy <= 4 * taps * np.finfo(np.float64).eps * squares) | (size == 0)
    found = swept(x, w) / np.where(flat, 1.0, np.sqrt(np.where(flat, 1.0, energy)) * size)
    return np.clip(np.where(flat, 0.0, found), -1, 1).astype(kind)


def _padded(x: Array, w: Array, keywords: dict[str, Any]) -> tuple[Array, dict[str, Any]]:
    """x with its border, so that the middle of its range can be subtracted from both."""
    g = geometry("locate", "conv", x.shape, (1, *w.shape), padding=keywords["padding"],
                 padding_mode=keywords["padding_mode"])
    if g.mode != "zeros" or not any(low > 0 or high > 0 for low, high in g.pads):
        return x, keywords
    cut = tuple(slice(max(-low, 0), n - max(-high, 0))
                for n, (low, high) in zip(g.in_size, g.pads, strict=True))
    wide = [(0, 0), (0, 0), *((max(low, 0), max(high, 0)) for low, high in g.pads)]
    grown = np.pad(x[(slice(None), slice(None), *cut)], wide)
    return grown, keywords | {"padding": 0}


def _peaks(image: Array, threshold: float, apart: Sequence[int], ring: Sequence[int]
           ) -> list[tuple[tuple[int, ...], float]]:
    """Places of at least the threshold, best first, none near a better one."""
    at = np.argwhere(image >= threshold)  # row-major, and the sort is stable
    values = image[image >= threshold]
    order = np.argsort(-values, kind="stable")
    at, values = at[order], values[order]
    left, kept = np.ones(len(at), bool), []
    for i in range(len(at)):
        if not left[i]:
            continue
        kept.append((tuple(map(int, at[i])), float(values[i])))
        distance = np.abs(at - at[i])
        for axis, n in enumerate(ring):
            if n:
                around = distance[:, axis] % n
                distance[:, axis] = np.minimum(around, n - around)
        left &= (distance >= np.array(apart)).any(axis=1)
    return kept
