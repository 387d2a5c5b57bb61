"""A small drawing of each family: what one filter sees, and which filter serves which place."""

from __future__ import annotations

from sweepconv.output.svg import INK

from .plots import COLOURS

PLACES = 4  # per axis of the drawn map
SIDE = 84  # of image and map
LETTERS = "abcdefghijklmnop"


def _filter_at(family: str, row: int, column: int) -> int:
    """f(p), the one thing that tells the families apart."""
    if family == "conv":
        return 0
    if family == "tiled":
        return row % 2 * 2 + column % 2
    return row * PLACES + column


def sketch(family: str) -> str:
    """Inline SVG: the image with one filter on it, and the map with a letter per filter."""
    colour, cell = COLOURS[family], SIDE / PLACES
    seen = SIDE if family == "dense" else 30
    at = 0 if family == "dense" else 22
    parts = [
        f'<svg viewBox="0 0 216 100" role="img" aria-label="{family}" class="sketch">',
        f'<rect x="1" y="1" width="{SIDE}" height="{SIDE}" fill="#f4f4f1" stroke="{INK}"/>',
        f'<g fill="{colour}" fill-opacity=".35" stroke="{colour}" stroke-width="2">',
        f'<rect x="{1 + at}" y="{1 + at}" width="{seen}" height="{seen}"/></g>',
        f'<path d="M96 43h20m-6-5l6 5-6 5" fill="none" stroke="{INK}"/>',
    ]
    for row in range(PLACES):
        for column in range(PLACES):
            f = _filter_at(family, row, column)
            x, y = 128 + column * cell, 1 + row * cell
            parts.append(
                f'<rect x="{x:g}" y="{y:g}" width="{cell:g}" height="{cell:g}" fill="{colour}" '
                f'fill-opacity="{0.15 + 0.5 * (f * 7 % 16) / 15:.2f}" stroke="#fff"/>'
                f'<text x="{x + cell / 2:g}" y="{y + cell / 2 + 4:g}" text-anchor="middle" '
                f'font-size="11" fill="{INK}">{LETTERS[f]}</text>')
    parts.append('<text x="1" y="98" font-size="10">one filter sees</text>'
                 '<text x="126" y="98" font-size="10">filter at a place</text></svg>')
    return "".join(parts)


def marker(family: str) -> str:
    """The family's mark of the plots, for legends in the text."""
    shape = {
        "dense": '<rect x="2" y="2" width="10" height="10"/>',
        "local": '<path d="M7 1l6 11H1z"/>',
        "tiled": '<path d="M7 0l7 7-7 7-7-7z"/>',
        "conv": '<circle cx="7" cy="7" r="5.5"/>',
    }[family]
    return (f'<svg viewBox="0 0 14 14" class="mark" aria-hidden="true" fill="{COLOURS[family]}">'
            f"{shape}</svg>")
