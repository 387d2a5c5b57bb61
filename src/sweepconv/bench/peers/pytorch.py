"""PyTorch without gradients' bookkeeping: contiguous, channels-last, and with filters that oneDNN
has packed.

One spatial axis becomes two of which the first has length 1, where memory is channels-last: that
is the only way to have it.  Local layers: unfold, a batched matrix product with one matrix per
position, and fold for the input gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from sweepconv.bench.cases import Array, Case

from .base import Call, Entries, PeerBase


class Peer(PeerBase):
    def __init__(self, n_threads: int) -> None:
        torch.set_num_threads(n_threads)
        torch.set_grad_enabled(False)

    def entries(self, case: Case) -> Entries:
        family = case.layer.family
        if family == "dense":
            return {"linear": lambda: _linear(case)}
        if family == "local":
            return {"unfold + bmm": lambda: _local(case)} if case.layer.ndim == 2 else {}
        found: dict[str, Callable[[], Call]] = {
            "contiguous": lambda: _conv(case, False), "channels-last": lambda: _conv(case, True)}
        if case.direction == "f" and case.dtype == "float32":
            found |= {"packed": lambda: _packed(case, False),
                      "packed channels-last": lambda: _packed(case, True)}
        return found


class _Operands:
    """Tensors and arguments of a convolution, 1-D as 2-D where `two` says so."""

    def __init__(self, case: Case, last: bool, two: bool) -> None:
        layer = case.layer
        self.lift = two and layer.ndim == 1
        ndim = layer.ndim + self.lift
        form = {(2, True): torch.channels_last, (3, True): torch.channels_last_3d}.get(
            (ndim, last), torch.contiguous_format)

        def tensor(name: str) -> Any:
            made = name in case.operands
            t = torch.from_numpy(case.array(name)) if made else torch.zeros(
                case.shapes[name], dtype=getattr(torch, case.dtype))
            return (t.unsqueeze(2) if self.lift else t).contiguous(memory_format=form)

        self.tensor = tensor
        self.stride, self.pad, self.dilation = (
            [v, *values] if self.lift else list(values) for v, values in (
                (1, layer.stride), (0, layer.pad), (1, layer.dilation)))
        self.ndim, self.groups = ndim, layer.groups

    def to_numpy(self, t: Any) -> Array:
        result: Array = (t.squeeze(2) if self.lift else t).contiguous().numpy()
        return result


def _conv(case: Case, last: bool) -> Call:
    o = _Operands(case, last, two=last)
    where = (o.stride, o.pad, o.dilation, False, [0] * o.ndim, o.groups)
    if case.direction == "f":
        x, w = o.tensor("x"), o.tensor("w")
        return Call(lambda: torch.ops.aten.convolution(x, w, None, *where), o.to_numpy)
    x, w, dy = map(o.tensor, "xwy")
    mask = [case.direction == "i", case.direction == "w", False]
    return Call(lambda: torch.ops.aten.convolution_backward(dy, x, w, None, *where, mask),
                lambda grads: o.to_numpy(grads[mask.index(True)]))


def _packed(case: Case, last: bool) -> Call:
    """The operator that PyTorch's own compiler uses for frozen weights."""
    o = _Operands(case, last, two=True)
    x, w = o.tensor("x"), o.tensor("w")
    packed = torch.ops.mkldnn._reorder_convolution_weight(
        w, o.pad, o.stride, o.dilation, o.groups, list(x.shape))
    return Call(lambda: torch.ops.mkldnn._convolution_pointwise(
        x, packed, None, o.pad, o.stride, o.dilation, o.groups, "none", [], ""), o.to_numpy)


def _linear(case: Case) -> Call:
    a, b = map(torch.from_numpy, case.given())
    run: Any = {"f": lambda: functional.linear(a, b), "i": lambda: torch.mm(a, b),
                "w": lambda: torch.mm(b.t(), a)}[case.direction]
    return Call(run, lambda t: t.numpy())


def _local(case: Case) -> Call:
    layer, places = case.layer, case.layer.y_shape[2] * case.layer.y_shape[3]
    how = {"kernel_size": layer.kernel, "stride": layer.stride, "padding": layer.pad,
           "dilation": layer.dilation}
    tensors = {name: torch.from_numpy(case.array(name)) for name in case.operands}

    def patches() -> Any:  # (places, N, C*taps)
        return functional.unfold(x, **how).permute(2, 0, 1)

    def flat(t: Any) -> Any:  # (N, O, *out) as (places, N, O)
        return t.flatten(2).permute(2, 0, 1)

    x, w, dy = (tensors.get(name) for name in "xwy")
    if w is not None:
        w = w.reshape(places, layer.c_out, -1)
    if case.direction == "f":
        weights = tensors["w"].reshape(places, layer.c_out, -1).transpose(1, 2).contiguous()
        return Call(lambda: torch.bmm(patches(), weights).permute(1, 2, 0).reshape(layer.y_shape),
                    lambda t: t.contiguous().numpy())
    if case.direction == "i":
        return Call(lambda: functional.fold(torch.bmm(flat(dy), w).permute(1, 2, 0), layer.size,
                                            **how), lambda t: t.contiguous().numpy())
    return Call(lambda: torch.bmm(flat(dy).transpose(1, 2), patches()),
                lambda t: t.reshape(case.shapes["w"]).numpy())
