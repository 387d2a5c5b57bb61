"""What pyproject.toml says of the package is true of the one that is installed."""

import importlib.metadata
import importlib.resources
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_numpy_is_the_only_dependency() -> None:
    needed = importlib.metadata.requires("sweepconv") or []
    assert [line for line in needed if "extra ==" not in line] == ["numpy>=2.0"]


def test_the_metadata_holds_the_license() -> None:
    metadata = importlib.metadata.metadata("sweepconv")
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata.get_all("License-File") == ["LICENSE"]


def test_types_are_shipped_for_every_compiled_module() -> None:
    package = importlib.resources.files("sweepconv")
    assert package.joinpath("py.typed").is_file()
    for source in (ROOT / "ext" / "sweepconv").glob("*.pyx"):
        assert package.joinpath(f"{source.stem}.pyi").is_file(), source.stem


def test_a_wheel_holds_every_file_of_the_package(pyproject: dict[str, Any]) -> None:
    patterns = pyproject["tool"]["setuptools"]["package-data"]["*"]
    package = ROOT / "src" / "sweepconv"
    others = [p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts
              and p.suffix not in (".py", ".so", ".pyd")]
    assert others
    for path in others:
        assert any(fnmatch(path.name, pattern) for pattern in patterns), path


def test_the_command_is_installed(pyproject: dict[str, Any]) -> None:
    (command,) = importlib.metadata.entry_points(group="console_scripts", name="sweepconv")
    assert command.value == pyproject["project"]["scripts"]["sweepconv"]
    assert callable(command.load())


def test_a_wheel_is_configured_for_every_platform(pyproject: dict[str, Any]) -> None:
    config = pyproject["tool"]["cibuildwheel"]
    assert "cp311-*" in config["build"].split()  # abi3: serves all later Pythons with a GIL
    assert re.search(r"cp3\d+t-\*", config["build"])
    assert {"linux", "macos", "windows"} <= config.keys()
    for source in config["test-sources"]:
        assert (ROOT / source).is_file()
    assert "--strip" in config["linux"]["repair-wheel-command"]


@pytest.mark.slow  # and needs the extra `dev`, as `make check` has it
@pytest.mark.parametrize(("platform", "wheel"), [
    ("linux", "cp311-musllinux_aarch64"), ("macos", "cp311-macosx_arm64"),
    ("windows", "cp311-win_amd64")])
def test_cibuildwheel_reads_its_configuration(platform: str, wheel: str) -> None:
    command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers", "--platform",
               platform, str(ROOT)]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert wheel in listed
