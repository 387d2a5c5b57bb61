"""Accuracy against samples, for several families: a table, a dictionary, a file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.layers.files import Path, whole_file
from sweepconv.sharing.table import Shown, Table

Array: TypeAlias = "npt.NDArray[Any]"

SCHEMA = 1  # of the dictionary; grows when a key changes its meaning


class LearningCurve(Shown):
    """Accuracy of each family with each number of training samples, for each seed.

    Equal where families, sizes, seeds, settings and every accuracy, to the last bit, are equal.

    Attributes
    ----------
    families, sizes, seeds : the three axes.
    accuracy : (families, sizes, seeds), float64, share of the test samples that are recognised.
    settings : how it was made; what JSON can hold.

    Examples
    --------
    >>> curve = LearningCurve(("dense", "conv"), (50, 100), (0, 1),
    ...                       [[[0.5, 0.75], [0.75, 0.75]], [[0.875, 1.0], [1.0, 1.0]]])
    >>> curve
    test accuracy, mean and standard deviation over 2 seeds
    family             50            100
    ------------------------------------
    dense   0.625 +- .177  0.750 +- .000
    conv    0.938 +- .088  1.000 +- .000
    >>> curve["conv"].shape
    (2, 2)
    """

    def __init__(self, families: Sequence[str], sizes: Sequence[int], seeds: Sequence[int],
                 accuracy: npt.ArrayLike, settings: Mapping[str, Any] | None = None) -> None:
        self.families, self.sizes, self.seeds = tuple(families), tuple(sizes), tuple(seeds)
        self.accuracy = np.array(accuracy, np.float64)
        # As JSON returns it, so that what was read is equal to what was written.
        self.settings: dict[str, Any] = json.loads(json.dumps(dict(settings or {})))
        expected = (len(self.families), len(self.sizes), len(self.seeds))
        if self.accuracy.shape != expected:
            raise ValueError("LearningCurve: accuracy must be (families, sizes, seeds) = "
                             f"{expected}, got accuracy.shape = {self.accuracy.shape}")

    def __getitem__(self, family: str) -> Array:
        """(sizes, seeds) of one family."""
        if family not in self.families:
            raise KeyError(family)
        of_one: Array = self.accuracy[self.families.index(family)]
        return of_one

    @property
    def mean(self) -> Array:
        """(families, sizes): over the seeds."""
        middle: Array = self.accuracy.mean(axis=2)
        return middle

    @property
    def spread(self) -> Array:
        """(families, sizes): standard deviation over the seeds; 0 for one seed."""
        if len(self.seeds) == 1:
            return np.zeros(self.accuracy.shape[:2])
        s: Array = self.accuracy.std(axis=2, ddof=1)
        return s

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LearningCurve) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries; JSON keeps every bit."""
        return {"schema": SCHEMA, "families": list(self.families), "sizes": list(self.sizes),
                "seeds": list(self.seeds), "accuracy": self.accuracy.tolist(),
                "settings": self.settings}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LearningCurve:
        """The curve that `to_dict` was called on."""
        if values.get("schema") != SCHEMA:
            raise ValueError(f"LearningCurve: schema must be {SCHEMA}, "
                             f"got {values.get('schema')!r}")
        return cls(*(values[name] for name in ("families", "sizes", "seeds", "accuracy",
                                               "settings")))

    def save(self, path: Path) -> None:
        """Write a JSON file, whole or not at all: under another name beside it, then renamed."""
        with whole_file(path, "x", encoding="utf-8") as file:
            file.write(self.json() + "\n")

    @classmethod
    def load(cls, path: Path) -> LearningCurve:
        """The curve that `save` wrote; ValueError for any other file."""
        with open(path, encoding="utf-8") as file:
            try:
                return cls.from_dict(json.load(file))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"LearningCurve.load: {os.fspath(path)} holds no curve: "
                                 f"{error}") from error

    def _table(self) -> Table:
        rows = [(family, *(f"{m:.3f} +- {f'{s:.3f}'.lstrip('0')}"
                           for m, s in zip(means, spreads, strict=True)))
                for family, means, spreads in zip(self.families, self.mean, self.spread,
                                                  strict=True)]
        many = "1 seed" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"
        return Table(f"test accuracy, mean and standard deviation over {many}",
                     ("family", *(f"{n:,}" for n in self.sizes)), rows)
