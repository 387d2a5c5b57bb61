"""What several test files share: verbs as data, values, memory orders, reports, child processes."""

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

import sweepconv as sc
from sweepconv import _kernels
from sweepconv.testing import Case, CaseFamily

Array: TypeAlias = "npt.NDArray[Any]"

PREFIX: dict[CaseFamily, str] = {"conv": "conv", "tiled": "tiled_conv", "local": "local_conv",
                                 "dense": "dense"}
KINDS = ("", "_input_grad", "_weight_grad")
FORWARD = [*PREFIX.values(), "conv_transpose"]
INPUT_GRADS = [prefix + "_input_grad" for prefix in PREFIX.values()]
WEIGHT_GRADS = [prefix + "_weight_grad" for prefix in PREFIX.values()]
GRADIENTS = [*INPUT_GRADS, *WEIGHT_GRADS]
VERBS = [*FORWARD, *GRADIENTS]
DTYPES = [np.float32, np.float64]
ISAS: list[str] = _kernels.supported()


def family_of(verb: str) -> CaseFamily:
    prefix = verb.removesuffix("_input_grad").removesuffix("_weight_grad")
    names: dict[str, CaseFamily] = {v: k for k, v in PREFIX.items()}
    return names.get(prefix, "conv")


def output_padding(case: Case) -> tuple[int, ...]:
    """What takes y back to exactly the shape of x: the elements that the stride left over."""
    g = case.geometry
    return tuple((n + low + high - (k - 1) * d - 1) % s for n, (low, high), k, d, s in zip(
        g.in_size, g.pads, g.kernel, g.dilation, g.stride, strict=True))


def operands(verb: str, case: Case, fill: str = "real") -> dict[str, Any]:
    """The positional arguments of `verb` by name, in their order; a bias where the case has one."""
    arrays = {"x": case.x_shape, "w": case.w_shape, "dy": case.y_shape}
    names = ["x", "w"]
    if verb == "conv_transpose":
        arrays["x"] = case.y_shape
    elif verb.endswith("_input_grad"):
        names = ["dy", "w"]
    elif verb.endswith("_weight_grad"):
        names = ["x", "dy"]
    values: dict[str, Any] = {name: case.array(name, arrays[name], fill) for name in names}
    if verb in FORWARD and case.bias:
        shape = case.x_shape[1:2] if verb == "conv_transpose" else case.b_shape
        values["b"] = case.array("b", shape, fill)
    if verb.endswith("_input_grad"):
        values["x_shape"] = case.x_shape
    elif verb.endswith("_weight_grad"):
        values["w_shape"] = case.w_shape
    return values


def keywords(verb: str, case: Case) -> dict[str, Any]:
    if verb != "conv_transpose":
        return case.keywords
    # In numbers, since "same" means another padding there.
    return case.keywords | {"padding": case.geometry.pads, "output_padding": output_padding(case)}


def call(verb: str, case: Case, values: dict[str, Any], **more: Any) -> Array:
    """`verb` of the library on the values of `operands`."""
    return cast(Array, getattr(sc, verb)(*values.values(), **keywords(verb, case), **more))


def run(verb: str, case: Case, fill: str = "real", **more: Any) -> Array:
    return call(verb, case, operands(verb, case, fill), **more)


def digest(a: Array) -> str:
    """Shape, dtype and bits of an array, whatever its memory order."""
    head = f"{a.shape} {a.dtype} ".encode()
    return hashlib.sha256(head + a.tobytes()).hexdigest()


def same_bits(a: Array, b: Array) -> bool:
    return digest(a) == digest(b)


def work(case: Case) -> int:
    """Multiply-adds of one verb."""
    rank = len(case.geometry.kernel)
    return math.prod(case.geometry.y_shape) * math.prod(case.geometry.w_shape[-rank - 1:])


# One call of each family that has everything: stride, dilation, groups, a crop, a bias.
SMALL: dict[CaseFamily, Case] = {
    "conv": Case((2, 4, 9, 8), (6, 2, 3, 2), stride=(2, 1), padding=((1, 2), (-1, 2)),
                 dilation=(1, 2), groups=2, bias=True),
    "tiled": Case((2, 4, 9, 8), (2, 3, 6, 2, 3, 2), stride=(1, 2), padding=((1, 2), (0, 3)),
                  dilation=(2, 1), groups=2, family="tiled", bias=True),
    "local": Case((2, 4, 7, 8), (4, 3, 6, 2, 3, 2), stride=2, padding=((1, 2), (0, 0)),
                  dilation=(1, 2), groups=2, family="local", bias=True),
    "dense": Case((3, 4, 5), (6, 4, 5), family="dense", bias=True),
}

# Targets that fill no more than one vector, of one pixel, and so many channels that these are
# summed in several blocks: forward, and in the input gradient.
ONE_PIXEL: dict[CaseFamily, list[Case]] = {
    "conv": [Case((1, 150, 3, 3), (4, 150, 3, 3), bias=True), Case((1, 4, 3, 3), (1300, 4, 3, 3)),
             Case((1, 600, 1, 1), (12, 300, 1, 1), groups=2)],
    "tiled": [Case((1, 150, 3, 3), (1, 1, 4, 150, 3, 3), family="tiled")],
    "local": [Case((1, 150, 4, 4), (2, 2, 4, 150, 3, 3), bias=True, family="local"),
              Case((1, 16, 11, 9), (3, 2, 16, 16, 7, 7), stride=2, family="local")],
    "dense": [Case((1, 700), (4, 700), family="dense"), Case((1, 4), (700, 4), family="dense"),
              Case((2, 1300), (3, 1300), bias=True, family="dense")],
}

# Local on so many images that these are the lanes or the steps: a part of the batch fills no row of
# lanes, 201 images are two blocks, 70 channels and 70 targets more than one task, 20 targets more
# than one row of lanes.
IMAGES = [
    Case((19, 5, 9, 8), (9, 8, 7, 5, 3, 3), padding=1, bias=True, dtype="float32", family="local"),
    Case((33, 8, 11), (4, 10, 4, 3), stride=2, dilation=2, groups=2, dtype="float32",
         family="local"),
    Case((17, 3, 4, 5, 6), (5, 6, 7, 9, 3, 2, 2, 2), padding=1, padding_mode="reflect", bias=True,
         dtype="float32", family="local"),
    Case((9, 70, 5, 5), (3, 3, 5, 70, 3, 3), family="local"),
    Case((18, 9, 6, 6), (6, 6, 4, 9, 3, 3), padding=4, dilation=4, family="local"),
    Case((201, 2, 4, 5), (4, 3, 20, 2, 3, 3), padding=((1, 1), (0, 0)), dtype="float32",
         family="local"),
    Case((16, 1, 9, 12), (5, 5, 16, 1, 5, 5), stride=(1, 2), padding=((0, 0), (1, 0)), bias=True,
         dtype="float32", family="local"),
    Case((9, 70, 3, 7), (2, 5, 70, 70, 2, 3), dtype="float32", family="local"),
    Case((24, 6, 5, 4), (5, 4, 12, 3, 1, 1), groups=2, dtype="float32", family="local"),
    # Targets are more than images, whose patches are turned: tap by tap, or whole.
    Case((9, 17, 5, 6), (5, 6, 40, 17, 3, 3), padding=1, dtype="float32", family="local"),
    Case((9, 17, 5, 6), (5, 6, 40, 17, 3, 3), padding=1, dtype="float32", family="local",
         x_memory="channels_last"),
    Case((8, 12, 4, 4, 3), (2, 2, 1, 30, 12, 3, 3, 3), family="local", x_memory="channels_last"),
    Case((40, 17, 5), (2, 7, 17, 3), dtype="float32", family="tiled", w_memory="channels_last"),
]

# Filters so long that they take shifted copies of themselves, where x is finite: one piece of a row
# of taps and several, one vector and two, strides of other axes, and two targets, and rows of taps
# that are too short or apart, which do not.
LONG = [
    Case((2, 1, 3000), (1, 1, 1023), padding=511, bias=True, dtype="float32"),
    Case((1, 3, 2500), (6, 1, 129), padding="causal", groups=3, dtype="float32"),
    Case((1, 1, 70, 61), (1, 1, 31, 31), padding=15, dtype="float32"),
    Case((2, 2, 40, 90), (2, 1, 5, 17), padding=((2, 2), (3, 5)), stride=(2, 1), groups=2),
    Case((1, 1, 6, 40, 41), (1, 1, 2, 3, 24), padding=1, padding_mode="reflect", bias=True),
    Case((1, 1, 6, 40, 41), (2, 1, 2, 3, 24), padding=1, padding_mode="reflect", bias=True),
    Case((1, 1, 1, 2400), (1, 1, 1, 700)),
    Case((1, 2, 60, 50), (2, 1, 7, 7), padding=3, groups=2, dtype="float32"),
    Case((1, 1, 2000), (1, 1, 200), dilation=2, padding="same"),
]

# Images so wide, and channels so few, of x or of y, that lanes are pixels: each number of rows of a
# tile, two heights of tiles, a piece that is alone, lines that merge and that do not.
FEW = [
    Case((2, 18, 33, 37), (2, 18, 3, 3), padding=1, bias=True, dtype="float32"),
    Case((1, 20, 61, 80), (3, 20, 5, 4), padding=((2, 1), (0, 3)), stride=(1, 2)),
    Case((1, 9, 90, 70), (5, 9, 3, 3), padding=2, stride=2, dilation=2, bias=True,
         dtype="float32"),
    Case((1, 20, 64, 48), (10, 20, 3, 3), padding=1, dtype="float32"),
    Case((1, 12, 56, 44), (12, 4, 3, 3), groups=3, padding=1, dtype="float32"),
    Case((1, 3, 81, 60), (20, 3, 5, 5), stride=2, padding=2, bias=True, dtype="float32"),
    Case((2, 4, 7, 20, 24), (30, 4, 2, 3, 3), padding=1, padding_mode="reflect", dtype="float32"),
    Case((3, 2, 900), (17, 2, 9), dilation=2, padding="same"),
    Case((1, 11, 64, 40), (40, 11, 3, 3), dtype="float32"),
    # Every second place of a row of dx: of several blocks, of one or two places, of planes.
    Case((1, 24, 1700), (20, 24, 3), stride=2, padding=1, dtype="float32"),
    Case((2, 24, 9, 2), (20, 24, 3, 2), stride=2, padding=(1, 0), dtype="float32"),
    Case((2, 5, 8, 31), (40, 5, 3, 4), stride=2, padding=(1, 2), bias=True),
    # Lines so long that all but their ends is read and written where it lies.
    Case((1, 1, 61, 170), (1, 1, 5, 5), padding=2, bias=True, dtype="float32"),
    Case((2, 3, 20, 131), (3, 1, 3, 3), padding=((0, 1), (2, 0)), groups=3),
    Case((1, 3, 15, 200), (3, 3, 3, 3), padding=1, padding_mode="reflect", dtype="float32"),
    Case((1, 1, 40, 300), (9, 1, 1, 7), padding=(0, 3), padding_mode="circular", dtype="float32"),
    Case((2, 1, 700), (1, 1, 9), padding="causal", bias=True, dtype="float32"),
    Case((1, 2, 5, 28, 140), (2, 1, 1, 3, 3), padding=(0, 1, 1), dilation=(1, 2, 1), groups=2),
]

# Padding so wide that the edges of a line are runs of their own, or that most runs need other taps:
# halves that find none of their kind, many kinds, dx of what has no padding.
EDGES = [
    Case((3, 40, 9, 9), (33, 40, 3, 3), padding=2, bias=True, dtype="float32"),
    Case((2, 33, 11, 11), (40, 33, 3, 3), dtype="float32", x_memory="channels_last"),
    Case((1, 24, 4, 12, 13), (17, 24, 3, 3, 3), padding=2, dtype="float32"),
    Case((2, 20, 27, 28), (16, 20, 3, 3), padding=2, dilation=2),
    Case((1, 16, 12, 12), (20, 16, 7, 7), dtype="float32"),
    Case((1, 40, 14, 14), (40, 1, 27, 27), padding=13, groups=40, dtype="float32",
         x_memory="channels_last"),
]

# Depthwise images, channels last, so large that their blocks are read where they lie, in pieces:
# each form of border, one to three axes, a stride, a dilation, two targets of a group, images that
# share a block, channels that leave lanes empty.
PIECES = [replace(case, groups=case.x_shape[1], x_memory="channels_last") for case in [
    Case((1, 40, 36, 40), (40, 1, 3, 3), padding=1, bias=True, dtype="float32"),
    Case((2, 70, 19, 40), (70, 1, 3, 5), padding=((1, 0), (2, 2))),
    Case((1, 33, 8, 24, 15), (33, 1, 3, 3, 3), padding=1, dtype="float32"),
    Case((1, 64, 60, 50), (64, 1, 3, 3), padding=2, dilation=2, dtype="float32"),
    Case((3, 40, 400), (40, 1, 9), padding="causal"),
    Case((1, 36, 61, 61), (36, 1, 3, 3), padding=1, stride=2, padding_mode="reflect"),
    Case((1, 36, 50, 60), (36, 1, 3, 4), padding=((1, 1), (2, 1)), padding_mode="circular"),
    Case((20, 64, 8, 6), (64, 1, 3, 3), padding=1, dtype="float32"),
    Case((1, 36, 45, 40), (72, 1, 3, 3), padding=1, dtype="float32"),
]]

# One pixel of few images: filters are read as they lie, in rows of targets or of sources, several
# blocks of these, and rows that fill no block of lanes; several groups, a stride and a crop that
# leave one pixel.
VECTORS = [
    Case((1, 1300), (201, 1300), bias=True, family="dense"),
    Case((2, 77), (130, 77), dtype="float32", family="dense"),
    Case((2, 1301), (5, 1301), bias=True, dtype="float32", family="dense"),
    Case((1, 19, 5, 7), (37, 19, 5, 7), dtype="float32", family="dense"),
    Case((2, 606, 1), (66, 303, 1), groups=2, bias=True, dtype="float32"),
    Case((1, 40, 3, 3), (33, 40, 1, 1), stride=3, bias=True),
    Case((1, 30, 3), (50, 30, 1), padding=-1, dtype="float32"),
]

# Weight gradients of banks so large that they are written at once, by several blocks in turn.
BANKS = [
    Case((250, 1030), (1027, 1030), family="dense", dtype="float32"),
    Case((5, 513, 7, 7), (520, 513, 2, 2), padding=((0, 1), (1, 0)), dtype="float32"),
    Case((4, 37, 8, 7), (130, 37, 11, 11), padding=5),
]

# Input gradients that take the places of a stride as channels: the stride divides the kernel, or
# not; crops, elements that no output reads, one to three axes.
STRIDED = [
    Case((3, 3, 19, 22), (8, 3, 4, 4), stride=4, padding=((0, 1), (2, 1)), bias=True,
         dtype="float32"),
    Case((2, 3, 23, 35), (16, 3, 5, 11), stride=(2, 4), padding=((2, 0), (1, 3)), dtype="float32"),
    Case((2, 1, 131), (5, 1, 23), stride=10, padding=((0, -4),)),
    Case((2, 3, 3, 6, 30), (4, 3, 2, 1, 8), stride=(1, 2, 8), padding=((0, 1), (0, 0), (9, 9)),
         dtype="float32"),
    Case((2, 1, 40), (70, 1, 7), stride=5, padding=3, dtype="float32"),
]

# Input gradients with a stride whose phases are packed together: of other numbers of taps, so that
# their blocks of channels differ; several tasks, groups, channels that fill no panel, banks whose
# channels come last, taps of a phase that is empty.
PHASES = [
    Case((1, 40, 9, 9), (200, 40, 7, 7), stride=2, padding=3, dtype="float32"),
    Case((2, 20, 12), (150, 20, 5), stride=3, padding=1, bias=True),
    Case((1, 18, 6, 5, 7), (70, 18, 3, 3, 3), stride=2, padding=1, dtype="float32"),
    Case((1, 34, 8, 9), (260, 17, 4, 3), stride=2, padding=1, groups=2),
    Case((1, 30, 9, 9), (90, 30, 3, 3), stride=(2, 3), padding=1, dtype="float32",
         w_memory="channels_last"),
    Case((3, 150, 11), (33, 150, 2), stride=4, dtype="float32"),
]

# Kernels as long as the image along an axis, or nearly: of one, two and three outputs, the first,
# middle and last axis, one axis of two that could be cut, groups, padding, strides, tile sharing.
SPANNED = [
    Case((2, 25, 22, 40), (25, 25, 22, 1), bias=True, dtype="float32"),
    Case((2, 8, 16, 33), (16, 1, 15, 1), groups=8, dtype="float32"),
    Case((3, 1, 9, 60), (10, 1, 3, 60), bias=True, dtype="float32"),
    Case((2, 1, 24, 31), (9, 1, 24, 4), padding=((1, 0), (0, 2)), stride=(3, 2), dtype="float32"),
    Case((2, 3, 10, 9, 12), (6, 3, 3, 9, 2), padding=((0, 0), (0, 0), (1, 1))),
    Case((2, 3, 12, 20), (18, 3, 13, 5), padding=((1, 2), (0, 1)), stride=(1, 2), dtype="float32"),
    Case((1, 2, 9, 8, 7), (4, 2, 3, 8, 3), padding=((1, 1), (0, 0), (1, 1))),
    Case((1, 4, 30, 30), (5, 4, 27, 28), dtype="float32"),
    Case((2, 4, 14, 21), (1, 2, 6, 2, 12, 2), groups=2, family="tiled", bias=True),
    Case((2, 2, 17, 12), (3, 2, 8, 3), dilation=(2, 1), padding=((1, 0), (0, 0)),
         padding_mode="reflect", dtype="float32"),
]


# Memory orders: each gives an array that equals `a` and does not share its memory.

def _strided(a: Array) -> Array:
    """No axis is contiguous; only the outer and the inner one grow, so that it stays small."""
    wide = [2 * n + 1 if axis in (0, a.ndim - 1) else n + 1 for axis, n in enumerate(a.shape)]
    view: Array = np.full(wide, 77, a.dtype)[tuple(
        slice(1, None, 2 if axis in (0, a.ndim - 1) else 1) for axis in range(a.ndim))]
    view[...] = a
    return view


def _misaligned(a: Array) -> Array:
    view = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def _channels_last(a: Array) -> Array:
    axis = min(1, a.ndim - 1)
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(a, axis, -1)).copy(), -1, axis)


def _read_only(a: Array) -> Array:
    copy = a.copy()
    copy.flags.writeable = False
    return copy


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "C": lambda a: a.copy(order="C"),
    "reversed_axes": lambda a: a.copy(order="F"),
    "channels_last": _channels_last,
    "batch_last": lambda a: np.moveaxis(np.moveaxis(a, 0, -1).copy(), -1, 0),
    "negative": lambda a: np.flip(np.flip(a).copy()),
    "strided": _strided,
    "misaligned": _misaligned,
    "read_only": _read_only,
}


class Guarded:
    """Contiguous memory between two guard bands.  `array` starts `off` bytes after a multiple of
    64; what the bands hold is checked by `intact`."""

    BAND = 256

    def __init__(self, shape: Sequence[int], dtype: Any, off: int = 0) -> None:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        whole = np.empty(size + 2 * self.BAND + 128, np.uint8)
        first = self.BAND - (whole.ctypes.data + self.BAND) % 64 + 64 + off
        self._low = whole[first - self.BAND:first]
        self._high = whole[first + size:first + size + self.BAND]
        self._low[:] = self._high[:] = 0xA5
        self.array: Array = whole[first:first + size].view(dtype).reshape(shape)

    def intact(self) -> bool:
        return bool((self._low == 0xA5).all() and (self._high == 0xA5).all())


# Reports


class Outline(HTMLParser):
    """Headings, links of any kind, and whether every tag is closed."""

    VOID = frozenset({"meta", "img", "br", "rect", "path", "circle", "use", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attributes
                       if name in ("src", "href", "xlink:href", "srcset", "data", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


# Child processes

TESTS = Path(__file__).parent


def child(code: str, timeout: float = 60, environment: Mapping[str, str] | None = None) -> Any:
    """What a new Python that runs `code` prints in its last line, as JSON.

    It can import this file.  It fails the test if it ends badly or not in time; then all that it
    started ends with it.
    """
    free = {k: v for k, v in os.environ.items() if k not in ("SWEEPCONV_ISA", "OMP_NUM_THREADS")}
    path = os.pathsep.join([str(TESTS), str(Path(sc.__file__).parents[1])])
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", code], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=free | {"PYTHONPATH": path} | dict(environment or {}),
        start_new_session=True)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"no end in {timeout} s; {out} {err}") from None
    assert process.returncode == 0, f"ended with {process.returncode}: {err}"
    return json.loads(out.splitlines()[-1])
