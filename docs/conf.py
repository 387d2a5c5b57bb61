"""Sphinx: the tutorial's scripts, the pages in Markdown and the reference, without the network."""

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "src"))
os.environ.setdefault("MPLBACKEND", "Agg")  # pictures go to files, on machines without a screen

import sweepconv  # noqa: E402 (found by the lines above)

project = "sweepconv"
author = "sweepconv developers"
copyright = author  # noqa: A001 (Sphinx asks for this name)
version = release = sweepconv.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
