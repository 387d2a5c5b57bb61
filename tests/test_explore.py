"""`sweepconv explore` without a browser: one file that loads nothing, and errors in one line.

What the page does is tested in tests/browser, by `make test-browser`.
"""

import json
import re
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import Outline, child

from sweepconv import cli, datasets
from sweepconv.explore import page
from sweepconv.explore.samples import MOST, Sample, Samples, glyph, samples

FOLDER = Path(page.__file__).parent
TITLES = ["The image", "The map", "The strong filter",
          "One cell of the map is one sum", "Does the map move with the digit?",
          "How far may the digit move?"]


def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("not installed")

    monkeypatch.setattr(datasets, "mnist5k", missing)
    monkeypatch.setattr(datasets, "digits", missing)


def built_in(monkeypatch: pytest.MonkeyPatch) -> str:
    no_packages(monkeypatch)
    return page.html(samples(10))


def data(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_is_one_file_that_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = built_in(monkeypatch)
    outline = Outline()
    outline.feed(text)
    assert not outline.open
    assert outline.headings == TITLES
    assert outline.links == []
    assert not outline.tags & {"link", "iframe", "object", "embed", "img"}
    assert not re.search(r"https?://|@import|url\(|\bfetch\(|XMLHttpRequest|import\(|\{\{", text)
    assert "default-src 'none'" in text  # the browser is told so as well
    assert len(text.encode()) < 100_000


def test_the_page_stays_small_with_all_the_digits_it_may_hold() -> None:
    noise = np.random.default_rng(0).integers(0, 10, (MOST + 1, 28, 28)).astype(np.uint8)
    many = Samples(tuple(Sample(f"handwritten {i}", x) for i, x in enumerate(noise)), "Noise.")
    text = page.html(many)
    assert len(text.encode()) < 500_000
    assert [[int(v) for v in d["pixels"]] for d in data(text)] == noise.reshape(-1, 784).tolist()


def test_names_are_escaped() -> None:
    text = page.html(Samples((Sample("</script><b>", glyph()),), "<i>{{data}}</i>"))
    assert "<b>" not in text
    assert "&lt;i&gt;{{data}}&lt;/i&gt;" in text
    assert data(text)[0]["label"] == "</script><b>"


def test_no_script_can_end_its_element() -> None:
    for name in page.SCRIPTS:
        assert "</" + "script" not in (FOLDER / name).read_text(encoding="utf-8").lower()


def test_every_part_is_used_and_every_element_that_is_asked_for_exists() -> None:
    assert {p.name for p in FOLDER.glob("*.js")} == set(page.SCRIPTS)
    frame = (FOLDER / "explore.html").read_text(encoding="utf-8")
    ids = set(re.findall(r'\bid="([\w-]+)"', frame))
    script = "".join(p.read_text(encoding="utf-8") for p in FOLDER.glob("*.js"))
    asked = set(re.findall(r'\bget\("([\w-]+)"\)', script))
    assert asked
    assert asked <= ids
    for reference in re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', frame):
        assert set(reference.split()) <= ids


def luminance(colour: str) -> float:
    """As WCAG 2 defines it, of #rrggbb."""
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_enough_in_light_and_dark() -> None:
    """AA of WCAG 2: 4.5 for text, 3 for what marks a control or a figure."""
    style = (FOLDER / "explore.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", block))
        for text, ground in (("ink", "paper"), ("soft", "paper"), ("accent", "paper"),
                             ("ink", "wash"), ("on-accent", "accent")):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for mark in ("control", "positive", "negative", "unequal", "mark", "unknown"):
            assert contrast(colours[mark], colours["paper"]) >= 3, mark
        assert contrast(colours["mark"], colours["halo"]) >= 3


# Digits


def test_the_built_in_digit_has_its_59_pixels() -> None:
    assert np.count_nonzero(glyph()) == 59
    assert set(np.unique(glyph())) == {0, 9}


def test_without_the_extra_there_is_the_built_in_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(data(built_in(monkeypatch))) == 1


def test_the_page_needs_numpy_alone() -> None:
    code = """if True:
        import json, sys
        from sweepconv.explore.command import explore
        print(json.dumps(sorted({"matplotlib", "rich", "sklearn", "pandas"} & set(sys.modules))))
    """
    assert child(code) == []


def test_digits_are_one_of_each_class_in_turn() -> None:
    chosen = samples(13).digits
    assert [s.label for s in chosen[1:]] == [f"handwritten {i % 10}" for i in range(13)]
    assert all(s.pixels.shape == (28, 28) and s.pixels.max() == 9 for s in chosen)
    assert len({s.pixels.tobytes() for s in chosen}) == 14
    assert len(samples(0).digits) == 1


def test_small_digits_are_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.zeros((1, 1, 8, 8), np.float32)
    x[0, 0, 2, 3] = 1
    no_packages(monkeypatch)
    monkeypatch.setattr(datasets, "digits", lambda: (x, np.array([7])))
    chosen = samples(1)
    assert [s.label for s in chosen.digits[1:]] == ["handwritten 7"]
    rows, columns = np.nonzero(chosen.digits[1].pixels)
    assert set(rows) == {10, 11}
    assert set(columns) == {12, 13}


# Command


def test_the_command_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    no_packages(monkeypatch)
    out = tmp_path / "new" / "page.html"
    assert cli.main(["explore", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == page.html(samples(10))
    assert stat.S_IMODE(out.stat().st_mode) == 0o644
    assert [p.name for p in out.parent.iterdir()] == ["page.html"]
    assert "1 digit to choose from" in capsys.readouterr().out


def test_the_page_is_opened_if_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def note(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", note)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["explore", "--open", "--digits", "0"]) == 0
    assert opened == [(tmp_path / "explore.html").resolve().as_uri()]


@pytest.mark.parametrize(("options", "complaint"), [
    (["--out", "folder"], r"--out folder: must be a file, but is a folder"),
    (["--out", "file/page.html"], r"--out file: cannot write there"),
    (["--digits", "301"], r"--digits must be from 0 to 300, got 301"),
    (["--open"], r"--open: no browser was found; explore\.html is written"),
])
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
        options: list[str], complaint: str) -> None:
    no_packages(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert cli.main(["explore", *options]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert re.search(complaint, said)


def test_a_negative_number_of_digits_is_refused() -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["explore", "--digits", "-1"])
    assert caught.value.code == 2
