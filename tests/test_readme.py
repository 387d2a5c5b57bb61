"""The examples of the README and of docs/ run, and the commands the README names exist."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


# This page needs PyTorch, Keras and JAX: tests/adapters/test_examples.py runs it.
ELSEWHERE = ROOT / "docs" / "locally_connected.md"
PAGES = {path: text.count(">>> ") for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
         if path != ELSEWHERE and ">>> " in (text := path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_examples_run(page: Path) -> None:
    """Every example prints what the page says that it prints."""
    result = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert (result.attempted, result.failed) == (PAGES[page], 0)


def test_the_pages_with_examples_are_there() -> None:
    assert {"README.md", "equivariance.md", "ladder.md"} <= {page.name for page in PAGES}


def test_the_commands_exist() -> None:
    named = set(re.findall(r"(?:^|`)make ([\w-]+)", README, re.M))
    assert {"compare", "test", "test-adapters", "test-browser"} <= named
    for target in named:
        assert re.search(rf"^{target}:", MAKEFILE, re.M), f"no target {target}"


def test_continuous_integration_runs_the_test_commands() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = re.findall(r"^(?:exec )?make (.*)$", script, re.M)
    assert commands == ["test", "test-adapters", "test-browser"]
