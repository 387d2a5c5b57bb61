"""`sweepconv reproduce`: recipes that are cheap run, verdicts, files, and what goes wrong."""

import json
import multiprocessing
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweepconv import cli
from sweepconv.datasets import dots as two_dots
from sweepconv.datasets import red_green as two_boxes
from sweepconv.layers import Adam, Dense, Flatten, Sequential
from sweepconv.reproduce import command, plots, runner
from sweepconv.reproduce.recipe import (
    ANY,
    INF,
    Done,
    Figure,
    Job,
    Recipe,
    Scale,
    band_words,
    exact,
    figure,
    ours_words,
    shown,
)
from sweepconv.reproduce.recipes import (
    cnn_to_dense,
    dots,
    dsd,
    fourier,
    mnist1d,
    novak,
    pooling,
    red_green,
)
from sweepconv.reproduce.registry import RECIPES, chosen
from sweepconv.reproduce.training import in_order, per_cent, shuffled, step

IDS = ("counts", "ols", "dsd", "mnist1d", "mnist1d-pooling", "red-green", "red-green-exact", "dots",
       "aps", "novak", "fourier", "cnn-to-dense")
CHEAP = ("counts", "ols", "novak", "red-green-exact", "dsd", "aps")  # all of them in seconds
QUICK = Scale(quick=True)


# Verdicts


@pytest.mark.parametrize(("values", "band", "inside"), [
    ((1.0, 3.0), (2, 2), True), ((1.0, 3.0), (2.1, 3), False), ((0.0,), (0, 0), True),
    ((float("nan"),), (0, 1), False), ((1e-16,), (0, 0), False), ((5.0,), (1, INF), True),
    ((INF,), (0, 1), False)])
def test_a_figure_is_inside_when_its_mean_is(values: tuple[float, ...], band: tuple[float, float],
                                             inside: bool) -> None:
    assert figure("f", values, "-", band).inside is inside


def test_mean_and_spread_over_the_seeds() -> None:
    f = figure("f", [1.0, 2.0, 3.0], 2, (0, 5))
    assert (f.mean, f.spread, f.published, f.expected) == (2, 1, "2.00", 2)
    assert figure("f", 1.0, "about 1", (0, 5)).spread is None
    assert figure("f", 1.0, "about 1", (0, 5)).expected is None


@pytest.mark.parametrize(("value", "digits", "text"), [
    (0.0667, 3, "0.0667"), (94.12, 3, "94.1"), (0, 3, "0"), (8003072000, None, "8,003,072,000"),
    (1e-12, 2, "1.0e-12"), (float("nan"), 3, "not a number"), (-2.5, 2, "-2.5")])
def test_numbers_in_words(value: float, digits: int | None, text: str) -> None:
    assert shown(value, digits) == text


@pytest.mark.parametrize(("band", "text"), [
    ((5, 5), "= 5.00"), ((62, 70), "62.0 to 70.0"), ((10, INF), "at least 10.0"),
    ((0, INF), "0 or more"), ((-INF, INF), "-"), ((1e-9, INF), "more than 0"),
    ((1 - 1e-12, 1 + 1e-12), "= 1.00, rounding aside"), ((-INF, 3), "at most 3.00")])
def test_bands_in_words(band: tuple[float, float], text: str) -> None:
    assert band_words(figure("f", 1.0, "-", band)) == text


def test_an_integer_must_be_equal() -> None:
    assert exact("n", 5489, 5489).inside
    assert not exact("n", 5488, 5489).inside
    assert ours_words(exact("n", 5488, 5489)) == "5,488"


# Recipes


def test_every_id_has_a_recipe_with_jobs() -> None:
    assert set(RECIPES) == set(IDS)
    for name, recipe in RECIPES.items():
        assert recipe.id == name
        assert recipe.title
        assert recipe.source
        assert recipe.what.endswith(".")
        for scale in (Scale(), QUICK, Scale(seeds=1)):
            jobs = recipe.jobs(scale)
            assert jobs
            assert all(job.weight > 0 for job in jobs)
        assert len(recipe.jobs(Scale(seeds=2))) >= len(recipe.jobs(Scale(seeds=1)))


def test_unknown_ids_are_named() -> None:
    assert [r.id for r in chosen(["ols", "counts"])] == ["counts", "ols"]
    assert [r.id for r in chosen([])] == list(RECIPES)
    with pytest.raises(ValueError, match="no such id: mnist, x; there are counts, ols, "):
        chosen(["mnist", "ols", "x"])


@pytest.mark.parametrize("name", CHEAP)
def test_the_cheap_recipes_are_inside_their_bands(name: str) -> None:
    recipe = RECIPES[name]
    ran = runner.run([recipe], QUICK, 1)[name]
    figures = recipe.figures(ran.done, QUICK)
    assert figures
    assert not [f"{f.name}: {ours_words(f)}, not {band_words(f)}" for f in figures if not f.inside]


def test_the_networks_have_the_published_numbers_of_parameters() -> None:
    rng = np.random.default_rng(0)
    assert [mnist1d.network(name, rng).n_params for name in mnist1d.NETS] == [410, 15210, 5210]
    features = {kind: pooling.network(kind, rng).layers[-1].params["w"].shape[1]
                for kind in pooling.KINDS}
    assert features == {"none": 800, "stride 2": 200, "max": 200, "average": 200, "L2": 200}
    assert red_green.network("full", rng).out_shape((3, 32, 32)) == (2,)


def test_a_released_network_computes_the_same() -> None:
    net = cnn_to_dense.conv_network(np.random.default_rng(1))
    x = np.random.default_rng(2).random((3, *cnn_to_dense.IN_SHAPE), np.float32)
    free = cnn_to_dense.released(net)
    np.testing.assert_allclose(free(x), net(x), rtol=1e-4, atol=1e-5)
    like = cnn_to_dense.dense_network(np.random.default_rng(0))
    assert {n: p.shape for n, p in free.params.items()} == {
        n: p.shape for n, p in like.params.items()}


def test_training_stops_after_epochs_without_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([3.0, 2.0, *[2.5] * 20])
    monkeypatch.setattr(red_green, "softmax_cross_entropy", lambda *_: (next(losses), None))
    monkeypatch.setattr(red_green, "step", lambda *_: 0.0)
    monkeypatch.setattr(red_green, "scores", lambda *_: None)
    net = red_green.network("valid", np.random.default_rng(0))
    some = two_boxes(n=2)
    assert red_green._epochs(net, some, some, 50) == 2 + red_green.PATIENCE


def test_batches_in_order_and_shuffled() -> None:
    assert [(s.start, s.stop) for s in in_order(250, 100, 4)] == [
        (0, 100), (100, 200), (200, 300), (0, 100)]
    found = list(shuffled(10, 4, 2, np.random.default_rng(0)))
    assert [len(b) for b in found] == [4, 4, 2] * 2
    assert sorted(np.concatenate(found[:3])) == list(range(10))


def test_a_step_lowers_the_loss_and_per_cent_counts() -> None:
    x = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    y = np.array([0, 1])
    net = Sequential(Dense(2, 2, rng=0))
    adam = Adam(net, 0.1)
    losses = [step(net, adam, x, y) for _ in range(50)]
    assert losses[-1] < losses[0]
    assert per_cent(net, x, y) == 100
    assert per_cent(net, x, 1 - y) == 0


def test_linear_margins_and_the_attack_on_a_known_boundary() -> None:
    assert dots.linear_margins(7) == pytest.approx({"dense": 1, "invariant": 1 / 7}, rel=1e-14)
    net = Sequential(Flatten(), Dense(9, 2, bias=False, dtype=np.float64))
    net.params["1.w"][...] = np.stack([np.ones(9), -np.ones(9)])
    x, _ = two_dots(3, dtype=np.float64)  # sum 1: the boundary is 1/3 away
    found = dots.smallest_attack(net, x[:1], 0, np.random.default_rng(0))
    assert found == pytest.approx(1 / 3, rel=1e-5)


def test_the_kernel_of_many_channels_and_what_an_example_needs() -> None:
    assert novak.limit() == pytest.approx(novak.kernels(50_000, 3)["conv, plain"]["mean"], rel=0.03)
    assert dsd.needed([10, 100, 1000], [0.0, 0.5, 1.0]) == pytest.approx(100)


def test_a_linear_network_is_the_vector_that_it_computes() -> None:
    for kind in ("conv", "dense"):
        net = fourier.network(kind, 0)
        x = np.random.default_rng(1).standard_normal((4, 1, fourier.D))
        np.testing.assert_allclose(x[:, 0] @ fourier.direction(net), net(x)[:, 0], rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(IDS) - set(CHEAP)))
def test_the_other_recipes_are_inside_the_bands_of_a_quick_run(name: str) -> None:
    recipe = RECIPES[name]
    ran = runner.run([recipe], QUICK, 2)[name]
    assert not [f.name for f in recipe.figures(ran.done, QUICK) if not f.inside]


# The command


def add(a: int, b: int) -> int:
    return a + b


def pause(seconds: float) -> None:
    time.sleep(seconds)


def fail() -> None:
    raise RuntimeError("in a job")


def small_recipe(figures: list[Figure], jobs: list[Job] | None = None) -> Recipe:
    made = jobs or [Job(add, {"a": i, "b": 1}, i + 1) for i in range(3)]
    return Recipe("small", "Sums", "arithmetic", "Adds one.", lambda scale: made,
                  lambda done, scale: figures)


def test_jobs_side_by_side_come_back_in_order() -> None:
    seen: list[Done] = []

    def figures(done: list[Done], scale: Scale) -> list[Figure]:
        seen.extend(done)
        return []

    jobs = [Job(shown, {"value": float(i)}, i + 1) for i in range(3)]
    recipe = Recipe("small", "", "", "", lambda scale: jobs, figures)
    ticks: list[tuple[str, float]] = []
    ran = runner.run([recipe], Scale(), 2, lambda name, more: ticks.append((name, more)))
    recipe.figures(ran["small"].done, Scale())
    assert [d.result for d in seen] == ["0", "1.00", "2.00"]
    assert sorted(ticks) == [("small", 1), ("small", 2), ("small", 3)]
    assert runner.amount([recipe], Scale()) == 6
    assert ran["small"].seconds > 0


def test_an_exception_ends_the_jobs_that_run() -> None:
    jobs = [Job(shown, {"value": 1.0}, 100), Job(pause, {"seconds": 100}, 1)]

    def stop(name: str, more: float) -> None:
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        runner.run([small_recipe([], jobs)], Scale(), 2, stop)
    assert time.monotonic() - start < 60
    assert not multiprocessing.active_children()


def use(monkeypatch: pytest.MonkeyPatch, recipe: Recipe) -> None:
    monkeypatch.setattr(command, "chosen", lambda ids: [recipe])


def run(tmp_path: Path, *options: str) -> int:
    return cli.main(["reproduce", "--out", str(tmp_path), "--n-threads", "1", *options])


def test_the_report_is_written_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "counts", "red-green-exact", "--quick", "--seeds", "1") == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["reproduce.html", "reproduce.json"]
    stored = json.loads((tmp_path / "reproduce.json").read_text())
    assert [e["id"] for e in stored["results"]] == ["counts", "red-green-exact"]
    assert stored["command"] == "sweepconv reproduce counts red-green-exact --quick --seeds 1"
    assert stored["settings"] == {"quick": True, "seeds": 1, "workers": 1}
    assert all(f["inside"] for e in stored["results"] for f in e["figures"])
    page = (tmp_path / "reproduce.html").read_text()
    assert page.endswith("</html>\n")
    assert page.count("<svg") == 2
    assert "8,003,072,000" in page
    assert "<script" not in page
    shown_ = capsys.readouterr().out
    assert "0 outside" in shown_
    assert "A quick run" in shown_


def test_what_is_outside_is_said_first_and_is_no_failure(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
        ) -> None:
    use(monkeypatch, small_recipe([figure("good", [1.0, 1.0], 1, (0, 2)),
                                   figure("bad <b>", [5.0, 7.0], "-", (0, 2)),
                                   figure("lost", float("nan"), 1, (0, INF)),
                                   figure("aside", 3.0, "-", ANY)]))
    assert run(tmp_path) == 0
    out = capsys.readouterr().out
    assert out.count("OUTSIDE") == 2
    assert "3 figures with a band, of 1 ids: 1 inside their bands, 2 outside" in out
    page = (tmp_path / "reproduce.html").read_text()
    assert page.index("Outside their bands") < page.index("small: Sums")
    assert "bad &lt;b&gt;" in page
    stored = json.loads((tmp_path / "reproduce.json").read_text())
    assert [f["inside"] for f in stored["results"][0]["figures"]] == [True, False, False, True]
    assert stored["results"][0]["figures"][2]["mean"] is None


def test_json_in_the_place_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    use(monkeypatch, small_recipe([figure("sum", 1.0, 1, (0, 2))]))
    assert run(tmp_path, "--json") == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == json.loads((tmp_path / "reproduce.json").read_text())


def test_a_job_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    use(monkeypatch, small_recipe([], [Job(fail, {})]))
    assert run(tmp_path) == 1
    assert "in a job" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_list_of_ids(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["reproduce", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(RECIPES)


@pytest.mark.parametrize(("options", "complaint"), [
    (["nothing"], "no such id: nothing; there are counts"),
    (["counts", "--out", "{file}"], "--out .*: cannot write there")])
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
        ) -> None:
    (tmp_path / "file").write_text("")
    given = [option.format(file=tmp_path / "file") for option in options]
    assert cli.main(["reproduce", "--out", str(tmp_path / "out"), *given]) == 2
    shown_ = capsys.readouterr()
    assert shown_.err.count("\n") == 1
    assert re.search(complaint, shown_.err)


@pytest.mark.parametrize("options", [["--seeds", "0"], ["--n-threads", "0"], ["--no-such"]])
def test_bad_options_give_exit_code_2(options: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["reproduce", *options])
    assert caught.value.code == 2


@pytest.mark.parametrize("log", [False, True])
def test_a_plot_of_any_figures(log: bool) -> None:
    entry: dict[str, Any] = {"id": "x", "log": log, "figures": [
        {"name": "a", "values": [1.0, None], "mean": None, "expected": 1.0, "band": [0.0, None],
         "inside": False, "judged": True},
        {"name": "b", "values": [0.0], "mean": 0.0, "expected": None, "band": [0.0, 0.0],
         "inside": True, "judged": True},
        {"name": "c", "values": [2.0], "mean": 2.0, "expected": None, "band": [None, None],
         "inside": True, "judged": False}]}
    assert plots.dots(entry).startswith("<svg")
