"""PyTorch's own convolutions to and from the modules of this package."""

from __future__ import annotations

from typing import Any

from torch import nn

from . import ranks
from .modules import ConvNd

NAMES = tuple(f"{kind}{axes}d" for kind in ("Conv", "ConvTranspose") for axes in (1, 2, 3))
# What both sides keep under one name.
ARGUMENTS = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation",
             "groups", "padding_mode")


def from_torch(module: nn.Module) -> ConvNd:
    """The module of this package that does what `module`, a `torch.nn.Conv*d`, does.

    It has the same parameters, not copies: training one trains the other.

    Examples
    --------
    >>> import torch
    >>> from_torch(torch.nn.Conv2d(3, 8, 5, padding=2))
    Conv2d(3, 8, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    """
    converted: ConvNd = _converted("from_torch", module, nn, ranks)
    return converted


def to_torch(module: ConvNd) -> nn.Module:
    """The `torch.nn.Conv*d` or `ConvTranspose*d` that does what `module` does, if there is one.

    It has the same parameters, not copies.

    Examples
    --------
    >>> to_torch(ranks.Conv2d(3, 8, 5, padding=2))
    Conv2d(3, 8, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
    """
    padding = module.padding
    numbers = isinstance(padding, (str, int)) or all(isinstance(n, int) for n in padding)
    if not numbers or padding in ("full", "causal", "same_lower"):
        raise ValueError(f"to_torch: torch.nn takes 'valid', 'same' or one int per axis as "
                         f"padding, got {padding!r}")
    return _converted("to_torch", module, ranks, nn)


def _converted(verb: str, module: Any, source: Any, target: Any) -> Any:
    name = type(module).__name__
    if name not in NAMES or type(module) is not getattr(source, name):
        raise TypeError(f"{verb}: module must be one of {', '.join(NAMES)} of {source.__name__}, "
                        f"got {type(module).__module__}.{name}")
    arguments = {k: getattr(module, k) for k in ARGUMENTS}
    if "Transpose" in name:
        arguments["output_padding"] = module.output_padding
    made = getattr(target, name)(**arguments, bias=module.bias is not None, device="meta")
    made.weight, made.bias = module.weight, module.bias
    return made.train(module.training)
