from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
Axes = tuple[int, ...]

def forward(
    x: Array, y: Array, kernel: Axes, stride: Axes, padding: Axes, threads: int,
) -> None: ...
def input_grad(
    dy: Array, x: Array, dx: Array, kernel: Axes, stride: Axes, padding: Axes, accumulate: bool,
    threads: int,
) -> None: ...
