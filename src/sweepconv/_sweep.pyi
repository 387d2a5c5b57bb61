from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]

class Plan:
    nbytes: int
    reads_zeros: bool
    def __init__(self, axes: Sequence[Sequence[Any]]) -> None: ...
    def winograd(self) -> bool: ...

class Packed:
    plan: Plan

def gather(
    plan: Plan, source: Array, filters: Array, bias: Array | None, target: Array, groups: int,
    transposed: bool, accumulate: bool, threads: int, packed: Packed | None = None,
    only_finite: bool = False, winograd: int = 0,
) -> bool: ...
def reduce(
    plan: Plan, source: Array, dy: Array, filters: Array, groups: int, accumulate: bool,
    threads: int,
) -> None: ...
def scatter(
    plan: Plan, target: Array, dy: Array, filters: Array, groups: int, accumulate: bool,
    threads: int,
) -> bool: ...
def pack(
    plan: Plan, filters: Array, rank: int, groups: int, transposed: bool, threads: int,
    last: bool, winograd: int,
) -> Packed: ...
def forked() -> bool: ...
