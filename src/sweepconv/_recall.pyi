from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from ._sweep import Plan

Array = npt.NDArray[Any]

class Known:
    shape: tuple[int, ...]
    groups: int
    plan: Plan
    transposed: bool
    scatters: bool
    reduces: bool
    by_sample: bool
    accumulate: bool
    winograd: int
    only_finite: bool
    def __init__(
        self, verb: str, keywords: object, shape: tuple[int, ...], groups: int, plan: Plan,
        kind: str, winograd: int, accumulate: bool, small: bool,
    ) -> None: ...

def set_up(
    array_type: type, make: Callable[..., Array], make_like: Callable[..., Array],
    threads_of: Callable[[str, int | None], int],
) -> None: ...
def recall(
    verb: str, a: object, b: object, bias: object, shape: object, keywords: Any,
    repeat: Callable[..., Array | None],
) -> Array | None: ...
def remember(
    verb: str, a: object, b: object, bias: object, shape: object, keywords: Any, *of_call: object,
) -> None: ...
