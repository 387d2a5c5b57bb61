"""How much memory a call takes beside its operands and its result, that it gives it back, and that
a call which gets none ends with MemoryError."""

import math
from typing import Any

import pytest
from support import VERBS, child

# Large blocks go back to the system when they are freed, so that each call is measured by itself.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
MB = 2**20

MEASURE = """
import json, os, resource
import numpy as np
import sweepconv as sc

def status(field):
    with open("/proc/self/status") as lines:
        return 1024 * int(next(l for l in lines if l.startswith(field)).split()[1])

def peak(work):
    "Bytes by which the resident memory grows at most while `work` runs."
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = status("VmRSS")
    work()
    return max(status("VmHWM") - before, 0)

def ones(*shape):
    "An operand without memory of its own."
    return np.broadcast_to(np.float32(1), shape)

with sc.threads(2):
    sc.conv(ones(2, 16, 40, 40), ones(16, 16, 3, 3))
"""

# A layer of 64 to 3 channels, kernel 9 x 9, and its like: call, shapes of x, w and y, and the
# patches that an unrolled x would hold.
IMAGE, FILTERS, MAPS = (2, 64, 224, 224), (3, 64, 9, 9), (2, 3, 224, 224)
PADDED: dict[str, Any] = {"padding": 4}
LAYERS: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("conv", IMAGE, FILTERS, PADDED),
    ("conv", IMAGE, FILTERS, PADDED | {"padding_mode": "reflect"}),
    ("conv", (2, 256, 56, 56), (256, 256, 3, 3), {"padding": 1, "algorithm": "fast"}),
    ("conv", (1, 16, 512, 512), (16, 16, 3, 3), {"dilation": 100}),
    ("conv", (1, 8, 2**18), (8, 8, 2**10), {"stride": 2}),
    ("conv", (2, 2048, 7, 7), (2048, 1, 3, 3), {"groups": 2048}),
    ("tiled_conv", IMAGE, (2, 3, *FILTERS), PADDED),
    ("local_conv", (2, 64, 24, 24), (16, 16, *FILTERS), {}),
    ("dense", (64, 256 * 36), (1024, 256 * 36), {}),
    ("dense", (4, 2**20), (1, 2**20), {}),
    ("dense", (4, 2**18), (10, 2**18), {}),
]


@pytest.mark.parametrize("verb, x, w, keywords", LAYERS)
def test_workspace(verb: str, x: Any, w: Any, keywords: dict[str, Any]) -> None:
    """Less than the operands and the result together and 32 MB, which is far less than patches."""
    named = ", ".join(f"{k}={v!r}" for k, v in keywords.items())
    grown, sizes = child(MEASURE + f"""
x, w = ones(*{x}), ones(*{w})
y = ones(*sc.{verb}(x, w, {named}).shape)
with sc.threads(2):
    grown = [peak(lambda: sc.{verb}(x, w, {named})) - y.nbytes,
             peak(lambda: sc.{verb}_input_grad(y, w, x.shape, {named})) - x.nbytes,
             peak(lambda: sc.{verb}_weight_grad(x, y, w.shape, {named})) - w.nbytes]
print(json.dumps([grown, x.nbytes + w.nbytes + y.nbytes]))
""", environment=MALLOC)
    assert max(grown) < sizes + 32 * MB, [f"{n / MB:.0f} MB" for n in grown]
    if x == IMAGE:
        patches = 4 * math.prod(MAPS) // MAPS[1] * math.prod(FILTERS[1:])
        assert max(grown) < patches / 16


def test_an_out_array_is_filled_in_place() -> None:
    """Nothing grows with the batch."""
    small, large = child(MEASURE + """
w = ones(16, 16, 3, 3)
grown = []
for n in (8, 64):
    x, out = ones(n, 16, 62, 62), np.zeros((n, 16, 60, 60), np.float32)
    out[...] = 1
    grown.append(peak(lambda: sc.conv(x, w, out=out, n_threads=2)))
print(json.dumps(grown))
""", environment=MALLOC)
    assert large < small + MB


CALLS = """
import json, sys
import numpy as np
import sweepconv as sc
from support import SMALL, VERBS, call, family_of, operands

def resident():
    with open("/proc/self/statm") as file:
        return 4096 * int(file.read().split()[1])

cases = {verb: SMALL[family_of(verb)] for verb in VERBS}
values = {verb: operands(verb, case) for verb, case in cases.items()}
"""


def test_no_leak() -> None:
    """Over 1,000 calls of every verb: of memory, or of references to the operands."""
    grown, references = child(CALLS + """
def calls(n):
    for _ in range(n):
        for verb, case in cases.items():
            call(verb, case, values[verb])
            call(verb, case, values[verb], n_threads=2)

def count():
    return [sys.getrefcount(a) for v in values.values() for a in v.values()
            if isinstance(a, np.ndarray)]

calls(300)
before, references = resident(), count()
calls(500)
print(json.dumps([resident() - before, count() == references]))
""")
    assert grown < MB / 2
    assert references


def test_no_leak_of_calls_that_fail_or_of_handles() -> None:
    assert child(CALLS + """
def failing(n):
    wrong = np.zeros(3)
    for _ in range(n):
        for verb, case in cases.items():
            try:
                call(verb, case, values[verb], out=wrong)
            except ValueError:
                continue
            raise AssertionError(verb)
        x, w = values["conv"]["x"], np.ones((64, 4, 3, 3))
        sc.conv(x, sc.pack(w))

failing(300)
before = resident()
failing(1000)
print(json.dumps(resident() - before))
""") < MB / 2


def test_what_is_kept_for_geometries_is_bounded() -> None:
    """As for sounds, each of another length: 200 calls of 1.6 MB each."""
    assert child(CALLS + """
w = np.ones((1, 1, 3))
x = np.ones((1, 1, 200_300))
sc.conv_weight_grad(x, sc.conv(x, w), w.shape)
before = resident()
for n in range(200_000, 200_200):
    sc.conv(x[:, :, :n], w)
print(json.dumps(resident() - before))
""", environment=MALLOC) < 64 * MB


@pytest.mark.parametrize("verb", VERBS)
def test_allocations_that_fail(verb: str) -> None:
    """With less and less address space to grow into, a call is right or raises MemoryError; with
    enough of it the next one is right."""
    outcomes, after = child(CALLS + f"""
import resource
from dataclasses import replace
verb = {verb!r}
case = dict(
    conv=sc.testing.Case((4, 64, 40, 40), (64, 64, 3, 3)),
    tiled=sc.testing.Case((4, 64, 40, 40), (2, 2, 64, 64, 3, 3), family="tiled"),
    local=sc.testing.Case((256, 32, 8, 8), (6, 6, 32, 32, 3, 3), family="local"),
    dense=sc.testing.Case((64, 2048), (512, 2048), family="dense"))[family_of(verb)]
v = operands(verb, case)
right = call(verb, case, v, n_threads=2)
out = np.zeros_like(right)

def addresses():
    with open("/proc/self/statm") as file:
        return 4096 * int(file.read().split()[0])

outcomes = []
for room in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 4096):
    limit = addresses() + room * 2**18
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        call(verb, case, v, n_threads=2, out=out)
        outcome = "right" if (out == right).all() else "wrong"
    except MemoryError:
        outcome = "MemoryError"
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    outcomes.append(outcome)
print(json.dumps([outcomes, bool((call(verb, case, v, n_threads=2) == right).all())]))
""", environment=MALLOC | {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_TOP_PAD_": "0"})
    assert outcomes[-1] == "right"
    assert outcomes[0] == "MemoryError"
    assert set(outcomes) == {"right", "MemoryError"}
    assert after
