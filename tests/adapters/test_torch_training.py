"""A small network with locally connected layers learns the 5,000 digits."""

from itertools import pairwise

import pytest
from digits_network import batches, network, train
from torch import Tensor


@pytest.fixture(scope="module")
def digits() -> list[tuple[Tensor, Tensor]]:
    return batches(10)


def test_training_agrees_with_unfold(digits: list[tuple[Tensor, Tensor]]) -> None:
    ours, theirs = (train(network(unfolded), digits[:3]) for unfolded in (False, True))
    assert ours == pytest.approx(theirs, rel=1e-4)


def test_training_learns(digits: list[tuple[Tensor, Tensor]]) -> None:
    net = network(False)
    passes = [sum(train(net, digits)) for _ in range(4)]
    assert all(later < earlier for earlier, later in pairwise(passes))
    assert passes[-1] < passes[0] / 2
