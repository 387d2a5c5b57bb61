"""The tutorial's scripts run, without a warning; each says something and shows something."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "tutorial").glob("*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs(page: Path, capsys: pytest.CaptureFixture[str],
                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    import matplotlib
    import matplotlib.pyplot as plt

    with matplotlib.rc_context():  # a page may choose a style
        matplotlib.use("Agg", force=True)
        monkeypatch.setattr(plt, "show", lambda: None)  # Agg has no screen and would warn
        plt.close("all")
        try:
            runpy.run_path(str(page), run_name="__main__")
            figures = [plt.figure(number) for number in plt.get_fignums()]
            for figure in figures:
                figure.canvas.draw()  # what does not fit or cannot be drawn warns here
        finally:
            plt.close("all")
    assert figures, "no picture"
    assert capsys.readouterr().out.strip(), "nothing printed"


def test_the_pages_follow_each_other() -> None:
    """Numbers in names and titles agree, since pages speak of each other by number."""
    for number, page in enumerate(PAGES, 1):
        title = page.read_text(encoding="utf-8").splitlines()[1]
        assert re.match(rf"plot_{number}_", page.stem)
        assert title.startswith(f"{number}. ")
    assert len(PAGES) == 7
