"""A small network with locally connected layers learns the 5,000 digits."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import sweepconv.torch as sct
from sweepconv.datasets import mnist5k


class Unfolded(nn.Module):
    """`layer`, a LocalConv2d, as PyTorch alone can have it: patches, and a matrix a position."""

    def __init__(self, layer: sct.LocalConv2d) -> None:
        super().__init__()
        self.kernel_size, self.stride = layer.kernel_size, layer.stride
        self.out = layer.weight.shape[:2]
        self.weight = nn.Parameter(layer.weight.detach().flatten(0, 1).flatten(2))  # (places, O, CK)
        self.bias = nn.Parameter(layer.bias.detach().flatten(0, 1).clone())  # (places, O)

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


@pytest.fixture(scope="module")
def digits() -> list[tuple[Tensor, Tensor]]:
    """Ten batches of 64."""
    x, labels = map(torch.from_numpy, mnist5k())
    chosen = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:640]
    return list(zip(x[chosen].split(64), labels[chosen].split(64), strict=True))


def losses(net: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> list[float]:
    optimiser = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    seen = []
    for x, labels in batches:
        optimiser.zero_grad()
        loss = functional.cross_entropy(net(x), labels)
        loss.backward()
        optimiser.step()
        seen.append(float(loss.detach()))
    return seen


def test_training_agrees_with_unfold(digits: list[tuple[Tensor, Tensor]]) -> None:
    ours, theirs = (losses(network(unfolded), digits[:3]) for unfolded in (False, True))
    assert ours == pytest.approx(theirs, rel=1e-4)


def test_training_learns(digits: list[tuple[Tensor, Tensor]]) -> None:
    net = network(False)
    passes = [sum(losses(net, digits)) for _ in range(4)]
    assert all(later < earlier for earlier, later in pairwise(passes))
    assert passes[-1] < passes[0] / 2
