"""`sweepconv explore`: the page written, and opened if asked for."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from sweepconv.output.files import writable_folder, write_whole

from .page import html
from .samples import samples


def explore(*, out: str = "explore.html", digits: int = 10, show: bool = False) -> Path:
    """Write the page to `out`; ValueError says what cannot be done."""
    path = Path(out)
    if path.is_dir():
        raise ValueError(f"--out {path}: must be a file, but is a folder")
    writable_folder(path.parent)
    chosen = samples(digits)
    text = html(chosen)
    write_whole(path, text)
    print(f"{path}: {len(text.encode()) / 1000:.0f} kB, "
          f"{len(chosen.digits)} digit{'s' if len(chosen.digits) > 1 else ''} to choose from; "
          "open it in any browser")
    if show and not webbrowser.open(path.resolve().as_uri()):
        raise ValueError(f"--open: no browser was found; {path} is written")
    return path
