"""Weak filters find a pattern by its parts in their places."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters import FIGURES, FIXED, PARTS, Array, image, letters

from sweepconv import weak
from sweepconv.datasets import ANGLE, SEMICIRCLE
from sweepconv.weak import (
    Parts,
    compare_filters,
    cut,
    d_prime,
    detection_map,
    parts_of,
    pooled,
    responses,
    roc,
)
from sweepconv.weak.compare import assemble

DISTRACTORS = list(FIGURES)[1:]


# ---- the letter ----

def test_the_letter_is_the_one_described() -> None:
    assert (SEMICIRCLE.sum(), ANGLE.sum(), FIGURES["2"].sum()) == (26, 33, 59)
    assert np.array_equal(assemble(PARTS), FIGURES["2"])


@pytest.mark.parametrize("corner", [FIXED, (0, 0), (12, 18), (3, 7)])
def test_what_was_found_says_less_than_where(corner: tuple[int, int]) -> None:
    two, swapped = image("2", corner), image("swapped", corner)
    for w in PARTS.filters.values():  # each part is in both
        assert pooled(responses(two, w)) == 1
        assert pooled(responses(swapped, w)) == 1
    found = detection_map(two, *PARTS)
    assert found.shape == (1, 13, 19)
    assert tuple(map(int, np.unravel_index(found.argmax(), found.shape)))[1:] == corner
    assert found.max() == 1
    for name in DISTRACTORS:
        assert pooled(detection_map(image(name, corner), *PARTS)) <= 0.22


def test_the_map_moves_with_the_letter() -> None:
    here, there = (detection_map(image("2", c), *PARTS)[0] for c in ((4, 6), (6, 9)))
    assert np.array_equal(there[2:, 3:], here[:-2, :-3])


def test_one_strong_filter_fails_as_soon_as_the_letter_moves() -> None:
    def compared(anywhere: bool) -> weak.FilterComparison:
        return compare_filters(*letters(240, sigma=0.6, anywhere=anywhere), PARTS, place=FIXED)

    still, moved = compared(False), compared(True)
    assert still.accuracy["strong"] > 0.97
    assert moved.accuracy["strong"] < 0.65
    for way in ("swept", "co-located"):
        assert min(still.accuracy[way], moved.accuracy[way]) > 0.97
        assert min(still.rocs[way].area, moved.rocs[way].area) > 0.99
    for found in (still, moved):  # what was found, without where: one distractor in three is lost
        assert 0.7 < found.accuracy["pooled"] < 0.9


def test_more_and_weaker_filters_are_worse_in_noise() -> None:
    x, y = letters(400, sigma=1.2, anywhere=True, seed=1)
    found = compare_filters(x, y, PARTS, place=FIXED, pieces=[(2, 1), (4, 2), (8, 5)])
    areas = [found.rocs[way].area for way in ("cut into 2", "cut into 8", "cut into 21")]
    assert areas == sorted(areas, reverse=True)
    assert areas[0] > 0.97 > 0.8 > areas[2]
    assert found.sizes["cut into 8"] == (20,) * 8
    assert found.to_dict()["co-located"]["filters"] == [60, 100]
    assert len(found.table().splitlines()) == 3 + 7


# ---- white noise ----

@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_d_prime_is_length_over_sigma(sigma: float) -> None:
    n, w = 4000, FIGURES["2"]
    y = np.arange(n) % 2
    noise = np.random.default_rng(0).standard_normal((n, 1, *w.shape))
    x = y[:, None, None, None] * w + sigma * noise
    scores = responses(x, w)[:, 0, 0]
    expected = np.linalg.norm(w) / sigma
    error = math.sqrt(4 / n * (1 + expected**2 / 8))  # of a d' from n / 2 and n / 2
    assert abs(d_prime(scores, y) - expected) < 4 * error
    area = 0.5 * (1 + math.erf(expected / 2))  # Phi(d' / sqrt 2)
    assert roc(scores, y).area == pytest.approx(area, abs=4 / math.sqrt(12 * n / 2))


# ---- maps ----

@st.composite
def problems(draw: Any) -> tuple[Array, Parts]:
    """Images with 1 to 3 axes and some channels, and up to four parts of whole numbers."""
    rank, channels = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    filters, offsets = {}, {}
    for i in range(draw(st.integers(1, 4))):
        w = rng.integers(-3, 4, (channels, *rng.integers(1, 4, rank))).astype(float)
        w.flat[0] = 1  # not all 0
        filters[f"part {i}"], offsets[f"part {i}"] = w, tuple(rng.integers(0, 3, rank).tolist())
    x = rng.integers(-4, 5, (2, channels, *rng.integers(5, 9, rank))).astype(float)
    return x, Parts(filters, offsets)


@given(problems())
def test_maps_by_their_definition(problem: tuple[Array, Parts]) -> None:
    x, parts = problem
    ends = [np.add(parts.offsets[name], w.shape[1:]) for name, w in parts.filters.items()]
    places = tuple(np.subtract(x.shape[2:], np.max(ends, axis=0)) + 1)
    parts_there = np.empty((len(parts.filters), len(x), *places))
    for i, (name, w) in enumerate(parts.filters.items()):
        for p in np.ndindex(places):
            corner = np.add(p, parts.offsets[name])
            window = x[(slice(None), slice(None), *map(slice, corner, corner + w.shape[1:]))]
            found = (window * w).reshape(len(x), -1).sum(1) / np.square(w).sum()
            parts_there[(i, slice(None), *p)] = found
    energy = np.array([np.square(w).sum() for w in parts.filters.values()])
    for combine, expected in (
            ("min", parts_there.min(0)), ("product", np.maximum(parts_there, 0).prod(0)),
            ("sum", np.tensordot(energy / energy.sum(), parts_there, 1))):
        found = detection_map(x, *parts, combine)  # type: ignore[arg-type]
        assert found.shape == (len(x), *places)
        assert np.allclose(found, expected, rtol=1e-12, atol=1e-12)


@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 5))
def test_the_sum_of_the_pieces_is_the_whole_filter(seed: int, rows: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    pattern = rng.integers(-1, 2, (6, 5)).astype(float)
    pattern[0, 0] = pattern[-1, -1] = 1
    pieces = cut(pattern, (rows, columns))
    assert np.array_equal(assemble(pieces), pattern)
    assert all(w.any() for w in pieces.filters.values())
    x = rng.standard_normal((2, 1, 9, 8))
    assert np.allclose(detection_map(x, *pieces, "sum"), responses(x, pattern))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_perfect_match_is_1_whatever_the_dtype(dtype: Any) -> None:
    x = image("2").astype(dtype)
    for combine in ("min", "sum", "product"):
        found = detection_map(x, *PARTS, combine)
        assert found.dtype == dtype
        assert found.max() == pytest.approx(1, rel=4 * float(np.finfo(dtype).eps))


def test_named_masks() -> None:
    parts = parts_of({"semicircle": (0, 0, SEMICIRCLE > 0), "angle": (6, 0, ANGLE > 0)})
    assert parts.offsets == PARTS.offsets
    assert all(np.array_equal(parts.filters[name], w) for name, w in PARTS.filters.items())


@pytest.mark.parametrize("filters, offsets, said", [
    ({}, {}, "same parts as filters, at least one"),
    ({"a": [1.0]}, {"b": (0,)}, r"same parts.*\['a'\] and \['b'\]"),
    ({"a": [1.0]}, {"a": (0, 0)}, r"offsets\['a'\] must be 1 numbers from 0, got \(0, 0\)"),
    ({"a": [1.0]}, {"a": (-1,)}, r"offsets\['a'\] must be 1 numbers from 0"),
    ({"a": [0.0]}, {"a": (0,)}, r"filters\['a'\] must not be all 0"),
    ({"a": [[1.0], [2.0]]}, {"a": (0,)}, r"\(\*kernel\) or \(C, \*kernel\).*got shape \(2, 1\)"),
    ({"a": [1.0, 1.0]}, {"a": (3,)}, r"pattern of size \(5,\) does not fit into x.shape ="),
])
def test_maps_name_what_is_wrong(filters: Any, offsets: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"detection_map: .*{said}"):
        detection_map(np.ones((1, 1, 4)), filters, offsets)


def test_other_errors_name_the_argument() -> None:
    with pytest.raises(ValueError, match="combine must be 'min', 'sum' or 'product', got 'max'"):
        detection_map(image("2"), *PARTS, "max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"place, got \(20, 9\)"):
        compare_filters(image("2"), [1], PARTS, place=(20, 9))
    with pytest.raises(ValueError, match=r"x must be \(N, 1, \*spatial\), got x.shape = \(1, 2"):
        compare_filters(np.ones((1, 2, 28, 28)), [1], PARTS, place=FIXED)
    with pytest.raises(ValueError, match="pieces must be from 1 to the size"):
        cut(np.ones((2, 3)), 3)


# ---- scores ----

@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2).filter(
    lambda pairs: len({label for _, label in pairs}) == 2))
def test_the_area_is_the_chance_that_label_1_scores_higher(pairs: list[tuple[int, bool]]) -> None:
    scores, labels = (np.array(column, int) for column in zip(*pairs, strict=True))
    a, b = scores[labels == 1][:, None], scores[labels == 0]
    found = roc(scores, labels)
    assert found.area == pytest.approx(np.mean((a > b) + 0.5 * (a == b)))
    assert (found.false[0], found.true[0], found.false[-1], found.true[-1]) == (0, 0, 1, 1)
    assert (np.diff(found.false) >= 0).all()
    assert (np.diff(found.true) >= 0).all()
    for threshold, false, true in zip(found.thresholds, found.false, found.true, strict=True):
        assert false == pytest.approx(np.mean(b >= threshold))
        assert true == pytest.approx(np.mean(a >= threshold))
    threshold, accuracy = found.best
    said = scores >= threshold
    assert accuracy == pytest.approx((said[labels == 1].mean() + 1 - said[labels == 0].mean()) / 2)


@pytest.mark.parametrize("score", [roc, d_prime])
@pytest.mark.parametrize("scores, labels, said", [
    ([1.0, 2.0], [0], r"scores.shape = \(2,\), labels.shape = \(1,\)"),
    ([1.0, 2.0], [1, 1], r"must be 0 and 1, both of them, got \[1\]"),
    ([1.0, 2.0], [0, 2], "must be 0 and 1"),
    ([1.0, math.nan], [0, 1], "scores must not be NaN"),
])
def test_scores_name_what_is_wrong(score: Any, scores: Any, labels: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"{score.__name__}: .*{said}"):
        score(scores, labels)


def test_d_prime_without_spread() -> None:
    assert d_prime([0, 0, 1, 1], [0, 0, 1, 1]) == math.inf
    assert d_prime([1, 1, 1, 1], [0, 0, 1, 1]) == 0


# ---- pictures ----

def test_the_picture_has_a_row_an_image_and_a_column_a_map(tmp_path: Any) -> None:
    pytest.importorskip("matplotlib")
    x = np.concatenate([image("2"), image("swapped")])
    figure = weak.show_maps(x, PARTS, names=["2", "swapped"])
    assert len(figure.axes) == 2 * 4
    assert [axes.get_title() for axes in figure.axes[1:4]] == ["semicircle", "angle",
                                                               "together (min)"]
    assert [axes.get_xlabel() for axes in figure.axes[3::4]] == ["greatest 1.00", "greatest 0.21"]
    figure.savefig(tmp_path / "maps.png")
    for wrong in ({"names": ["2"]}, {"x": x[:0]}):
        with pytest.raises(ValueError, match="show_maps: "):
            weak.show_maps(**{"x": x, "parts": PARTS} | wrong)  # type: ignore[arg-type]
