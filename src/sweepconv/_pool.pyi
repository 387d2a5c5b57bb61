from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
Axes = tuple[int, ...]

def maximum(
    x: Array, y: Array, kernel: Axes, stride: Axes, padding: Axes, threads: int,
) -> None: ...
def maximum_grad(
    dy: Array, x: Array, dx: Array, kernel: Axes, stride: Axes, padding: Axes, accumulate: bool,
    threads: int,
) -> None: ...
def mean(
    x: Array, y: Array, kernel: Axes, stride: Axes, padding: Axes, inside: bool, threads: int,
) -> None: ...
def mean_grad(
    dy: Array, dx: Array, kernel: Axes, stride: Axes, padding: Axes, inside: bool,
    accumulate: bool, threads: int,
) -> None: ...
