"""A small locally connected network, with `sweepconv.torch` and as PyTorch alone can have it.

`python tests/adapters/digits_network.py` times a training step of both.
"""

import statistics
import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import sweepconv as sc
import sweepconv.torch as sct
from sweepconv.datasets import mnist5k


class Unfolded(nn.Module):  # type: ignore[misc]  # PyTorch is Any to mypy
    """`layer`, a LocalConv2d, as PyTorch alone can have it: patches, and a matrix a position."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.kernel_size, self.stride = layer.kernel_size, layer.stride
        self.out = layer.weight.shape[:2]
        w, b = layer.weight.detach(), layer.bias.detach()
        self.weight = nn.Parameter(w.flatten(0, 1).flatten(2))  # (places, O, C*K)
        self.bias = nn.Parameter(b.flatten(0, 1))  # (places, O)

    def forward(self, x: Tensor) -> Tensor:
        patches = functional.unfold(x, self.kernel_size, stride=self.stride)  # (N, CK, places)
        y = torch.einsum("nkp,pok->nop", patches, self.weight) + self.bias.T
        return y.unflatten(2, self.out)


def network(unfolded: bool) -> nn.Sequential:
    torch.manual_seed(0)
    layers = (sct.LocalConv2d(1, 16, 5, input_size=28),
              sct.LocalConv2d(16, 32, 3, stride=2, input_size=24))
    first, second = map(Unfolded, layers) if unfolded else layers
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(),
                         nn.Linear(32 * 11 * 11, 10))


def train(net: nn.Module, digits: list[tuple[Tensor, Tensor]]) -> list[float]:
    """One step for each batch of images (N, 1, 28, 28) and labels; the losses."""
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for x, labels in digits:
        optimiser.zero_grad()
        loss = functional.cross_entropy(net(x), labels)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def batches(count: int) -> list[tuple[Tensor, Tensor]]:
    """So many batches of 64 of the 5,000 digits: images (64, 1, 28, 28) and labels."""
    x, labels = map(torch.from_numpy, mnist5k())
    chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:64 * count]
    return list(zip(x[chosen].split(64), labels[chosen].split(64), strict=True))


def main() -> None:
    """Median time of a step of both, which take turns at ten; with PyTorch's number of threads."""
    digits = batches(10)
    nets = [network(False), network(True)]
    times: list[list[float]] = [[], []]
    with sc.threads(torch.get_num_threads()):
        for turn in range(13):
            for net, seen in zip(nets, times, strict=True):
                start = time.perf_counter()
                train(net, digits)
                if turn > 1:
                    seen.append((time.perf_counter() - start) / len(digits))
    ours, theirs = map(statistics.median, times)
    print(f"LocalConv2d {1e3 * ours:.1f} ms, unfold {1e3 * theirs:.1f} ms a step, "
          f"{theirs / ours:.1f} times, with {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
