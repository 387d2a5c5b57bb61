"""Laws of risk met by experiment; learning curves that are the same wherever they run."""

import json
import math
import multiprocessing
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learning_tasks import draw, ends_its_process, quick, stumbles

import sweepconv as sc
from sweepconv import efficiency
from sweepconv.efficiency import (
    Job,
    JobError,
    LearningCurve,
    Recipe,
    SmallNetwork,
    images_needed,
    learning_curve,
    measured_ols_risk,
    ols_risk,
    samples_to_reach,
)
from sweepconv.efficiency.risk import CIRCULAR, _fit_bank, _pattern, _task
from sweepconv.layers import Layer
from sweepconv.sharing import Pattern

Array = np.ndarray[Any, np.dtype[Any]]
SECTION_4: dict[str, Any] = {"d": 32, "k": 5, "n": 200}


# ---- risk ----

@pytest.mark.parametrize("family, fit, predicted", [
    ("dense", "within", 6.132), ("local", "within", 0.825), ("tiled", "within", 0.1),
    ("conv", "within", 0.025), ("circulant", "projected", 0.1916), ("conv", "projected", 0.0299),
    ("local", "projected", 160 / 167)])
def test_measured_risk_meets_the_law(family: str, fit: Any, predicted: float) -> None:
    period = 4 if family == "tiled" else None
    law = ols_risk(family, **SECTION_4, period=period, fit=fit)
    assert law == pytest.approx(predicted, rel=3e-3)
    found = measured_ols_risk(family, **SECTION_4, period=period, fit=fit, seed=1)
    assert found.z(law) < 4


@pytest.mark.parametrize("family", ["conv", "tiled"])
def test_sharing_within_the_fit_needs_fewer_samples_than_inputs(family: str) -> None:
    sizes: dict[str, Any] = {"d": 32, "k": 5, "n": 20, "period": 2 if family == "tiled" else None}
    assert measured_ols_risk(family, **sizes).z(ols_risk(family, **sizes)) < 4
    with pytest.raises(ValueError, match=r"n=20 is too small.* 32 weights"):
        measured_ols_risk("dense", d=32, k=5, n=20)
    with pytest.raises(ValueError, match="too small"):
        measured_ols_risk(family, **sizes, fit="projected")
    assert ols_risk("dense", d=32, k=5, n=33) == math.inf


def test_projecting_afterwards_is_worse_than_sharing_within() -> None:
    for family in ("conv", "local"):
        assert ols_risk(family, **SECTION_4, fit="projected") > ols_risk(family, **SECTION_4)


def test_a_risk_says_what_it_is() -> None:
    assert ols_risk("dense", **SECTION_4).exact
    assert ols_risk("local", **SECTION_4).exact
    assert not ols_risk("conv", **SECTION_4).exact
    again = pickle.loads(pickle.dumps(ols_risk("conv", **SECTION_4)))
    assert (again, again.exact, again.parameters) == (0.025, False, 5)


@given(st.integers(2, 12), st.data())
def test_without_noise_every_family_finds_the_teacher(d: int, data: Any) -> None:
    k = data.draw(st.integers(1, d))
    family = data.draw(st.sampled_from(["dense", "local", "tiled", "conv", "circulant"]))
    period = data.draw(st.integers(1, d)) if family == "tiled" else None
    n = d + data.draw(st.integers(0, 5))
    fit = data.draw(st.sampled_from(["within", "projected"]))
    found = measured_ols_risk(family, d=d, k=k, n=n, sigma=0, period=period, fit=fit, runs=2)
    # lstsq amplifies rounding by the condition of x, which for n = d may be some thousands.
    assert found.mean < 1e-12
    parameters = _pattern(_task("", family, d, k, n, period)).n_used
    assert ols_risk(family, d=d, k=k, n=n, period=period).parameters == parameters


@given(st.integers(3, 10), st.integers(1, 4), st.data())
def test_the_shared_gradient_vanishes_at_the_shared_fit(d: int, period: int, data: Any) -> None:
    """The fit in NumPy's least squares, and the gradient of its squared error by the engine."""
    k, period = data.draw(st.integers(1, d)), min(period, d)
    rng = np.random.default_rng(d * 100 + period)
    x, y = rng.standard_normal((2, 3 * d, 1, d))
    bank = _fit_bank(x[:, 0], y[:, 0], _task("", "tiled", d, k, 3 * d, period))
    w = bank.reshape(period, 1, 1, k)
    error: Array = sc.tiled_conv(x, w, **CIRCULAR) - y
    gradient = sc.tiled_conv_weight_grad(x, error, w.shape, **CIRCULAR)
    scale = sc.tiled_conv_weight_grad(abs(x), abs(y), w.shape, **CIRCULAR)
    assert (abs(gradient) <= 1e-12 * scale).all()


@pytest.mark.parametrize("arguments, said", [
    ({"family": "convolution"}, "family must be one of dense, local"),
    ({"family": "conv", "k": 9}, "k must be at most d"),
    ({"family": "conv", "period": 2}, "period must be given for tiled and for no other"),
    ({"family": "tiled"}, "period must be given for tiled"),
    ({"family": "tiled", "period": 9}, "period must be from 1 to d=8, got 9"),
    ({"family": "conv", "n": 0}, "n must be"),
    ({"family": "conv", "fit": "after"}, "fit must be 'within' or 'projected', got 'after'"),
])
def test_risk_names_what_is_wrong(arguments: dict[str, Any], said: str) -> None:
    for risk in (ols_risk, measured_ols_risk):
        with pytest.raises(ValueError, match=f"{risk.__name__}: {said}"):
            risk(**{"d": 8, "k": 3, "n": 20} | arguments)


# ---- one linear step ----

@pytest.mark.parametrize("family, predicted", [("conv", 0.926), ("local", 0.603)])
def test_one_step_meets_the_law(family: str, predicted: float) -> None:
    sizes: dict[str, Any] = {"k": 8, "d": 16, "n": 400, "sigma": 0.5}
    law = efficiency.dsd_alignment(family, **sizes)
    assert law == pytest.approx(predicted, abs=5e-4)
    found = efficiency.measured_dsd_alignment(family, **sizes)
    assert abs(found.mean - law) < 0.01 + 4 * found.error  # a mean of ratios: to first order


@pytest.mark.parametrize("family, power", [("conv", 1), ("local", 2)])
def test_samples_of_one_step_grow_with_patches(family: str, power: int) -> None:
    """n for cos^2 = 1/2 is k d s for conv, and about k^2 d s for local."""
    for k in (4, 8, 16):
        n = round(k**power * 16 * 0.5**2)
        found = efficiency.measured_dsd_alignment(family, k=k, d=16, n=n, sigma=0.5)
        assert found.mean == pytest.approx(0.5, abs=0.06)


# ---- learning curves ----

SIZES = [20, 40]


@pytest.fixture(scope="module")
def serial() -> LearningCurve:
    return curve()


def curve(executor: Executor | None = None, **changed: Any) -> LearningCurve:
    given: dict[str, Any] = {"families": ["dense", "local", "tiled", "conv"], "data": draw,
                             "sizes": SIZES, "seeds": 2, "train": quick, "n_test": 200}
    return learning_curve(**given | changed, executor=executor)


def test_the_same_bits_in_threads_and_in_processes(serial: LearningCurve) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert curve(pool) == serial
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawned) as processes:
        assert curve(processes) == serial
    assert curve(n_threads=2) == serial


def test_a_run_does_not_know_of_the_others(serial: LearningCurve) -> None:
    part = curve(families=["conv", "dense"], sizes=[40], seeds=[1])
    for family in part.families:
        assert part[family][0, 0] == serial[family][1, 1]


def test_results_stand_in_the_order_of_keys_not_of_completion() -> None:
    ended: list[tuple[int, int, Job]] = []
    large_ended = threading.Event()

    def train(net: Layer, x: Array, y: Array, rng: np.random.Generator) -> None:
        quick(net, x, y, rng)
        assert len(x) == 40 or large_ended.wait(60)

    def progress(done: int, total: int, job: Job) -> None:
        ended.append((done, total, job))
        large_ended.set()

    with ThreadPoolExecutor(4) as pool:
        found = curve(pool, families=["dense", "conv"], seeds=1, train=train, progress=progress)
    assert found == curve(families=["dense", "conv"], seeds=1, train=train)
    assert [(done, total) for done, total, _ in ended] == [(i, 4) for i in range(1, 5)]
    assert ended[0][2].size == 40  # the first to begin was not the first to end
    assert {job for _, _, job in ended} == {Job(f, n, 0) for f in ("dense", "conv") for n in SIZES}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_that_fails_is_named(workers: int) -> None:
    pool = ThreadPoolExecutor(workers) if workers else None
    with pytest.raises(JobError, match=r"family='\w+', size=40, seed=\d failed: ValueError: so it "
                                       "goes") as caught:
        curve(pool, train=stumbles)
    assert caught.value.job.size == 40
    assert isinstance(caught.value.__cause__, ValueError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.job) == (str(caught.value), caught.value.job)
    if pool:
        assert pool.submit(int, "3").result() == 3  # not ours to close
        pool.shutdown()


def test_a_process_that_dies_is_an_error_not_a_hang() -> None:
    spawned = multiprocessing.get_context("spawn")
    with (ProcessPoolExecutor(1, mp_context=spawned) as processes,
          pytest.raises(JobError, match="BrokenProcessPool")):
        curve(processes, families=["conv"], train=ends_its_process)


def test_data_come_in_the_number_asked_for() -> None:
    with pytest.raises(ValueError, match=r"asked for n = 200 samples.*x.shape = \(7, 1, 12\)"):
        curve(data=lambda n, rng: draw(7, rng))


def test_what_has_not_begun_is_given_up() -> None:
    begun, hold = [], threading.Event()

    def train(*run: Any) -> None:
        begun.append(run)
        if len(begun) > 1:
            hold.wait(5)
        raise ValueError("at once")

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(JobError):
            curve(pool, train=train, seeds=10)
        hold.set()
    assert len(begun) <= 4  # of 80: those that ran, and what each worker had taken


def remember(seen: list[Any]) -> Callable[..., None]:
    def train(net: Any, x: Array, y: Array, rng: np.random.Generator) -> None:
        seen.append(x[:, 0, 0].astype(int))
    return train


def test_arrays_are_split_nested_and_never_shared_with_the_test() -> None:
    x = np.broadcast_to(np.arange(60.0)[:, None, None], (60, 1, 8))  # a number for each sample
    y = np.arange(60) % 3
    seen: list[Array] = []
    learning_curve(["conv"], (x, y), [9, 24, 48], 2, train=remember(seen))
    for small, middle, all_ in (seen[::2], seen[1::2]):  # one seed each, the jobs being by size
        assert set(small) < set(middle) < set(all_)
        assert len(set(all_)) == 48
        assert sorted(np.bincount(small % 3)) == [3, 3, 3]  # classes as in the whole
    assert set(seen[4]) != set(seen[5])  # another part is held back for another seed
    with pytest.raises(ValueError, match="sizes must be at most the 48 samples"):
        learning_curve(["conv"], (x, y), [49])


def test_four_arrays_and_networks_of_ones_own() -> None:
    rng = np.random.default_rng(0)
    x, y = draw(40, rng)
    test = draw(100, rng)
    found = learning_curve({"ours": SmallNetwork("conv", (1, 12), 2)}, (x, y, *test), [10, 40], 1,
                           train=Recipe(5, 10))
    assert found.families == ("ours",)
    assert found.settings["networks"]["ours"]["family"] == "conv"
    assert found.settings["train"] == {"name": "Recipe", "steps": 5, "batch": 10,
                                       "learning_rate": 1e-2}
    assert found.settings["tested"] == 100


@pytest.mark.parametrize("arguments, said", [
    ({"data": None}, r"data must be \(x, y\).*got NoneType"),
    ({"data": (np.zeros((3, 1, 8)), np.zeros(3))}, "one integer label.*y.dtype = float64"),
    ({"data": (np.zeros((3, 1, 8)), np.zeros(4, int))}, r"x.shape = \(3, 1, 8\), y.shape = \(4,\)"),
    ({"data": (np.zeros((3, 1, 8)), np.array([0, 1, -1]))}, "labels must be 0 or more, got -1"),
    ({"sizes": [40, 20]}, "sizes must be at least 1 and ascend"),
    ({"sizes": []}, "sizes must be"),
    ({"seeds": 0}, "seeds must name at least one"),
    ({"families": []}, "families must name at least one"),
    ({"families": ["strong"]}, "family must be one of dense, local, tiled, conv, got 'strong'"),
    ({"n_test": 0}, "n_test must be at least 1, got 0"),
])
def test_a_curve_names_what_is_wrong(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises((ValueError, TypeError), match=said):
        curve(**arguments)


@pytest.mark.parametrize("in_shape", [(1, 8, 8), (2, 12), (1, 4, 5, 6), (3, 40, 9)])
def test_the_small_networks_differ_in_their_first_layer_alone(in_shape: tuple[int, ...]) -> None:
    nets = {f: SmallNetwork(f, in_shape, 3)(np.random.default_rng(0))
            for f in ("dense", "local", "tiled", "conv")}
    params = [net.n_params for net in nets.values()]
    assert params == sorted(params, reverse=True)
    x = np.ones((2, *in_shape), np.float32)
    for net in nets.values():
        assert net(x).shape == (2, 3)
        assert net.backward(np.ones((2, 3), np.float32)).shape == x.shape
    with pytest.raises(ValueError, match="spatial axes of 4 or more"):
        SmallNetwork("conv", (1, 3), 2)


# ---- the result ----

def test_a_curve_is_kept_to_the_last_bit(serial: LearningCurve, tmp_path: Path) -> None:
    path = tmp_path / "curve.json"
    serial.save(path)
    assert LearningCurve.load(path) == serial
    assert [p.name for p in tmp_path.iterdir()] == ["curve.json"]
    one_bit = serial.accuracy.copy()
    one_bit[0, 0, 0] = np.nextafter(one_bit[0, 0, 0], 2)
    assert LearningCurve(serial.families, serial.sizes, serial.seeds, one_bit,
                         serial.settings) != serial
    assert serial != 3


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1}', "null"])
def test_a_file_that_holds_no_curve_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"other\.json holds no curve"):
        LearningCurve.load(path)


def test_a_save_that_fails_leaves_what_was_there(serial: LearningCurve, tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "curve.json"
    path.write_text("before", encoding="utf-8")

    def fails(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="disk full"):
        serial.save(path)
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_tables(serial: LearningCurve) -> None:
    lines = serial.table().splitlines()
    assert lines[0] == "test accuracy, mean and standard deviation over 2 seeds"
    assert [line.split()[0] for line in lines[3:]] == list(serial.families)
    assert f"{serial.mean[3, 1]:.3f} +- " in lines[-1]
    assert json.loads(serial.json()) == serial.to_dict()
    assert np.array_equal(serial.spread[0], serial["dense"].std(axis=1, ddof=1))
    with pytest.raises(KeyError):
        serial["strong"]
    with pytest.raises(ValueError, match=r"\(families, sizes, seeds\) = \(1, 2, 1\)"):
        LearningCurve(["conv"], [1, 2], [0], [[0.5]])


def test_images_needed_interpolates_on_the_logarithm() -> None:
    assert images_needed([10, 1000], [0.5, 0.7], 0.6) == pytest.approx(100)
    assert images_needed([10, 100, 1000], [0.5, 0.4, 0.8], 0.6) == pytest.approx(10**2.5)
    assert images_needed([10, 1000], [0.9, 0.5], 0.6) == 10
    assert images_needed([10, 1000], [0.5, 0.5], 0.6) is None


@given(st.lists(st.floats(0.02, 0.2), min_size=1, max_size=4), st.floats(0, 1))
def test_samples_to_reach_inverts_lines_in_log_n(slopes: list[float], level: float) -> None:
    """Curves .3 + slope * log2(n / 10), one seed each."""
    sizes = [10, 20, 40, 80]
    accuracy = [[0.3 + slope * i for slope in slopes] for i in range(4)]
    found = samples_to_reach(LearningCurve(["a"], sizes, range(len(slopes)), [accuracy]), level)
    for n, slope in zip(found["a"].seeds, slopes, strict=True):
        if level <= 0.3:
            assert n == 10
        elif level > 0.3 + 3 * slope:
            assert n is None
        else:
            assert n == pytest.approx(10 * 2 ** ((level - 0.3) / slope))
    reached = [n for n in found["a"].seeds if n is not None]
    assert (found["a"].spread is None) == (len(reached) < len(slopes))
    if found["a"].spread is not None and len(reached) > 1:
        assert math.log(found["a"].spread) == pytest.approx(np.std(np.log(reached), ddof=1))


def test_an_accuracy_is_from_0_to_1(serial: LearningCurve) -> None:
    with pytest.raises(ValueError, match="accuracy must be from 0 to 1, got 90"):
        samples_to_reach(serial, 90)


# ---- where sharing does not help ----

def test_labels_that_are_places() -> None:
    found = efficiency.location_labels(seed=3)
    assert found.pop("conv, global maximum") == 0.5  # exactly: the same answer at every place
    assert set(found.values()) == {1.0}


@pytest.mark.parametrize("side", [1, 2, 15, 30])
def test_margins_of_dots(side: int) -> None:
    found = efficiency.dots_margin(side)
    assert found["dense"] == 1
    assert found["shift-invariant"] == pytest.approx(1 / side, rel=1e-14)


def test_dots_have_no_better_invariant_margin() -> None:
    """The invariant weights are those of a circular conv with a filter as large as the image, all
    alike: what is left of any weights after all shifts is a constant."""
    w = np.random.default_rng(0).standard_normal((1, 5, 5))
    shifts = [np.roll(w, (i, j), (1, 2)) for i in range(5) for j in range(5)]
    flat = Pattern.from_index_map(np.zeros((1, 5, 5), np.intp))
    assert np.allclose(np.mean(shifts, axis=0), flat.expand(flat.project(w)[0]))


def test_shuffled_pixels_take_the_advantage_of_conv() -> None:
    found = efficiency.shuffled_pixels(seeds=2)
    gaps = [found[order]["conv"] - found[order]["dense"] for order in ("in order", "shuffled")]
    assert gaps[0] > 0.05 > gaps[1]


def test_a_border_of_zeros_tells_the_place() -> None:
    found = efficiency.padding_leak(seed=2)
    assert found["circular"] == 0.5  # exactly
    assert found["zeros"] > 0.8
