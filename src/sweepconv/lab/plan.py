"""What is to be run: one frozen `Plan`, and the geometry that all families share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sweepconv.counts import LADDER, Counts, ladder_counts

FAMILIES = LADDER
MOST_WEIGHTS = 20_000_000  # of the dense layer: with Adam's two averages about 320 MB


@dataclass(frozen=True)
class Sweep:
    """The first layer, (C, *spatial) to (maps, *out), and the pooling after it."""

    in_channels: int
    in_size: tuple[int, ...]
    maps: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    out: tuple[int, ...]
    period: int = 2

    @property
    def in_shape(self) -> tuple[int, ...]:
        return (self.in_channels, *self.in_size)

    @property
    def window(self) -> tuple[int, ...]:
        """Max pooling that leaves two positions on each axis."""
        return tuple(n // 2 for n in self.out)

    def counts(self, family: str) -> Counts:
        """Of the first layer as one of `family`."""
        return ladder_counts("compare", family, self.in_shape, self.maps, self.kernel,
                             stride=self.stride, period=self.period)


@dataclass(frozen=True)
class Plan:
    """Everything that decides the result, apart from the data."""

    data: str
    target: str
    seed: int = 0
    seeds: int = 3
    quick: bool = False
    n_threads: int | None = None
    maps: int = 16
    batch: int = 40
    learning_rate: float = 3e-3
    steps: int = 200
    sizes: tuple[int, ...] = (50, 100, 200, 500, 1000, 2000, 4000)
    side_size: int = 1000  # training images of the two questions where meaning depends on place
    timing_rounds: int = 30
    timing_batch: int = 64


def make_plan(data: str, target: str, *, seed: int = 0, seeds: int = 3, quick: bool = False,
              n_threads: int | None = None) -> Plan:
    """The full plan, or the one that ends within half a minute."""
    if not quick:
        return Plan(data, target, seed, seeds, n_threads=n_threads)
    # Fewer and larger steps: at 3e-3 the shared filters would not have come far by then.
    return Plan(data, target, seed, seeds, quick=True, n_threads=n_threads, steps=60,
                learning_rate=1e-2, sizes=(100, 400, 1600), side_size=400, timing_rounds=10)


def _axis(size: int) -> tuple[int, int, int]:
    """Kernel, stride and even output length of one axis, without a rest.

    The kernel is as near as possible to a quarter of the axis (a weak filter), neighbouring
    windows overlap by half or more, and at most 8 positions keep the dense layer affordable.
    Fewer than 3 taps are no pattern.
    """
    fits = [(size - stride * (out - 1), stride, out)
            for out in (8, 6, 4, 2) for stride in range(1, size // 2 + 1)]
    fits = [fit for fit in fits if fit[0] >= max(3, 2 * fit[1] - 1)]
    if not fits:
        raise ValueError(f"every spatial axis must have at least 4 elements, got {size}")
    return min(fits, key=lambda fit: abs(fit[0] - max(3, size / 4)))  # first, so most positions


def choose_sweep(in_shape: Sequence[int], maps: int) -> Sweep:
    """The first layer for inputs of `in_shape` = (C, *spatial).

    Examples
    --------
    >>> sweep = choose_sweep((1, 28, 28), maps=16)
    >>> sweep.kernel, sweep.stride, sweep.out, sweep.window
    ((7, 7), (3, 3), (8, 8), (4, 4))
    >>> choose_sweep((1, 8, 8), maps=16).kernel
    (3, 3)
    """
    channels, *size = in_shape
    kernel, stride, out = zip(*map(_axis, size), strict=True)
    sweep = Sweep(channels, tuple(size), maps, kernel, stride, out)
    weights = sweep.counts("dense").weights
    if weights > MOST_WEIGHTS:
        raise ValueError(f"images of shape {tuple(in_shape)} are too large: the dense layer would "
                         f"need {weights:,} weights, at most {MOST_WEIGHTS:,} are allowed; "
                         "make the images smaller")
    return sweep
