"""`sweepconv compare`: reproducible figures, a report that stands alone, findings that follow."""

import copy
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from support import Outline

import sweepconv
from sweepconv import cli
from sweepconv.lab import command
from sweepconv.lab.experiment import Experiment
from sweepconv.lab.findings import findings, place, shuffled, timing_findings
from sweepconv.lab.learning import images, ingredients, learning
from sweepconv.lab.measures import common_level, equivariance_error, shift
from sweepconv.lab.plan import FAMILIES, Plan, choose_sweep, make_plan
from sweepconv.lab.report import html
from sweepconv.lab.table import show
from sweepconv.lab.tasks import placed, split
from sweepconv.lab.verdict import Finding, lead
from sweepconv.layers.fitting import balanced_accuracy, balanced_batches
from sweepconv.output import files

Result = dict[str, Any]
SECTIONS = ["Findings", "All figures", "What is stored, and what is computed",
            "How many images must be seen", "When the image moves",
            "Where a filter found its pattern", "What was learned",
            "When meaning depends on place", "Time", "How it was measured"]


def strokes(n: int, size: tuple[int, ...], seed: int = 0) -> tuple[Any, Any]:
    """Images with one short stroke: along the first axis (label 0) or the last (label 5)."""
    rng = np.random.default_rng(seed)
    x, y = np.zeros((n, 1, *size), np.float32), rng.integers(0, 2, n)
    for image, label in zip(x[:, 0], y, strict=True):
        corner = [int(rng.integers(1, s - 3)) for s in size]
        axis = -1 if label else 0
        where = [slice(c, c + 1) for c in corner]
        where[axis] = slice(corner[axis], corner[axis] + 3)
        image[tuple(where)] = 1 if label or len(size) > 1 else 0.5
    return x, 5 * y


def small_plan(**changes: Any) -> Plan:
    return Plan(**{"data": "strokes", "target": "all", "seeds": 2, "maps": 4, "batch": 8,
                   "steps": 6, "sizes": (10, 30), "side_size": 20, "timing_rounds": 1,
                   "timing_batch": 2, **changes})


def run(**changes: Any) -> Result:
    experiment = Experiment(small_plan(**changes), *strokes(80, (10, 9)))
    result: Result = json.loads(json.dumps(experiment.run()))
    return result


@pytest.fixture(scope="module")
def result() -> Result:
    return run()


@pytest.fixture
def strokes_file(tmp_path: Path) -> Path:
    x, y = strokes(60, (8, 8))
    np.savez(tmp_path / "strokes.npz", x=x, y=y)
    return tmp_path / "strokes.npz"


def without_timings(result: Result) -> Result:
    return {key: value for key, value in result.items() if key != "timings"}


def text_of(result: Result) -> str:
    out = io.StringIO()
    show(Console(file=out, width=80), result)
    return out.getvalue()


# Figures


def test_the_same_seed_gives_the_same_figures_for_any_number_of_threads(result: Result) -> None:
    for n_threads in (1, 2):
        again = run(n_threads=n_threads)
        again["settings"]["n_threads"] = None
        again["environment"]["sweepconv"] = result["environment"]["sweepconv"]
        assert without_timings(again) == without_timings(result)
        figures = text_of(result).split("Timings")[0]
        assert text_of(again).split("Timings")[0] == figures


def test_another_seed_gives_other_figures(result: Result) -> None:
    assert run(seed=1)["questions"]["moved"]["accuracy"] != result["questions"]["moved"]["accuracy"]


def test_the_result_has_every_figure(result: Result) -> None:
    assert set(result) == {"schema", "settings", "families", "questions", "equivariance",
                           "moved_tests", "pictures", "environment", "timings"}
    assert list(result["questions"]) == ["centred", "moved", "shuffled", "place_kept",
                                         "place_forgotten"]
    for question in result["questions"].values():
        for family in FAMILIES:
            assert np.shape(question["accuracy"][family]) == (len(question["sizes"]), 2)
            assert all(0 <= a <= 1 for row in question["accuracy"][family] for a in row)
    for family in FAMILIES:
        assert {"parameters", "uses_per_weight", "multiply_adds"} < set(result["families"][family])
        assert result["timings"]["sweeps"][family]["forward"]["min"] > 0
    assert result["environment"]["packages"]["numpy"] == np.__version__
    assert result["environment"]["sweepconv"]["version"] == sweepconv.__version__


def test_counts_of_the_default_geometry() -> None:
    from sweepconv.lab.networks import cost

    sweep = choose_sweep((1, 28, 28), maps=16)
    parameters = {f: cost(f, sweep)["parameters"] for f in FAMILIES}
    assert parameters == {"dense": 784 * 1024 + 1024, "local": 1024 * 49 + 1024,
                          "tiled": 4 * 16 * 49 + 64, "conv": 16 * 49 + 16}
    assert [cost(f, sweep)["uses_per_weight"] for f in FAMILIES] == [1, 1, 16, 64]
    assert {cost(f, sweep)["multiply_adds"] for f in FAMILIES[1:]} == {1024 * 49}


def test_shared_maps_move_with_the_image_bit_for_bit(result: Result) -> None:
    eq, period = result["equivariance"], result["settings"]["period"]
    assert set(eq["error"]["conv"]) == {0.0}
    assert set(eq["same"]["conv"]) == {1.0}
    for steps, error in zip(eq["strides"], eq["error"]["tiled"], strict=True):
        assert (error == 0) == (steps % period == 0)
    assert min(eq["error"]["local"]) > 0.5
    assert min(eq["error"]["dense"]) > 0.5


def test_a_shared_filter_cannot_tell_the_two_places_apart(result: Result) -> None:
    question = result["questions"]["place_forgotten"]
    for family in ("tiled", "conv"):
        assert question["accuracy"][family] == [[0.5, 0.5]]
        assert question["predicted_alike"][family] == [[1.0, 1.0]]


@pytest.mark.parametrize("size", [(24,), (8, 9, 10)])
def test_other_numbers_of_axes(size: tuple[int, ...]) -> None:
    experiment = Experiment(small_plan(maps=2, steps=2, seeds=1), *strokes(40, size))
    result = json.loads(json.dumps(experiment.run()))
    assert result["pictures"] is None
    assert "two axes only" in html(result)
    assert text_of(result)


def test_images_too_small_for_the_place_task_do_without() -> None:
    experiment = Experiment(small_plan(steps=2, seeds=1), *strokes(40, (5, 5)))
    result = json.loads(json.dumps(experiment.run()))
    assert list(result["questions"]) == ["centred", "moved", "shuffled"]
    assert "two places" not in html(result)
    assert text_of(result)


# Parts


@pytest.mark.parametrize("size", range(4, 130))
def test_the_sweep_fits_every_axis_without_a_rest(size: int) -> None:
    sweep = choose_sweep((1, size), maps=2)
    kernel, stride, out = sweep.kernel[0], sweep.stride[0], sweep.out[0]
    assert (out - 1) * stride + kernel == size
    assert out % 2 == 0
    assert out <= 8
    assert kernel < size


def test_too_small_and_too_large_images_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 elements, got 2"):
        choose_sweep((1, 28, 2), maps=1)
    with pytest.raises(ValueError, match=r"\(3, 512, 512\) are too large.*make the images smaller"):
        choose_sweep((3, 512, 512), maps=16)


def test_every_prefix_of_the_training_images_holds_every_class() -> None:
    labels = np.repeat([0, 1, 2], [500, 50, 5])
    train, test = split(labels, np.random.default_rng(0))
    assert np.array_equal(np.sort([*train, *test]), np.arange(555))
    assert set(labels[train[:3]]) == {0, 1, 2}
    assert np.bincount(labels[train[:111]]).tolist() == pytest.approx([100, 10, 1], abs=1)
    assert np.bincount(labels[test]).tolist() == [100, 10, 1]
    with pytest.raises(ValueError, match="class 7 has only 4 images"):
        split(np.repeat([1, 7], [9, 4]), np.random.default_rng(0))


def test_shift_moves_and_fills_with_zero() -> None:
    x = np.arange(1, 13).reshape(1, 1, 3, 4)
    assert shift(x, (1, -2))[0, 0].tolist() == [[0] * 4, [3, 4, 0, 0], [7, 8, 0, 0]]
    assert np.array_equal(shift(x, (0, 0)), x)
    assert not shift(x, (3, 0)).any()


def test_placed_copies_are_one_period_apart() -> None:
    sweep = choose_sweep((1, 28, 28), maps=1)
    near, far = placed(strokes(3, (28, 28))[0], sweep)
    assert near.any()
    assert np.array_equal(shift(near, (sweep.stride[0] * sweep.period, 0)), far)
    kernel = sweep.kernel[0]
    assert not far[:, :, :kernel - 1].any()
    assert not far[:, :, 28 - kernel + 1:].any()


def test_equivariance_error_of_unrelated_maps_is_sqrt_2() -> None:
    a, b = np.random.default_rng(0).standard_normal((2, 50, 4, 9, 9))
    error, same = equivariance_error(a, b, 1, axis=0)
    assert error == pytest.approx(math.sqrt(2), abs=0.05)
    assert same == 0
    moved = np.roll(a, 2, axis=3)
    assert equivariance_error(a, moved, 2, axis=1) == (0, 1)


def test_the_common_level_is_one_that_two_families_reach() -> None:
    assert common_level([[0.6, 0.94], [0.5, 0.87], [0.5, 0.6]], 0.5) == pytest.approx(0.85)
    assert common_level([[0.6, 0.94], [0.5, 0.52]], 0.5) is None


def test_batches_and_accuracy_weigh_all_classes_alike() -> None:
    y = np.repeat([0, 1], [990, 10])
    drawn = np.concatenate(list(balanced_batches(y, 50, 100, np.random.default_rng(0))))
    assert np.mean(y[drawn]) == pytest.approx(0.5, abs=0.03)
    assert set(drawn[y[drawn] == 1]) == set(range(990, 1000))
    assert balanced_accuracy(y, np.zeros(1000)) == 0.5


# Findings: given numbers, the text must follow them


def with_scores(result: Result, question: str, **seeds: list[float]) -> Result:
    """The result with these accuracies at every size of a question."""
    changed = copy.deepcopy(result)
    asked = changed["questions"][question]
    for family in FAMILIES:
        asked["accuracy"][family] = [seeds[family]] * len(asked["sizes"])
    return changed


def pick(found: list[Finding], start: str) -> Finding:
    return next(f for f in found if start in f.title)


def test_lead_needs_every_seed_and_half_a_point() -> None:
    assert lead([0.8, 0.9], [0.7, 0.8]) == 1
    assert lead([0.7, 0.8], [0.8, 0.9]) == -1
    assert lead([0.7, 0.9], [0.8, 0.6]) == 0
    assert lead([0.801, 0.901], [0.8, 0.9]) == 0


@pytest.mark.parametrize(("dense", "local", "conv", "kind", "title", "text"), [
    ([0.9, 0.92], [0.8, 0.8], [0.7, 0.71], "harms", "Dense beats conv", "Dense is ahead of conv"),
    ([0.7, 0.7], [0.8, 0.8], [0.9, 0.91], "helps", "Conv beats dense", "Conv is ahead of dense"),
    ([0.7, 0.7], [0.9, 0.9], [0.9, 0.89], "plain", "Conv beats dense",
     "weak filters alone may explain the gain"),
    ([0.8, 0.7], [0.8, 0.8], [0.7, 0.8], "harms", "No clear difference", "no clear difference"),
])
def test_learning_says_who_wins(result: Result, dense: list[float], local: list[float],
                                conv: list[float], kind: str, title: str, text: str) -> None:
    changed = with_scores(result, "moved", dense=dense, local=local, tiled=local, conv=conv)
    for which in ("few", "many"):
        finding = next(f for f in learning(changed)
                       if f"{which} images" in f.title and "moved" in f.title)
        assert finding.kind == kind
        assert finding.title.startswith(title)
        assert text in finding.text
        assert f"{50 * sum(conv):.1f} %" in finding.text


@pytest.mark.parametrize(("needs", "kind", "texts"), [
    ({"dense": 400.0, "local": 300.0, "tiled": 200.0, "conv": 100.0}, "helps",
     ["conv needs about 100", "Dense needs 4.0 times as many as conv"]),
    ({"dense": 100.0, "local": 100.0, "tiled": 200.0, "conv": 250.0}, "harms",
     ["Conv needs 2.5 times as many as dense"]),
    ({"dense": 100.0, "local": 100.0, "tiled": 200.0, "conv": 95.0}, "harms",
     ["need about as many"]),
    ({"dense": 100.0, "local": 60.0, "tiled": 200.0, "conv": 61.0}, "plain", []),
    ({"dense": 100.0, "local": 60.0, "tiled": None, "conv": None}, "harms",
     ["conv does not reach it with 30"]),
    ({"dense": None, "local": None, "tiled": 10.0, "conv": 10.0}, "helps",
     ["dense does not reach it with 30", "conv needs 10 or fewer"]),
])
def test_images_needed_are_compared(result: Result, needs: dict[str, float | None], kind: str,
                                    texts: list[str]) -> None:
    changed = copy.deepcopy(result)
    changed["questions"]["moved"]["needed"] = {"level": 0.8, "images": needs}
    finding = pick(images(changed), "Images needed, images moved")
    assert finding.kind == kind
    for text in ["to reach 80 %", *texts]:
        assert text in finding.text


def test_a_level_that_nobody_reaches_is_said(result: Result) -> None:
    changed = copy.deepcopy(result)
    for name in ("centred", "moved"):
        changed["questions"][name]["needed"] = {"level": None, "images": dict.fromkeys(FAMILIES)}
    assert all("cannot be compared" in f.text for f in images(changed))
    assert "images to reach" not in text_of(changed)
    assert "Images needed for" not in html(changed)


def test_ingredients_name_each_step(result: Result) -> None:
    changed = with_scores(result, "moved", dense=[0.6, 0.6], local=[0.7, 0.7], tiled=[0.7, 0.7],
                          conv=[0.65, 0.65])
    (finding,) = ingredients(changed)
    assert "(dense to local) gains 10.0 points" in finding.text
    assert "(local to tiled) changes nothing clear (+0.0 points)" in finding.text
    assert "(tiled to conv) loses 5.0 points" in finding.text
    assert finding.kind == "plain"


def test_place_says_who_can_only_guess(result: Result) -> None:
    (finding,) = place(result)
    assert finding.kind == "harms"
    assert "conv can only guess: every image gets the same answer" in finding.text
    solved = with_scores(result, "place_forgotten", **{f: [1.0, 1.0] for f in FAMILIES})
    (finding,) = place(solved)
    assert finding.kind == "plain"
    assert "guess" not in finding.text


@pytest.mark.parametrize(("before", "after", "kind", "text"), [
    (0.9, 0.7, "harms", "Dense is now ahead of conv. What sharing gave rests on"),
    (0.9, 0.85, "plain", "Conv is still ahead of dense"),
    (0.8, 0.8, "harms", "Conv is not clearly ahead of dense"),
    (0.7, 0.7, "harms", "Dense is still ahead of conv"),
])
def test_shuffled_compares_before_and_after(result: Result, before: float, after: float,
                                            kind: str, text: str) -> None:
    others = {f: [0.8, 0.8] for f in FAMILIES}
    changed = with_scores(result, "moved", **{**others, "conv": [before] * 2})
    changed = with_scores(changed, "shuffled", **{**others, "conv": [after] * 2})
    (finding,) = shuffled(changed)
    assert finding.kind == kind
    assert text in finding.text
    assert f"conv {100 * (after - before):+.1f}" in finding.text


def test_timings_name_the_fastest(result: Result) -> None:
    changed = copy.deepcopy(result)
    for i, family in enumerate(FAMILIES):
        changed["timings"]["sweeps"][family] = {way: {"median": 9.0, "min": i + 1.0}
                                                for way in ("forward", "backward")}
    (finding,) = timing_findings(changed)
    assert finding.kind == "harms"
    assert finding.title == "Dense is the fastest here"
    assert "dense 2.00 ms, local 4.00 ms, tiled 6.00 ms and conv 8.00 ms" in finding.text


def test_no_finding_outside_the_timings_reads_a_clock(result: Result) -> None:
    assert findings(without_timings(result)) == findings(result)


# Report


def test_the_report_is_one_file_with_all_sections(result: Result) -> None:
    text = html(result)
    outline = Outline()
    outline.feed(text)
    assert not outline.open
    assert outline.headings == SECTIONS
    assert not outline.tags & {"script", "link", "iframe", "object", "embed"}
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in outline.links)
    assert not re.search(r"@import|url\((?!#)", text)
    assert text.count("<svg") > 10
    for finding in findings(result):
        assert finding.title in text


def test_the_report_is_reproducible(result: Result) -> None:
    assert html(result) == html(copy.deepcopy(result))


def test_names_from_outside_are_escaped(result: Result) -> None:
    changed = copy.deepcopy(result)
    changed["settings"]["data"] = "<script>alert(1)</script>.npz"
    assert "<script>" not in html(changed)


# Command


def test_compare_writes_both_files(strokes_file: Path, tmp_path: Path,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "report"
    plan = small_plan(data=str(strokes_file), seeds=1, steps=2)
    result = command.compare(out=out, plan=plan)
    assert sorted(p.name for p in out.iterdir()) == ["compare.html", "compare.json"]
    stored = json.loads((out / "compare.json").read_text())
    assert stored == json.loads(json.dumps(result))
    assert [f["title"] for f in stored["findings"]] == [f.title for f in findings(stored)]
    shown = capsys.readouterr()
    assert "Findings" in shown.out
    assert "compare.html" in shown.out
    assert shown.err == ""


def test_the_command_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(command, "compare", lambda **options: seen.update(options))
    assert cli.main(["compare", "--data", "digits", "--target", "all", "--quick", "--seed", "4",
                     "--seeds", "5", "--out", "o", "--n-threads", "1"]) == 0
    assert seen == {"data": "digits", "target": "all", "quick": True, "seed": 4, "seeds": 5,
                    "out": "o", "n_threads": 1}
    assert make_plan("digits", "2", quick=True).seeds >= 3


def broken(path: Path) -> list[str]:
    path.write_bytes(b"PK\x03\x04 not really")
    return ["--data", str(path)]


@pytest.mark.parametrize(("options", "complaint"), [
    (lambda d: ["--data", "imagenet"], "--data must be mnist5k, digits or a file .npz"),
    (lambda d: ["--data", str(d / "none.npz")], r"none\.npz: no such file"),
    (lambda d: broken(d / "broken.npz"), r"broken\.npz: not a readable \.npz file"),
    (lambda d: ["--data", str(d / "strokes.npz"), "--target", "3"],
     "--target 3: no such class in the data, which has 0, 5"),
    (lambda d: ["--data", str(d / "strokes.npz"), "--target", "two"], "--target two: no such"),
    (lambda d: ["--data", "digits", "--out", str(d / "strokes.npz")], "--out .*: cannot write"),
    (lambda d: ["--data", "digits", "--out", str(d / "strokes.npz" / "in")], "cannot write there"),
])
@pytest.mark.usefixtures("strokes_file")
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
        tmp_path: Path, capsys: pytest.CaptureFixture[str],
        options: Callable[[Path], list[str]], complaint: str) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert cli.main(["compare", "--quick", *out, *options(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert re.search(complaint, shown.err)
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("options", [["--seeds", "0"], ["--n-threads", "0"], ["--seed", "-1"],
                                     ["--seed", "x"], ["--no-such"]])
def test_bad_options_give_exit_code_2(options: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["compare", *options])
    assert caught.value.code == 2


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (RuntimeError("x"), 1)])
def test_other_ends(strokes_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                    error: BaseException, code: int) -> None:
    """In the middle of the work: it is given up, and nothing is written."""
    def tick(self: object, task: object, **changes: object) -> None:
        raise error

    monkeypatch.setattr("rich.progress.Progress.update", tick)
    monkeypatch.setattr(command, "make_plan",
                        lambda data, target, **_: small_plan(data=data, target=target))
    out = tmp_path / "out"
    assert cli.main(["compare", "--data", str(strokes_file), "--out", str(out)]) == code
    assert not list(out.iterdir())


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                               ) -> None:
    path = tmp_path / "a.txt"
    files.write_whole(path, "old")

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="disk full"):
        files.write_whole(path, "new")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_info_as_json_and_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == sweepconv.__version__
    assert cli.main(["info"]) == 0
    assert "isa" in capsys.readouterr().out


@pytest.mark.slow
def test_a_quick_run_on_real_digits(tmp_path: Path) -> None:
    assert cli.main(["compare", "--data", "digits", "--quick", "--out", str(tmp_path)]) == 0
    stored = json.loads((tmp_path / "compare.json").read_text())
    assert stored["settings"]["classes"] == ["not 2", "2"]
    assert all(np.mean(stored["questions"]["centred"]["accuracy"][f][-1]) > 0.85 for f in FAMILIES)
