"""`sweepconv bench` without any peer but NumPy: workloads, checks, rounds, figures, reports."""

import copy
import dataclasses
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
from support import DTYPES, ISAS, Outline, child

import sweepconv as sc
from sweepconv import _kernels, cli
from sweepconv.bench import conductor, diff, fingerprint, machine, truth
from sweepconv.bench.cases import DIRECTIONS, TOLERANCE, Case, check
from sweepconv.bench.children import Child, ChildError, child_environment
from sweepconv.bench.conductor import Conductor, entry_record, figures
from sweepconv.bench.peers import OURS, PEERS
from sweepconv.bench.peers.numpy_patches import Peer as NumPyPeer
from sweepconv.bench.peers.ours import Peer as OurPeer
from sweepconv.bench.plan import MOST_ROUNDS, Plan, make_plan
from sweepconv.bench.report import html
from sweepconv.bench.table import show
from sweepconv.bench.verdict import against, judge, losing_first, summaries, verdict
from sweepconv.bench.workloads import FILES, KINDS, QUICK, Layer, layers, select
from sweepconv.runtime import multiply_adds

Result = dict[str, Any]
SECTIONS = ["In short", "Speed ratios", "Roofline", "Layer by layer", "All rows",
            "Wrong or not run", "How it was measured"]
ROWS = {row.id: row for row in layers()}


def layer(**changes: Any) -> Layer:
    """A small one."""
    small = Layer("made", "small", "conv", 2, 4, 6, 2, (7, 6), (3, 2), (2, 1), (1, 0), (1, 2), 1)
    return dataclasses.replace(small, **changes)


SMALL = [
    layer(),
    layer(c_in=6, groups=6, pad=(2, 1)),
    layer(size=(9,), kernel=(4,), stride=(1,), pad=(2,), dilation=(1,), groups=1),
    layer(size=(4, 5, 6), kernel=(2, 3, 1), stride=(1, 2, 1), pad=(0, 1, 1), dilation=(1, 1, 2)),
    layer(family="local", groups=1),
    layer(family="dense", size=(), kernel=(), stride=(), pad=(), dilation=(), groups=1),
]


# Workloads


def test_the_packaged_workloads() -> None:
    rows = layers(FILES[:1])
    assert len(rows) == 119
    assert len({row.id for row in rows}) == 119
    assert len({row.id for row in layers()}) == len(layers())
    assert {row.ndim for row in rows} == {1, 2, 3}
    assert sum(row.family == "local" for row in rows) == 3
    assert {row.kind for row in layers()} == set(KINDS)
    assert set(QUICK) <= ROWS.keys()


def test_geometry_and_counts_of_known_rows() -> None:
    conv1 = ROWS["resnet50_v1_5/conv1"]
    assert conv1.y_shape == (8, 64, 112, 112)
    assert conv1.flops == 2 * 8 * 64 * 112**2 * 3 * 49
    assert (conv1.kind, conv1.weight) == ("other", 1)
    mixed = ROWS["googlenet_v3/mixed_4_tower_conv_1_conv2d"]
    assert (mixed.kernel, mixed.pad, mixed.stride) == ((1, 7), (0, 3), (1, 1))
    video = ROWS["video_dw3d/x3d_conv_7"]
    assert (video.w_shape, video.y_shape) == ((108, 1, 3, 3, 3), (1, 108, 8, 28, 28))
    local = ROWS["local/cifar_local3"]
    assert local.w_shape == (6, 6, 64, 64, 3, 3)
    assert local.elements == 2 * 16 * 64 * 36 + 36 * 64 * 64 * 9
    assert ROWS["dense/64x4096x1024"].flops == 2 * 64 * 4096 * 1024
    assert [ROWS[name].kind for name in ("mobilenet_v1/pw_conv8", "mobilenet_v1/conv5_1_dw",
                                         "fir1d/fir1023_262k", "unet3d/conv_8")] == [
        KINDS[0], "depthwise", "single channel", "other"]


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.family != "dense"],
                         ids=lambda row: row.id)
def test_shapes_are_those_of_the_library(row: Layer) -> None:
    shape = row.w_shape[row.ndim:] if row.family == "local" else row.w_shape
    assert sc.output_shape(row.x_shape, shape, **Case(row, "f", "float32").keywords()) == (
        row.y_shape)


def test_rows_are_chosen() -> None:
    rows = layers()
    assert len(select(rows)) == len(rows)
    assert {r.suite for r in select(rows, suites=["vgg19", "a3c"])} == {"vgg19", "a3c"}
    assert [r.id for r in select(rows, match="^vgg19/conv1")] == ["vgg19/conv1_2"]
    assert select(rows, every=50) == rows[::50]
    assert {r.id for r in select(rows, quick=True)} == set(QUICK)
    plan = make_plan(suites="overhead,a3c", dtypes="float64,float32", n_threads=1)
    assert [c.id for c in plan.cases] == [
        *(f"a3c/conv2 {d} {t}" for t in ("float64", "float32") for d in "fiw"),
        "overhead/call_1x1x8x8_k3 f float64", "overhead/call_1x1x8x8_k3 f float32"]


# Cases and checks


@pytest.mark.parametrize("direction", list(DIRECTIONS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", SMALL, ids=lambda row: f"{row.family}{row.ndim}g{row.groups}")
def test_entries_that_run_here_are_right(row: Layer, direction: Any, dtype: str) -> None:
    """Ours in every memory order, packed or not, and NumPy's, against the reference."""
    case = Case(row, direction, dtype)
    assert Case.from_json(json.loads(json.dumps(case.as_json()))) == case
    true = truth.truth(case)
    assert true.value.shape == case.shapes[case.result]
    for peer in (OurPeer(1), NumPyPeer(1)):
        entries = dict(peer.entries(case))
        if isinstance(peer, OurPeer):
            assert ("first packed" in entries) == (direction != "w")
            assert ("last" in entries) == (row.family != "dense")
        for name in [n for n in entries if not n.startswith("fast")]:
            call = entries[name]()
            found = check(case, call.to_numpy(call.run()), true)
            assert found.right, name
            assert found.rms < 8 * np.finfo(dtype).eps


def test_numpy_takes_part_where_it_can() -> None:
    assert not NumPyPeer(1).entries(Case(layer(), "f", "float32"))  # two groups
    assert list(NumPyPeer(1).entries(Case(layer(groups=1), "f", "float32"))) == ["patches"]
    assert not NumPyPeer(1).entries(Case(ROWS["vgg19/conv1_2"], "f", "float32"))  # too many
    assert list(NumPyPeer(1).entries(Case(SMALL[-1], "w", "float32"))) == ["matmul"]


def wrong_results() -> list[Callable[[Any], Any]]:
    def one_off(y: Any) -> Any:
        y.flat[y.size // 2] *= 1 + 1e-3
        return y

    def not_a_number(y: Any) -> Any:
        y.flat[0] = np.nan
        return y

    return [one_off, not_a_number, lambda y: y.astype(np.float16).astype(y.dtype),
            lambda y: np.roll(y, 1, axis=-1), lambda y: y * 0]


@pytest.mark.parametrize("spoil", wrong_results())
def test_a_wrong_result_is_found(spoil: Callable[[Any], Any]) -> None:
    case = Case(layer(groups=1), "f", "float32")
    true = truth.truth(case)
    right = true.value.astype(np.float32)
    assert check(case, right, true).worst < 1
    spoilt = check(case, spoil(right.copy()), true)
    assert not spoilt.right
    assert not spoilt.worst <= TOLERANCE


def test_a_result_of_another_shape_or_dtype_is_an_error() -> None:
    case = Case(layer(), "f", "float32")
    true = truth.truth(case)
    for bad in (true.value, true.value.astype(np.float32)[:1]):
        with pytest.raises(ValueError, match="expected float32"):
            check(case, bad, true)


def test_denormals_are_measured_in_units_that_they_have() -> None:
    case = Case(layer(suite="denormal", groups=1), "f", "float32")
    x, _ = case.given()
    assert 0 < np.abs(x).max() < np.finfo(np.float32).tiny
    true = truth.truth(case)
    assert check(case, true.value.astype(np.float32), true).right
    assert not check(case, np.zeros(case.layer.y_shape, np.float32), true).right


def test_fast_is_an_entry_only_where_its_bits_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from sweepconv.bench.peers.base import NotOffered

    case = Case(layer(), "f", "float32")

    def conv(x: Any, w: Any, *, algorithm: str = "direct", **keywords: Any) -> Any:
        y = direct(x, w, **keywords)
        return y * np.float32(1 + 2e-7) if algorithm == other else y

    direct, other = sc.conv, ""
    monkeypatch.setattr(sc, "conv", conv)
    with pytest.raises(NotOffered):
        OurPeer(1).entries(case)["fast last"]()
    other = "fast"
    assert OurPeer(1).entries(case)["fast last"]().run().shape == case.layer.y_shape


# The machine


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_multiply_adds_are_counted(isa: str, dtype: Any) -> None:
    before = sc.show_config()["isa"]
    sc.use_isa(isa)
    try:
        vector = _kernels.tile_shape(np.dtype(dtype).itemsize)[1] // 2
        assert multiply_adds(dtype, 50) == 50 * 2 * 12 * vector
        assert multiply_adds(dtype, 0) == 0
    finally:
        sc.use_isa(before)


def test_peak_and_bandwidth() -> None:
    peak = machine.fma_peak("float32", 1, seconds=1e-3)
    assert 1e8 < peak < 1e13
    speeds = machine.bandwidth(2, most=2**20)
    assert speeds["array_bytes"] == 2**20
    assert speeds["read"] > 1e7
    assert speeds["copy"] > 1e7
    assert all(size > 0 for size in machine.caches().values())


# Processes


def test_variables_of_the_children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "Prescott")
    made = child_environment(3, "baseline")
    one = Child(OURS, 3, made, tmp_path / "log", 10)
    assert not one.environment.keys() & {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}
    assert one.environment["OMP_NUM_THREADS"] == "3"
    assert 0 < int(one.environment["GOMP_SPINCOUNT"]) <= 10_000
    assert "OMP_WAIT_POLICY" not in one.environment
    assert one.environment["SWEEPCONV_ISA"] == "baseline"


def test_a_process_that_dies_or_hangs(tmp_path: Path) -> None:
    one = Child("numpy", 1, child_environment(1, "baseline"), tmp_path / "log", 30)
    try:
        assert one.start()["ready"] == "numpy"
        with pytest.raises(ChildError, match="KeyError") as caught:
            one.ask("round", entry="none", calls=1)
        assert not caught.value.died
        assert one.process is not None
        one.process.kill()
        with pytest.raises(ChildError, match="ended with -9") as caught:
            one.ask("release")
        assert caught.value.died
        one.timeout = 1e-4
        with pytest.raises(ChildError, match=r"no answer in 0\.0001 s"):
            one.ask("peak", dtype="float32")
        one.timeout = 30
        assert one.ask("release") == {}  # started anew
    finally:
        one.stop()
        one.stop()


def tiny(**options: Any) -> Plan:
    plan = make_plan(peers="numpy", n_threads=1, quick=True, budget=1e-3, **options)
    return dataclasses.replace(plan, round_seconds=1e-3, pause=0.0, bandwidth_bytes=2**20)


@pytest.fixture(scope="module")
def result() -> Result:
    """A real run: this library and NumPy, in processes of their own."""
    seen = []
    one = Conductor(tiny(match="overhead|784|lenet_c1", directions="f,w"),
                    lambda what, amount: seen.append((what, amount)))
    found: Result = json.loads(json.dumps(judge(one.run())))
    assert sum(amount for _, amount in seen) == pytest.approx(one.amount)
    return found


def test_a_real_run(result: Result) -> None:
    assert {row["id"] for row in result["rows"]} == {
        "small_nets/lenet_c1 f float32", "small_nets/lenet_c1 w float32",
        "dense/32x784x1024 f float32", "dense/32x784x1024 w float32",
        "overhead/call_1x1x8x8_k3 f float32"}
    for row in result["rows"]:
        entries = {(e["peer"], e["entry"]): e for e in row["entries"]}
        assert {e["status"] for e in entries.values()} == {"right"}
        assert (OURS, "first") in entries
        assert ("numpy" in {peer for peer, _ in entries}) == (
            row["family"] == "dense" or row["direction"] == "f")
        for entry in entries.values():
            assert 0 < entry["min"] <= entry["median"]
            assert entry["rounds"] >= 2
            assert entry["worst"] <= TOLERANCE
        assert row["verdict"]["of_peak"] > 0
    assert result["machine"]["peak"]["float32"] > 0
    assert result["machine"]["read"] > 0
    environment = result["environment"]
    assert environment["children"]["SWEEPCONV_ISA"] == result["settings"]["isa"]
    assert environment["packages"]["numpy"] == np.__version__
    assert {"processor", "caches", "commit", "variables", "sweepconv"} <= environment.keys()


def test_a_missing_peer_is_named_and_one_that_dies_costs_its_own_rows_only(
        monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Child.ask

    def ask(self: Child, do: str, **request: Any) -> dict[str, Any]:
        if self.name == "numpy" and do == "prepare":
            self.stop()
            raise ChildError("the process ended with -11: ", died=True)
        return asked(self, do, **request)

    monkeypatch.setattr(Child, "ask", ask)
    monkeypatch.setattr(conductor, "lacks", lambda name: ["absent"] * (name == "torch"))
    plan = dataclasses.replace(tiny(match="overhead"), peers=("numpy", "torch"))
    found = judge(Conductor(plan).run())
    assert found["peers"]["torch"]["missing"] == ["absent"]
    (row,) = found["rows"]
    (lost,) = [e for e in row["entries"] if e["peer"] == "numpy"]
    assert (lost["status"], lost["median"]) == ("failed", None)
    assert row["verdict"]["ours"]
    assert row["verdict"]["ratio"] is None
    text = text_of(found)
    assert "torch is left out: not installed (absent)" in text
    assert "ended with -11" in text


def test_a_wrong_result_is_printed_and_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Child.ask

    def ask(self: Child, do: str, **request: Any) -> dict[str, Any]:
        answer = asked(self, do, **request)
        if self.name == "numpy" and do == "prepare":
            answer = {"status": "wrong", "worst": 1e5, "rms": 0.1}
        return answer

    monkeypatch.setattr(Child, "ask", ask)
    found = judge(Conductor(tiny(match="overhead")).run())
    (wrong,) = [e for e in found["rows"][0]["entries"] if e["peer"] == "numpy"]
    assert (wrong["status"], wrong["median"], wrong["rounds"]) == ("wrong", None, 0)
    assert re.search(r"Wrong results, not timed: 1\n +numpy, patches.*1e\+05", text_of(found))
    assert "1e+05" in html(found)


def test_effort() -> None:
    plan = dataclasses.replace(tiny(), budget=0.4, round_seconds=0.05)
    assert plan.effort(1e-3, 1e-3) == (8, 50)
    assert plan.effort(0.2, 0.2) == (3, 1)
    assert plan.effort(1e-9, 1e-9) == (8, math.ceil(0.05 / 1e-9))
    assert plan.effort(5.0, 0.01) == (2, 1)  # neither worth it
    assert dataclasses.replace(plan, budget=100.0).effort(0.05, 0.05) == (MOST_ROUNDS, 1)


def test_patience() -> None:
    plan = dataclasses.replace(tiny(), timeout=30.0)
    assert [plan.patience(ours) for ours in (1e-3, 0.05, 2.0)] == [10, 15, 30]


def test_figures_of_rounds() -> None:
    found = figures([5.0, 1.0, 2.0, 3.0, 4.0])
    assert (found["median"], found["min"], found["rounds"]) == (3, 1, 5)
    assert found["spread"] == pytest.approx(2 / 3)
    assert figures([2.0])["spread"] == 0


# Verdicts, on times of our choice


def timed(peer: str, entry: str, ms: float, **more: Any) -> Result:
    return entry_record(peer, entry, "right") | {
        "median": ms * 1e-3, "min": ms * 1e-3, "spread": 0.01, "worst": 1.0, "rms": 2e-7,
        "rounds": 5, "calls": 1} | more


def row_of(name: str, *entries: Result, direction: Any = "f", dtype: str = "float32") -> Result:
    case = Case(ROWS[name], direction, dtype)
    row = case.layer
    return {"id": case.id, "suite": row.suite, "layer": row.name, "family": row.family,
            "kind": row.kind, "direction": direction, "dtype": dtype, "flops": row.flops,
            "bytes": case.bytes, "entries": list(entries)}


LIMITS = {"peak": {"float32": 500e9, "float64": 250e9}, "read": 20e9, "copy": 15e9}


def made(result: Result, *rows: Result) -> Result:
    """The run with other rows and a machine of known limits."""
    changed = copy.deepcopy(result)
    changed["rows"], changed["machine"] = list(rows), LIMITS
    return judge(changed)


@pytest.fixture
def rows(result: Result) -> Result:
    return made(
        result,
        row_of("vgg19/conv1_2", timed(OURS, "first", 80), timed(OURS, "last packed", 40),
               timed("torch", "contiguous", 90), timed("onnxruntime", "session", 60)),
        row_of("vgg19/conv2_2", timed(OURS, "first", 50), timed("torch", "contiguous", 20),
               timed(OURS, "fast last", 10, rms=9e-7)),
        row_of("mobilenet_v1/conv5_1_dw", timed(OURS, "first", 1), timed("torch", "packed", 0.95),
               direction="w"),
        row_of("fir1d/fir1023_262k", timed(OURS, "first", 3), dtype="float64"))


def text_of(result: Result, width: int = 150) -> str:
    out = io.StringIO()
    show(Console(file=out, width=width), result)
    return out.getvalue()


def test_a_verdict(rows: Result) -> None:
    by_id = {row["id"]: row["verdict"] for row in rows["rows"]}
    first = by_id["vgg19/conv1_2 f float32"]
    assert first["ratio"] == pytest.approx(1.5)
    assert first["numpy_ratio"] == pytest.approx(1.5)
    assert (first["ours"]["entry"], first["peer"]["peer"]) == ("last packed", "onnxruntime")
    flops = 2 * 2 * 64 * 224**2 * 64 * 9
    assert first["gflops"] == pytest.approx(flops / 40e-3 / 1e9)
    assert first["of_peak"] == pytest.approx(flops / 40e-3 / 500e9)
    second = by_id["vgg19/conv2_2 f float32"]  # fast would win, and does not count
    assert second["ratio"] == pytest.approx(0.4)
    assert second["fast_ratio"] == pytest.approx(2)
    assert second["numpy_ratio"] is None
    alone = by_id["fir1d/fir1023_262k f float64"]
    assert alone["ratio"] is None
    assert alone["of_read"] == pytest.approx((2 * 262144 + 1023) * 8 / 3e-3 / 20e9)
    nobody = verdict(row_of("vgg19/conv1_2", entry_record(OURS, "first", "wrong"),
                            timed("torch", "contiguous", 1)), LIMITS)
    assert nobody["ours"] is None
    assert nobody["ratio"] is None


def test_losing_rows_come_first(rows: Result) -> None:
    ids = [row["layer"] for row in rows["rows"]]
    assert ids == ["conv2_2", "conv5_1_dw", "conv1_2", "fir1023_262k"]
    assert losing_first(reversed(rows["rows"])) == rows["rows"]
    text = text_of(rows)
    places = [text.index(word) for word in (
        "Losing rows", "▼ 0.40", "▼ 0.95", "The rest", "1.50", "No peer", "Forward")]
    assert places == sorted(places)


def test_summaries(rows: Result) -> None:
    found = {(s.direction, s.kind): s for s in summaries(rows["rows"])}
    every = found["f", "all float32"]
    assert (every.rows, every.clear, every.losing) == (2, 1, 1)
    assert every.mean == pytest.approx(math.sqrt(1.5 * 0.4))
    assert found["f", KINDS[0]].mean == every.mean
    assert (found["w", "depthwise"].clear, found["w", "depthwise"].losing) == (0, 1)
    assert (found["f", "float64"].rows, found["f", "float64"].mean) == (1, None)
    assert ("i", "all float32") not in found
    each = {(a.peer, a.direction): a for a in against(rows["rows"])}
    assert list(each) == [("torch", "f"), ("torch", "w"), ("onnxruntime", "f")]
    assert each["torch", "f"].mean == pytest.approx(math.sqrt(90 / 40 * 0.4))
    assert (each["torch", "f"].rows, each["torch", "f"].losing) == (2, 1)


@pytest.mark.parametrize("width", [80, 150])
def test_the_table_prints_figures_whole(rows: Result, width: int) -> None:
    text = text_of(rows, width)
    assert max(map(len, text.splitlines())) <= width
    for figure in ("▼ 0.40", "▼ 0.95", " 1.50 ", "2.0e-07   9.0e-07"):
        assert figure in text


# The report


def test_the_report_is_one_file_with_all_sections(result: Result, rows: Result) -> None:
    for one in (result, rows):
        text = html(one)
        outline = Outline()
        outline.feed(text)
        assert not outline.open
        assert outline.headings == SECTIONS
        assert not outline.tags & {"script", "link", "iframe", "object", "embed"}
        assert all(link.startswith("#") for link in outline.links)
        assert not re.search(r"@import|url\((?!#)", text)
        assert text.count("<svg") >= 5
        for row in one["rows"]:
            assert f"{row['suite']}/{row['layer']}" in text


def test_names_from_outside_are_escaped(rows: Result) -> None:
    rows["environment"]["processor"] = "<script>alert(1)</script>"
    assert "<script>" not in html(rows)


def test_a_result_without_peers_has_a_report(rows: Result) -> None:
    rows["rows"] = [row for row in rows["rows"] if row["verdict"]["ratio"] is None]
    assert "No row has a peer" in html(rows)


# Two results


def slower(result: Result, factors: dict[str, float], spread: float = 0.01) -> Result:
    changed = copy.deepcopy(result)
    for row in changed["rows"]:
        for entry in row["entries"]:
            entry["median"] *= factors.get(row["layer"], 1.0)
            entry["spread"] = spread
    return judge(changed)


def stored(folder: Path, name: str, result: Result) -> str:
    (folder / name).write_text(json.dumps(result))
    return str(folder / name)


def test_diff(rows: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = stored(tmp_path, "a.json", rows)
    b = stored(tmp_path, "b.json", slower(rows, {"conv1_2": 1.3, "conv5_1_dw": 1.06,
                                                 "fir1023_262k": 0.5, "conv2_2": 1.01}))
    assert cli.main(["bench", "diff", a, b]) == 1
    text = capsys.readouterr().out
    places = [text.index(word) for word in ("▼ +30%", "+6%", "-50%", "4 rows compared: 1 slower")]
    assert places == sorted(places)
    assert "conv2_2" not in text  # 1 % is noise
    assert cli.main(["bench", "diff", a, b, "--tolerance", "40"]) == 0
    assert cli.main(["bench", "diff", b, a]) == 1  # what was gained is lost
    assert cli.main(["bench", "diff", a, a]) == 0
    noisy = stored(tmp_path, "noisy.json", slower(rows, {"conv1_2": 1.3}, spread=0.4))
    assert cli.main(["bench", "diff", a, noisy]) == 0


def test_diff_tells_what_cannot_be_compared(rows: Result, tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    other = copy.deepcopy(rows)
    other["settings"]["isa"] = "none"
    del other["rows"][0]
    found = diff.compare(rows, other)
    assert len(found.changes) == 3
    assert found.only == [rows["rows"][0]["id"]]
    assert cli.main(["bench", "diff", stored(tmp_path, "a", rows),
                     stored(tmp_path, "b", other)]) == 0
    text = capsys.readouterr().out
    assert "cannot be compared: isa differs" in text
    assert "1 rows in one of the two only" in text


@pytest.mark.parametrize(("content", "complaint"), [
    (None, "cannot be read"), ("{", "not a JSON file"), ("{}", "not a result of sweepconv bench"),
    ('{"rows": [], "schema": 0}', "has schema 0")])
def test_diff_of_what_is_no_result(content: str | None, complaint: str, rows: Result,
                                   tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.json"
    if content is not None:
        bad.write_text(content)
    assert cli.main(["bench", "diff", stored(tmp_path, "a", rows), str(bad)]) == 2
    assert complaint in capsys.readouterr().err


# The command


def test_the_command_runs_prints_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sweepconv.bench.plan.MOST", 2**22)
    out = tmp_path / "new"
    assert cli.main(["bench", "--quick", "--match", "overhead", "--peers", "numpy", "--budget",
                     "0.001", "--threads", "1", "--isa", "baseline", "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["bench.html", "bench.json"]
    kept = diff.read(out / "bench.json")
    assert kept["settings"]["isa"] == "baseline"
    assert kept["rows"][0]["verdict"]["ours"]
    shown = capsys.readouterr()
    assert "overhead/call_1x1x8x8_k3" in shown.out
    assert "bench.html" in shown.out
    assert shown.err == ""


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 * len(ROWS) - 4 + 1  # overhead and denormals: forward alone
    assert cli.main(["bench", "--list", "--suite", "vgg19", "--dir", "w", "--every", "2"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[:-1]] == [
        "vgg19/conv1_2", "vgg19/conv3_2"]


@pytest.mark.parametrize(("options", "complaint"), [
    (["--suite", "alexnet,resnet"], "--suite resnet: no such suite"),
    (["--match", "no such row"], "no row is left"),
    (["--match", "("], "not a regular expression"),
    (["--dir", "f,b"], "--dir b: must be of f, i, w"),
    (["--dtype", "float16"], "--dtype float16: must be of float32, float64"),
    (["--peers", "caffe"], "--peers caffe: must be of numpy"),
    (["--isa", "mmx"], "--isa mmx: this machine runs"),
    (["--suite", "overhead", "--dir", "w"], "no row is left"),
])
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
        options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", *options]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert complaint in shown.err


@pytest.mark.parametrize("options", [["--threads", "0"], ["--budget", "0"], ["--every", "0"],
                                     ["--budget", "nan"], ["diff", "a.json"]])
def test_bad_options_give_exit_code_2(options: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["bench", *options])
    assert caught.value.code == 2


def test_nothing_of_it_is_loaded_with_the_package() -> None:
    code = "import json, sys, sweepconv; print(json.dumps(sorted(sys.modules)))"
    assert not [name for name in child(code) if name.startswith(("sweepconv.bench", "rich"))]


def test_every_peer_has_its_file() -> None:
    folder = Path(fingerprint.__file__).parent / "peers"
    for info in PEERS.values():
        assert "class Peer(PeerBase):" in (folder / f"{info.file}.py").read_text(encoding="utf-8")
