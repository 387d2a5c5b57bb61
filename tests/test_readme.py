"""The README's examples run, and the commands it names exist."""

import doctest
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_examples_run() -> None:
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False, encoding="utf-8")
    assert result.attempted >= 10
    assert result.failed == 0


def test_the_commands_exist() -> None:
    named = set(re.findall(r"(?:^|`)make ([\w-]+)", README, re.M))
    assert {"compare", "test", "test-adapters"} <= named
    for target in named:
        assert re.search(rf"^{target}:", MAKEFILE, re.M), f"no target {target}"


def test_continuous_integration_runs_the_test_commands() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^(?:exec )?make (.*)$", script, re.M) == ["test", "test-adapters"]
