"""The examples of the adapters and of their page in docs/ run."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "locally_connected.md"
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("module", ["jax", "torch.convert", "torch.functional", "torch.modules"])
def test_the_examples_of_a_module_run(module: str) -> None:
    result = doctest.testmod(import_module(f"sweepconv.{module}"), optionflags=OPTIONS)
    assert result.attempted >= 3
    assert result.failed == 0


def test_the_examples_of_the_page_run() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8",
                              optionflags=OPTIONS)
    examples = PAGE.read_text(encoding="utf-8").count(">>> ")
    assert (result.attempted, result.failed) == (examples, 0)
