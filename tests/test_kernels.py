"""Each tile of each instruction set by itself, on every remainder, between guard bands.

`call_outer` and `call_move` run one tile of the active table on memory of ours; the contract is in
ext/kernels/kernels.h.  All values are small integers, so that results are compared with `==`.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from support import DTYPES, ISAS, Array, Guarded

import sweepconv as sc
from sweepconv import _kernels

OUTER, LANES, SPREAD, EACH = range(4)  # kinds of tiles, as in kernels.h
BLOCK = 8  # elements on a side of the largest block that a move turns in registers


@pytest.fixture(params=ISAS)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    before = sc.show_config()["isa"]
    sc.use_isa(request.param)
    yield request.param
    sc.use_isa(before)


def integers(rng: np.random.Generator, shape: Any, dtype: Any, off: int = 0) -> Guarded:
    memory = Guarded(shape, dtype, off)
    memory.array[...] = rng.integers(-4, 5, shape)
    return memory


def outer(xa: Array, xb: Array, half: int, rs: int, ks: int, off: tuple[int, ...], length: int,
          w: Array) -> Array:
    """Sum over lines l and steps k of x_i[off[l] + k*ks] * w[l*length + k], for all rows i."""
    at = np.add.outer(np.array(off, np.intp), np.arange(length) * ks).ravel()
    rows = [x[at + i * rs] for x in (xa, xb) for i in range(half)]
    return np.array(rows).reshape(2 * half, at.size) @ w


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vectors", [1, 2])
@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("pixels", [False, True])
def test_outer(isa: str, dtype: Any, vectors: int, start: bool, pixels: bool) -> None:
    """Rows are pixels and steps are channels, or the other way round; all numbers of steps up to
    two tiles, in lines of all lengths.  Half of a tile that is one vector wide stays as it was."""
    item = np.dtype(dtype).itemsize
    half, nb = _kernels.tile_shape(item)
    rng = np.random.default_rng(vectors)
    width = nb * vectors // 2
    for lines in range(4):
        for length in range(2 * 2 * half + 1):
            rs, ks = (3 * length + 1, 1) if pixels else (1, 2 * half + 1)
            off = tuple(int(o) for o in rng.integers(0, 9, lines))
            reach = 9 + half * rs + length * ks
            xa, xb = (integers(rng, (reach,), dtype, n * item) for n in (1, 3))
            w, acc = (integers(rng, (n, nb), dtype) for n in (lines * length, 2 * half))
            init = integers(rng, (nb,), dtype) if start else None
            before = [m.array.copy() for m in (xa, xb, w, acc)]
            _kernels.call_outer(
                vectors, item, acc.array.data, None if init is None else init.array.data,
                xa.array.data, xb.array.data, rs, ks, off, length, w.array.data)
            want = before[3].copy()
            want[:, :width] = outer(xa.array, xb.array, half, rs, ks, off, length,
                                    w.array)[:, :width]
            want[:, :width] += (before[3] if init is None else init.array)[..., :width]
            where = f"{lines} lines of {length}"
            assert np.array_equal(acc.array, want), where
            for memory, old in zip((xa, xb, w), before[:3], strict=True):
                assert np.array_equal(memory.array, old), where
            assert all(m.intact() for m in (xa, xb, w, acc)), where


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", [OUTER, LANES, SPREAD, EACH])
@pytest.mark.parametrize("sliding", [False, True])
def test_all_heights(isa: str, dtype: Any, kind: int, sliding: bool) -> None:
    """Tiles of one vector are taller; every kind, in lines of 0 to 9 steps; steps or lines as far
    apart as rows, where these slide over x, or a half a line below the other."""
    item = np.dtype(dtype).itemsize
    half_of_two, nb = _kernels.tile_shape(item)
    lanes = nb // 2
    rng = np.random.default_rng(kind)
    for vectors, most in ((1, _kernels.tall_half(item)), (2, half_of_two)):
        for half in range(1, most + 1):
            for length in range(10):
                rs, ks, ws = 2 * nb, 2 * nb if sliding and kind == EACH else 3, nb
                apart, sinking = rs, sliding and kind == LANES
                if sinking:
                    rs, ks, apart = 1, lanes, 11 * nb
                column = tuple((i * apart, i) for i in range(11))
                rest = ((10 * apart + 5, 3), (11 * apart + 5, 1))
                lines = column + rest if sliding else ((0, 0), (5, 3))
                if kind == EACH and length < 6:  # short sums
                    lines = lines[-2:]
                reach = lines[-1][0] + half * rs + length * ks + nb
                xa, xb = (integers(rng, (reach + apart,), dtype) for _ in range(2))
                below = xa.array[apart:] if sinking else xb.array
                w = integers(rng, (11 + (length + 1) * ws,), dtype)
                acc = integers(rng, (2 * half, nb), dtype)
                want = acc.array.copy()
                _kernels.call_tile(kind, half, vectors, item, acc.array.data, None, xa.array.data,
                                   below.data, rs, ks, lines, length, w.array.data, ws)
                for i in range(2 * half):
                    x = (xa.array if i < half else below)[i % half * rs:]
                    for (at, wat), k, v in product(lines, range(length), range(vectors)):
                        a, b = at + k * ks, wat + k * ws
                        one = (slice(a, a + lanes) if kind == LANES else a if kind == OUTER else
                               slice(a + v * lanes, a + (v + 1) * lanes))
                        two = b if kind == SPREAD else slice(b + v * lanes, b + (v + 1) * lanes)
                        want[i, v * lanes:(v + 1) * lanes] += x[one] * w.array[two]
                where = f"{vectors} vectors, half {half}, {length} steps"
                assert np.array_equal(acc.array, want), where
                assert all(m.intact() for m in (xa, xb, w, acc)), where


@pytest.mark.parametrize("dtype", DTYPES)
def test_outer_starts_from_zero_and_adds_the_start_last(isa: str, dtype: Any) -> None:
    """Next to a large start the single terms would be lost, and their sum is not."""
    item = np.dtype(dtype).itemsize
    half, nb = _kernels.tile_shape(item)
    big = 2.0 / np.finfo(dtype).eps
    x, w, acc = (Guarded(n, dtype) for n in ((3,), (3, nb), (2 * half, nb)))
    x.array[:] = 1, 1, 1
    w.array[:] = np.array([1, 1, -2], dtype)[:, None]
    acc.array[:] = big
    _kernels.call_outer(2, item, acc.array.data, None, x.array.data, x.array.data, 0, 1, (0,), 3,
                        w.array.data)
    assert (acc.array == big).all()
    w.array[:] = np.array([1, 1, 1], dtype)[:, None]  # big + 1 rounds to big, big + 3 does not
    _kernels.call_outer(2, item, acc.array.data, None, x.array.data, x.array.data, 0, 1, (0,), 3,
                        w.array.data)
    assert (acc.array == dtype(big + 3)).all()
    assert (acc.array > big).all()


def strides(order: str, rows: int, cols: int, item: int) -> tuple[int, int]:
    """Bytes from row to row and from column to column."""
    return {
        "rows": (cols * item, item),
        "rows_apart": (cols * item + 2 * item, item),
        "rows_odd": (cols * item + 3, item),
        "columns": (item, rows * item),
        "columns_odd": (item, rows * item + 5),
        "upwards": (-cols * item, item),
        "backwards": (cols * item, -item),
        "every_other": (2 * cols * item, 2 * item),
        "odd": (cols * (item + 1) + 2, item + 1),
        "one_row": (0, item),
        "one_column": (item, 0),
        "one_element": (0, 0),
    }[order]


TARGETS = ["rows", "rows_apart", "rows_odd", "columns", "columns_odd", "upwards", "backwards",
           "every_other", "odd"]
SOURCES = [*TARGETS, "one_row", "one_column", "one_element"]
ROOM = (2 * BLOCK + 2) ** 2 * 2 * 9 + 128  # bytes: more than any of these needs


def placed(memory: Array, order: str, rows: int, cols: int, item: int, at: int
           ) -> tuple[Array, tuple[int, int, int]]:
    """The matrix as a view of `memory`; its first byte and its strides.  Its elements are unsigned
    integers, which NumPy copies bit by bit."""
    step = strides(order, rows, cols, item)
    first = at + sum(-s * (n - 1) for s, n in zip(step, (rows, cols), strict=True) if s < 0)
    return np.ndarray((rows, cols), f"u{item}", memory.data, first, step), (first, *step)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", TARGETS)
def test_move(isa: str, dtype: Any, order: str) -> None:
    """Every size up to two blocks and one, from every source order, at odd addresses: what moves
    has the bits of the source, and no other byte of the target changes."""
    item = np.dtype(dtype).itemsize
    rng = np.random.default_rng(0)
    source = rng.integers(0, 256, ROOM, np.uint8)
    blank = rng.integers(0, 256, ROOM, np.uint8)
    for origin in SOURCES:
        for rows in range(1, 2 * BLOCK + 2):
            for cols in range(1, 2 * BLOCK + 2):
                a, b = 64 + rows % 2, 64 + cols % 3
                target, want = blank.copy(), blank.copy()
                into, to = placed(want, order, rows, cols, item, a)
                elements, start = placed(source, origin, rows, cols, item, b)
                into[...] = elements
                _kernels.call_move(item, target.data, *to, source.data, *start, rows, cols)
                assert np.array_equal(target, want), f"{rows} x {cols} from {origin}"


@pytest.mark.parametrize("dtype", DTYPES)
def test_weave(isa: str, dtype: Any) -> None:
    """Into every second place of a row, at odd addresses: all else stays, also behind the last."""
    item = np.dtype(dtype).itemsize
    rng = np.random.default_rng(0)
    source, blank = (rng.integers(0, 256, ROOM, np.uint8) for _ in range(2))
    for rows in range(4):
        for cols in range(4 * BLOCK + 3):
            to = (65, (2 * cols + 1) * item, 2 * item)
            start = (66, cols * item + 3, item)
            target, want = blank.copy(), blank.copy()
            into, elements = (np.ndarray((rows, cols), f"u{item}", memory.data, first, step)
                              for memory, (first, *step) in ((want, to), (source, start)))
            into[...] = elements
            _kernels.call_move(item, target.data, *to, source.data, *start, rows, cols, weave=True)
            assert np.array_equal(target, want), f"{rows} x {cols}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 0), (0, 1), (0, 20), (20, 0)])
def test_move_of_nothing(isa: str, dtype: Any, shape: tuple[int, int]) -> None:
    rows, cols = shape
    item = np.dtype(dtype).itemsize
    target, source = np.zeros(ROOM, np.uint8), np.ones(ROOM, np.uint8)
    for order in TARGETS:
        for origin in TARGETS:
            _kernels.call_move(item, target.data, 64, *strides(order, rows, cols, item),
                               source.data, 64, *strides(origin, rows, cols, item), rows, cols)
    assert not target.any()
