"""Sphinx: the tutorial, the pages in Markdown and the reference; a build needs no network.

The tutorial is a gallery of scripts that run at every build: what a page says and shows is what its
code gave.  Docstrings are plain text for a terminal, in which types are sentences; so they are put
into reStructuredText here: sections of names become lists, what is indented elsewhere is literal,
stars and bars are themselves.
"""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))
os.environ.setdefault("MPLBACKEND", "Agg")  # pictures go to files, on machines without a screen

import sweepconv  # noqa: E402 (found by the lines above)

project = "sweepconv"
author = "sweepconv developers"
project_copyright = author
version = release = sweepconv.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary",
              "sphinx_gallery.gen_gallery"]
exclude_patterns = ["_build", "tutorial"]  # the gallery makes pages of the scripts
templates_path = ["_templates"]
nitpicky = True

html_theme = "alabaster"
html_theme_options = {
    "description": "Dense, local, tile-shared and convolutional layers as one sweep",
    "fixed_sidebar": True, "page_width": "1240px", "body_max_width": "auto",
    "body_text": "#222222", "link": "#005a9c", "link_hover": "#b34700", "gray_1": "#333333",
    "show_powered_by": False,
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
html_show_sourcelink = False
html_copy_source = False
pygments_style = "tango"

autodoc_typehints = "none"  # docstrings tell shapes and meaning, which types do not
autodoc_inherit_docstrings = False
autosummary_generate = True
default_role = "code"

sphinx_gallery_conf = {
    "examples_dirs": "tutorial",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "image_srcset": ["2x"],
    "capture_repr": (),  # what a page says is printed
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    # Times differ from build to build, and are those of a machine that nobody knows.
    "write_computation_times": False,
    "min_reported_time": 10**6,
}

UNDERLINE = re.compile(r"-{3,}")
LISTS = ("Parameters", "Returns", "Yields", "Raises", "Attributes")  # sections of names


def plain(lines: list[str]) -> Iterator[str]:
    """A docstring's lines as reStructuredText."""
    section, literal, example, before = "", False, False, ""
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        example = line.startswith(">>>") or (example and bool(line))
        if UNDERLINE.fullmatch(after) and not before:
            section, literal = line, False
            yield from (f".. rubric:: {line}", "")
        elif UNDERLINE.fullmatch(line) and before == section:
            pass
        elif section in LISTS:
            yield from named(line, before)
        else:
            indented = line.startswith("    ") and not example
            if indented and not before and not literal:
                yield from ("::", "")
            literal = indented or (literal and not line)
            yield line if literal or example else escaped(line)
        before = line


def named(line: str, before: str) -> Iterator[str]:
    """A line of a section of names: `name : what it is`, with more below, indented."""
    name, colon, text = line.partition(" : ")
    if line.startswith(" "):
        # A new sentence stands apart; what goes on does not.
        if line.strip()[0].isupper() and not before.startswith(" ") and before[-1] not in ",;:":
            yield ""
        yield "  " + escaped(line.strip())
    elif colon or (line and before):
        yield f"* ``{name}``{colon}{escaped(text)}"
    else:
        yield escaped(line)


def escaped(line: str) -> str:
    """Marks that are meant as they stand; what is between backquotes is code already."""
    parts = re.split(r"(`+[^`]*`+)", line)
    return "".join(p if p.startswith("`") else re.sub(r"([*|\\])", r"\\\1", p) for p in parts)


def on_docstring(_app: Any, _what: str, _name: str, _object: Any, _options: Any,
                 lines: list[str]) -> None:
    lines[:] = plain(lines)


def on_member(_app: Any, _what: str, _name: str, member: Any, skip: bool, _options: Any) -> bool:
    """Fields of named tuples have no docstring of their own but "Alias for field number 0"."""
    return skip or type(member).__name__ == "_tuplegetter"


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", on_docstring)
    app.connect("autodoc-skip-member", on_member)
