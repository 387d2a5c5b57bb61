"""The same images seen by one strong filter, by one large swept filter, and by weak ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import operands
from sweepconv.dense import dense
from sweepconv.sharing.table import Shown, Table

from .detection import Parts, cut, detection_map, pooled, responses
from .scores import Roc, d_prime, roc

Array: TypeAlias = "npt.NDArray[Any]"

WAYS = {
    "strong": "one filter as big as the image, the pattern at one place",
    "swept": "one filter as big as the pattern, swept; its maximum",
    "pooled": "weak filters swept, the maximum of each; the least of these",
    "co-located": "weak filters swept, the least where all belong; its maximum",
}


class FilterComparison(Shown):
    """What `compare_filters` found.

    Attributes
    ----------
    scores : way -> (N,), one score for each image.
    rocs : way -> `Roc`.
    d_primes : way -> d'.
    accuracy : way -> balanced accuracy on every other image, at the threshold that is best for the
        rest.
    sizes : way -> weights of each filter.
    """

    def __init__(self, scores: Mapping[str, Array], labels: Array,
                 sizes: Mapping[str, Sequence[int]]) -> None:
        self.scores, self.sizes = dict(scores), {way: tuple(s) for way, s in sizes.items()}
        self.rocs: dict[str, Roc] = {way: roc(s, labels) for way, s in scores.items()}
        self.d_primes = {way: d_prime(s, labels) for way, s in scores.items()}
        self.accuracy = {way: _accuracy(s, labels) for way, s in scores.items()}

    def to_dict(self) -> dict[str, Any]:
        """Figures alone."""
        return {way: {"filters": list(self.sizes[way]), "area": self.rocs[way].area,
                      "accuracy": self.accuracy[way], "d_prime": self.d_primes[way]}
                for way in self.scores}

    def _table(self) -> Table:
        rows = [(way, str(len(self.sizes[way])), str(max(self.sizes[way])),
                 f"{self.rocs[way].area:.3f}", f"{self.accuracy[way]:.3f}") for way in self.scores]
        return Table("the same images, seen by", ("way", "filters", "largest", "ROC area",
                                                  "accuracy"), rows)


def _accuracy(scores: Array, labels: Array) -> float:
    """The threshold is chosen on half of each class and tried on the other half."""
    order = np.argsort(labels, kind="stable")
    threshold, _ = roc(scores[order[::2]], labels[order[::2]]).best
    said, truth = scores[order[1::2]] >= threshold, labels[order[1::2]]
    return float(np.mean([np.mean(said[truth == c] == c) for c in (0, 1)]))


def compare_filters(x: npt.ArrayLike, labels: npt.ArrayLike, parts: Parts, *,
                    place: Sequence[int], pieces: Sequence[int | Sequence[int]] = ()
                    ) -> FilterComparison:
    """Scores of the four `WAYS`, and of the whole pattern cut into more and more weak filters.

    Parameters
    ----------
    x : (N, 1, *spatial)
    labels : (N,), 1 where the image holds the pattern, else 0; 4 or more of each.
    parts : the pattern's weak filters and their offsets.
    place : where the strong filter expects the pattern's first corner.
    pieces : blocks per axis, for `cut`: each gives a further way, "cut into 4" and so on.

    Examples
    --------
    >>> x = np.zeros((8, 1, 6))
    >>> x[[4, 5, 6, 7], 0, [0, 1, 2, 3]] = 1  # a dot, and after two steps another one, anywhere
    >>> x[[4, 5, 6, 7], 0, [2, 3, 4, 5]] = 1
    >>> x[:4, 0, 1:3] = 1
    >>> dots = Parts({"first": np.ones(1), "second": np.ones(1)}, {"first": (0,), "second": (2,)})
    >>> print(compare_filters(x, [0] * 4 + [1] * 4, dots, place=(0,)))
    the same images, seen by
    way         filters  largest  ROC area  accuracy
    ------------------------------------------------
    strong            1        6     0.375     0.500
    swept             1        3     1.000     1.000
    pooled            2        1     0.500     0.500
    co-located        2        1     1.000     1.000
    """
    (images,) = operands("compare_filters", x=x)
    if images.ndim < 3 or images.shape[1] != 1:
        raise ValueError(f"compare_filters: x must be (N, 1, *spatial), got x.shape = "
                         f"{images.shape}")
    whole = assemble(parts)
    scores = {
        "strong": _strong(images, whole, tuple(place)),
        "swept": pooled(responses(images, whole)),
        "pooled": np.minimum.reduce([pooled(responses(images, w))
                                     for w in parts.filters.values()]),
        "co-located": pooled(detection_map(images, *parts)),
    }
    weak = [int(np.size(w)) for w in parts.filters.values()]
    sizes = {"strong": [images[0].size], "swept": [whole.size], "pooled": weak, "co-located": weak}
    for each in pieces:
        blocks = cut(whole, each)
        way = f"cut into {len(blocks.filters)}"
        scores[way] = pooled(detection_map(images, *blocks))
        sizes[way] = [w.size for w in blocks.filters.values()]
    return FilterComparison(scores, np.asarray(labels), sizes)


def assemble(parts: Parts) -> Array:
    """The whole pattern (*size), its parts added up where they belong.

    Examples
    --------
    >>> assemble(Parts({"a": np.ones((1, 2)), "b": np.ones((1, 1))}, {"a": (0, 0), "b": (1, 1)}))
    array([[1., 1.],
           [0., 1.]])
    """
    ends = [np.add(parts.offsets[name], np.shape(w)) for name, w in parts.filters.items()]
    whole = np.zeros(np.max(ends, axis=0))
    for (name, w), end in zip(parts.filters.items(), ends, strict=True):
        whole[tuple(map(slice, parts.offsets[name], end))] += w
    return whole


def _strong(x: Array, whole: Array, place: tuple[int, ...]) -> Array:
    """The pattern at one place as the filter of a dense layer, scaled to answer 1 to itself."""
    if len(place) != whole.ndim or min(place) < 0 or any(a + n > size for a, n, size in zip(
            place, whole.shape, x.shape[2:], strict=True)):
        raise ValueError(f"compare_filters: the pattern of size {whole.shape} must fit into "
                         f"x.shape = {x.shape} at place, got {place}")
    around = [(a, size - a - n) for a, n, size in zip(place, whole.shape, x.shape[2:],
                                                      strict=True)]
    w = np.pad(whole, around)[None, None].astype(x.dtype)
    scores: Array = dense(x, w)[:, 0] / x.dtype.type(np.square(whole).sum())
    return scores
