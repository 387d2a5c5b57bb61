"""The page's own arithmetic against the library's, and its promises against its results."""

from typing import Any

import numpy as np
import pytest

import sweepconv as sc

SIDES, KERNELS, STRIDES = (7, 9, 16, 28), (1, 3, 5, 7), (1, 2, 3, 4)
CONV = """cases => cases.map(({x, side, w, k, options}) =>
    Array.from(conv(grid(side, x), grid(k, w), options).values))"""


def cases(fill: str, count: int) -> list[tuple[Any, Any, dict[str, Any]]]:
    """Image (H, W), taps (k, k) and the library's keywords."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(count):
        side, k, stride = (int(rng.choice(a)) for a in (SIDES, KERNELS, STRIDES))
        shapes = (side, side), (k, k)
        x, w = (rng.integers(-9, 10, shape).astype(float) if fill == "whole"
                else rng.standard_normal(shape) for shape in shapes)
        padding = int(rng.integers(0, (k + 1) // 2 + 1))
        mode = str(rng.choice(["zeros", "circular"]))
        drawn.append((x, w, {"stride": stride, "padding": padding, "padding_mode": mode}))
    return drawn


def in_browser(page: Any, drawn: list[tuple[Any, Any, dict[str, Any]]]) -> list[Any]:
    sent = [{"x": x.ravel().tolist(), "side": len(x), "w": w.ravel().tolist(), "k": len(w),
             "options": {"stride": o["stride"], "padding": o["padding"],
                         "circular": o["padding_mode"] == "circular"}} for x, w, o in drawn]
    return [np.array(y) for y in page.evaluate(CONV, sent)]


def library(x: Any, w: Any, options: dict[str, Any]) -> Any:
    return sc.conv(x[None, None], w[None, None], **options).ravel()


def test_whole_numbers_give_the_same_sums(page: Any) -> None:
    drawn = cases("whole", 150)
    for (x, w, options), y in zip(drawn, in_browser(page, drawn), strict=True):
        assert np.array_equal(y, library(x, w, options)), (x.shape, w.shape, options)


def test_other_numbers_agree_to_rounding(page: Any) -> None:
    drawn = cases("real", 100)
    eps = np.finfo(float).eps
    for (x, w, options), y in zip(drawn, in_browser(page, drawn), strict=True):
        size = library(np.abs(x), np.abs(w), options)
        assert (np.abs(y - library(x, w, options)) <= w.size * eps * size).all(), options


@pytest.mark.parametrize("side", [10, 13])
def test_pooling_shift_and_strong_filter(page: Any, side: int) -> None:
    x = np.random.default_rng(side).integers(-9, 10, (side, side)).astype(float)
    pooled, rolled, strong, response = page.evaluate(
        """([x, side]) => { const g = grid(side, x), w = strongFilter(g);
        return [maxPool(g, 2), roll(g, 3, -2), w].map(y => Array.from(y.values))
            .concat(dense(g, w)); }""", [x.ravel().tolist(), side])
    assert np.array_equal(pooled, sc.max_pool(x[None, None], 2).ravel())
    assert np.array_equal(rolled, np.roll(x, (3, -2), (0, 1)).ravel())
    expected = x * x.size - x.sum()
    assert np.array_equal(strong, expected.ravel())
    assert response == sc.dense(x[None, None], expected[None, None])[0, 0]


# Random images, taps with fractions, layers and shifts. Where the page promises equality, all cells
# must be equal; with zero padding on the lattice, all whose windows lie inside before and after.
PROMISES = """([images, layers]) => layers.map(({taps, stride, padding, pooling, dy, dx}, i) => {
    const layer = { taps: grid(Math.sqrt(taps.length), taps), stride, padding, pooling };
    const x = grid(28, images[i]);
    const step = stride * (pooling ? 2 : 1);
    const [before, after] = [x, roll(x, dy, dx)].map(g => respond(g, layer).output);
    const expected = moveMap(before, Math.round(dy / step), Math.round(dx / step),
                             padding === "circular");
    const { marks, unequal, compared } = difference(expected, after);
    return { holds: promise(layer, 28, dy, dx).holds, unequal, compared, marks };
})"""


def layers(count: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(count):
        stride, pooling = int(rng.integers(1, 5)), bool(rng.integers(2))
        step = stride * (2 if pooling else 1)
        shift = rng.integers(-6, 7, 2) if rng.integers(3) == 0 else step * rng.integers(-1, 2, 2)
        k = int(rng.choice([3, 5, 7]))
        drawn.append({"taps": rng.standard_normal(k * k).tolist(), "stride": stride,
                      "padding": str(rng.choice(["none", "zeros", "circular"])),
                      "pooling": pooling, "dy": int(shift[0]), "dx": int(shift[1])})
    return drawn


def inside(layer: dict[str, Any], side: int) -> Any:
    """Which outputs see only pixels that lie in the image, now and where they came from."""
    k = round(len(layer["taps"]) ** 0.5)
    reach = 2 if layer["pooling"] else 1
    step = layer["stride"] * reach
    first = np.arange(side) * step - (k - 1) // 2
    last = first + (reach - 1) * layer["stride"] + k - 1
    along = []
    for shift in (layer["dy"], layer["dx"]):
        ok = (first >= 0) & (last < 28) & (first - shift >= 0) & (last - shift < 28)
        along.append(ok)
    return np.logical_and.outer(*along)


def test_what_is_promised_is_kept(page: Any) -> None:
    drawn = layers(120)
    images = np.random.default_rng(2).integers(0, 10, (len(drawn), 784)).tolist()
    found = page.evaluate(PROMISES, [images, drawn])
    kept = broken = 0
    for layer, result in zip(drawn, found, strict=True):
        step = layer["stride"] * (2 if layer["pooling"] else 1)
        on_lattice = layer["dy"] % step == 0 and layer["dx"] % step == 0
        marks = np.array(result["marks"]).reshape((round(len(result["marks"]) ** 0.5),) * 2)
        if result["holds"]:
            kept += 1
            assert result["unequal"] == 0, layer
            assert result["compared"] > 0
        else:  # random ink: nothing is equal by chance
            broken += 1
            assert result["unequal"] > 0, layer
        if layer["padding"] == "zeros" and on_lattice:
            assert not (marks[inside(layer, len(marks))] == 1).any(), layer
    assert min(kept, broken) > 20
