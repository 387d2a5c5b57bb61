"""Which instruction set runs: chosen at import, by SWEEPCONV_ISA or by use_isa, and proved by what
the kernels do, not by the name they go under."""

import platform
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support import (
    DTYPES,
    FEW,
    ISAS,
    KINDS,
    LONG,
    ONE_PIXEL,
    PREFIX,
    VERBS,
    Array,
    child,
    family_of,
)

import sweepconv as sc
from sweepconv import _kernels
from sweepconv.testing import CaseFamily, check_conv, conv_cases

X86 = platform.machine() in ("x86_64", "AMD64")
# (rows of half a tile, outputs of a tile) in float32 and float64.
TILES = {"baseline": ((3, 8), (3, 4)), "avx2": ((3, 16), (3, 8)), "avx512": ((7, 32), (7, 16))}


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = sc.show_config()["isa"]
    yield
    sc.use_isa(before)


def fused(dtype: Any) -> bool:
    """Whether products are added unrounded, asked of the engine's own answer.

    -(1 + 2e) + (1 + e)^2 is e^2, and 0 where the product is rounded before it is added.
    """
    e = 2.0 ** (-13 if dtype == np.float32 else -27)
    x = np.array([-(1 + 2 * e), 1 + e], dtype).reshape(1, 2, 1)
    w = np.array([1, 1 + e], dtype).reshape(1, 2, 1)
    y = float(sc.conv(x, w)[0, 0, 0])
    assert y in (0.0, e * e)
    return y != 0.0


def observed() -> list[object]:
    """The active name, and what shows which kernels stand behind it."""
    return [sc.show_config()["isa"], list(_kernels.tile_shape(4)), list(_kernels.tile_shape(8)),
            *(fused(dtype) for dtype in DTYPES)]


def expected(isa: str) -> list[object]:
    if not X86:
        return observed()  # there is one instance only
    return [isa, *map(list, TILES[isa]), isa != "baseline", isa != "baseline"]


CONFORM = """
import json
import sweepconv as sc
from support import VERBS
from sweepconv.testing import check_conv
from test_dispatch import observed
cases = sum(check_conv(getattr(sc, verb), verb=verb, level="smoke").cases for verb in VERBS)
print(json.dumps([observed(), sc.show_config()["isa"], cases]))
"""


@pytest.mark.parametrize("isa", ISAS)
def test_environment_forces_an_instruction_set(isa: str) -> None:
    """All verbs pass the smallest level in a process of their own."""
    seen, name, cases = child(CONFORM, environment={"SWEEPCONV_ISA": isa})
    assert seen == expected(isa)
    assert name == isa
    assert cases >= 10 * len(VERBS)


def test_the_best_one_is_the_default() -> None:
    config = child("import json, sweepconv as sc; print(json.dumps(sc.show_config()))")
    assert config["isa"] == config["isa_supported"][0] == ISAS[0]
    assert set(config["isa_supported"]) <= set(config["isa_built"])
    assert "baseline" in config["isa_supported"]


@pytest.mark.parametrize("isa", ISAS)
def test_use_isa_switches_in_process(isa: str) -> None:
    for other in ISAS:
        sc.use_isa(other)
        sc.use_isa(isa)
        assert observed() == expected(isa)


@pytest.mark.parametrize("isa", ISAS[1:] or ISAS)  # test_exact.py takes the best one
@pytest.mark.parametrize("family", PREFIX)
@pytest.mark.parametrize("part, kind", list(enumerate(KINDS)))
def test_every_instruction_set_is_exact(
    part: int, kind: str, family: CaseFamily, isa: str
) -> None:
    """Each verb of a family takes a third of its grid."""
    verb = PREFIX[family] + kind
    sc.use_isa(isa)
    check_conv(getattr(sc, verb), verb=verb, cases=conv_cases("full", [family])[part::3],
               fills=["exact"])


@pytest.mark.parametrize("isa", ISAS[1:] or ISAS)
@pytest.mark.parametrize("verb", ["conv", "conv_input_grad"])
def test_long_filters_are_exact(verb: str, isa: str) -> None:
    sc.use_isa(isa)
    check_conv(getattr(sc, verb), verb=verb, cases=LONG, fills=["exact"])


@pytest.mark.parametrize("isa", ISAS[1:] or ISAS)
@pytest.mark.parametrize("verb", ["conv", "conv_input_grad"])
def test_few_channels_are_exact(verb: str, isa: str) -> None:
    sc.use_isa(isa)
    check_conv(getattr(sc, verb), verb=verb, cases=FEW, fills=["exact"])


@pytest.mark.parametrize("isa", ISAS[1:] or ISAS)
@pytest.mark.parametrize("verb", VERBS)
def test_few_targets_of_one_pixel_are_exact(verb: str, isa: str) -> None:
    sc.use_isa(isa)
    check_conv(getattr(sc, verb), verb=verb, cases=ONE_PIXEL[family_of(verb)], fills=["exact"])


def test_integers_do_not_tell_instruction_sets_apart() -> None:
    results: list[Array] = []
    rng = np.random.default_rng(0)
    x, w = rng.integers(-9, 9, (2, 20, 9, 9)) + 0.0, rng.integers(-9, 9, (33, 20, 3, 3)) + 0.0
    for isa in ISAS:
        sc.use_isa(isa)
        results.append(sc.conv(x, w, padding=1))
    assert all(np.array_equal(y, results[0]) for y in results)


@pytest.mark.parametrize("name", ["", "AVX2", "sse9", "neon "])
def test_unknown_names(name: str) -> None:
    with pytest.raises(ValueError, match="use_isa: unknown instruction set") as raised:
        sc.use_isa(name)
    assert repr(name) in str(raised.value)
    assert all(isa in str(raised.value) for isa in sc.show_config()["isa_built"])


def test_unknown_name_in_the_environment() -> None:
    code = """
import json
try:
    import sweepconv
except ValueError as error:
    print(json.dumps(str(error)))
"""
    message = child(code, environment={"SWEEPCONV_ISA": "sse9"})
    assert "'sse9'" in message
    assert all(isa in message for isa in ISAS)


def test_a_name_that_this_machine_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a machine would answer that runs the last instance alone."""
    monkeypatch.setattr(_kernels, "supported", lambda: ["baseline"])
    missing = [isa for isa in sc.show_config()["isa_built"] if isa != "baseline"]
    for isa in missing:
        with pytest.raises(ValueError, match=f"does not run '{isa}': it runs baseline"):
            sc.use_isa(isa)
    sc.use_isa("baseline")
    assert bool(missing) == X86
