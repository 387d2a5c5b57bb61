"""What a recipe is: jobs that share nothing, and the figures that follow from their results."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

INF = float("inf")
ANY = (-INF, INF)  # the band of a figure that is only shown
ROUNDING = 1e-9  # a band relatively narrower than this allows for nothing else


class Scale(NamedTuple):
    """How much is run."""

    quick: bool = False
    seeds: int | None = None  # None: what the recipe holds to be right

    def of(self, full: int, quick: int) -> int:
        """A number of steps, images, ..."""
        return quick if self.quick else full

    def range(self, full: int, quick: int) -> range:
        """The seeds to run."""
        return range(self.of(full, quick) if self.seeds is None else self.seeds)


class Job(NamedTuple):
    """`work(**arguments)`; a function of a module, so that another process can find it.  Its
    result is made of what JSON can hold."""

    work: Callable[..., Any]
    arguments: dict[str, Any]
    weight: float = 1  # seconds, about: the longest are begun first


class Done(NamedTuple):
    """A job's arguments and what it returned."""

    arguments: dict[str, Any]
    result: Any


Band: TypeAlias = "tuple[float, float]"


@dataclass(frozen=True)
class Figure:
    """One number, published and ours.

    Attributes
    ----------
    name : what it is, with its unit.
    values : ours, one for each seed.
    published : as the source says it.
    expected : the same as a number where there is one, for the plot.
    band : least and greatest mean that counts as reproduced.
    digits : significant digits shown, None for all of an integer.
    """

    name: str
    values: tuple[float, ...]
    published: str
    band: Band
    expected: float | None = None
    digits: int | None = 3

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds, None for a single value."""
        n = len(self.values)
        if n < 2:
            return None
        m = self.mean
        return math.sqrt(math.fsum((v - m) ** 2 for v in self.values) / (n - 1))

    @property
    def judged(self) -> bool:
        """Is there a band?  If not, the figure is shown beside those that are judged."""
        return self.band != ANY

    @property
    def inside(self) -> bool:
        """Does the mean lie in the band?  NaN does not."""
        return self.band[0] <= self.mean <= self.band[1]


def figure(name: str, values: float | Sequence[float], published: float | str, band: Band, *,
           expected: float | None = None, digits: int | None = 3) -> Figure:
    """A figure; a published number is the expected one as well."""
    own = (values,) if isinstance(values, (int, float)) else values
    if isinstance(published, (int, float)):
        expected, published = float(published), shown(published, digits)
    return Figure(name, tuple(map(float, own)), published, (float(band[0]), float(band[1])),
                  expected, digits)


def exact(name: str, value: int, published: int) -> Figure:
    """An integer that must be equal."""
    return figure(name, value, published, (published, published), digits=None)


def shown(value: float, digits: int | None = 3) -> str:
    """A number with so many significant digits, never with an exponent up to a million."""
    if math.isnan(value) or math.isinf(value):
        return "infinite" if math.isinf(value) else "not a number"
    if digits is None:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}" if places <= 6 else f"{value:.{digits - 1}e}"


def band_words(figure: Figure) -> str:
    """The band as a reader takes it: "= 5", "62 to 70", "at least 99", "-"."""
    low, high = (shown(v, figure.digits) for v in figure.band)
    if not figure.judged:
        return "-"
    if figure.band[0] == figure.band[1]:
        return f"= {low}"
    if figure.band[1] - figure.band[0] < ROUNDING * abs(figure.band[1]):
        return f"= {shown(sum(figure.band) / 2, figure.digits)}, rounding aside"
    if math.isinf(figure.band[1]):
        return f"at least {low}" if figure.band[0] else "0 or more"
    return f"at most {high}" if math.isinf(figure.band[0]) else f"{low} to {high}"


def ours_words(figure: Figure) -> str:
    """Mean, spread and number of seeds."""
    mean, spread = shown(figure.mean, figure.digits), figure.spread
    return mean if spread is None else (
        f"{mean} ± {shown(spread, 2)} ({len(figure.values)})")


@dataclass(frozen=True)
class Recipe:
    """A published result and how it is run again.

    Attributes
    ----------
    id : its name on the command line.
    title, source, what : for the reader; `what` is the recipe in a sentence or two.
    jobs : the jobs at a scale.
    figures : from what the jobs returned, in the order of the jobs.
    log : whether the plot's axis is logarithmic.
    quick_bands : what is different in the bands of a quick run, "" if nothing.
    """

    id: str
    title: str
    source: str
    what: str
    jobs: Callable[[Scale], list[Job]]
    figures: Callable[[list[Done], Scale], list[Figure]]
    log: bool = False
    quick_bands: str = ""
