"""The page as one text that loads nothing: frame, style, digits and scripts put together."""

from __future__ import annotations

import json
import re
from html import escape
from importlib.resources import files

from sweepconv.output.page import CSS

from .samples import Samples

# In this order, since explore.js starts the page with what the others define.
SCRIPTS = ("arithmetic.js", "filters.js", "words.js", "drawing.js", "model.js", "show.js",
           "sweep.js", "change.js", "controls.js", "explore.js")


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _data(samples: Samples) -> str:
    """JSON that cannot end the element it stands in."""
    digits = [{"label": s.label, "pixels": "".join(map(str, s.pixels.ravel()))}
              for s in samples.digits]
    return json.dumps(digits).replace("<", "\\u003c")


def html(samples: Samples) -> str:
    """The whole page."""
    parts = {
        "style": CSS + _part("explore.css"),
        "source": escape(samples.source),
        "data": _data(samples),
        "script": '"use strict";\n' + "\n".join(map(_part, SCRIPTS)),
    }
    # In one pass, so that nothing is looked for in what was put in.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("explore.html"))
