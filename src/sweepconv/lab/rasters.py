"""Filters and maps as PNG images inside the page, pixel for pixel."""

from __future__ import annotations

import base64
import io
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.image import imsave

Array: TypeAlias = "npt.NDArray[Any]"

CELL = 12  # pixels of one cell of a map, room for a frame
EDGE = 2  # pixels of that frame


def _png(rgb: Array) -> str:
    """A data URI of rgb (height, width, 3), values 0 to 1."""
    out = io.BytesIO()
    imsave(out, np.ascontiguousarray(rgb), format="png", metadata={"Software": "sweepconv"})
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def _ink(a: Array) -> Array:
    """White for 0, dark for the maximum."""
    grey = 1 - 0.87 * np.clip(a, 0, None) / max(float(a.max()), 1e-9)
    return np.repeat(grey[..., None], 3, axis=-1)


def picture(image: Any) -> str:
    """An image (height, width), dark on white."""
    return _png(_ink(np.asarray(image, dtype=float)))


def map_picture(values: Any, framed: tuple[int, int] | None, colour: str) -> str:
    """A map (height, width) in large cells, one of them framed."""
    a = np.asarray(values, dtype=float)
    rgb = np.kron(_ink(a), np.ones((CELL, CELL, 1)))
    if framed is not None:
        top, left = framed[0] * CELL, framed[1] * CELL
        inside = rgb[top + EDGE:top + CELL - EDGE, left + EDGE:left + CELL - EDGE].copy()
        rgb[top:top + CELL, left:left + CELL] = to_rgb(colour)
        rgb[top + EDGE:top + CELL - EDGE, left + EDGE:left + CELL - EDGE] = inside
    return _png(rgb)


def mosaic(filters: Any) -> str:
    """Filters (rows, columns, height, width) side by side with white gaps.

    Blue is a positive weight, red a negative one, white 0; the strongest weight of each filter
    has the full colour.
    """
    a = np.asarray(filters, dtype=float)
    rows, columns, height, width = a.shape
    a = a / np.maximum(np.abs(a).max(axis=(2, 3), keepdims=True), 1e-9)
    gap = max(1, width // 14)
    sheet = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for r in range(rows):
        for c in range(columns):
            top, left = r * (height + gap), c * (width + gap)
            sheet[top:top + height, left:left + width] = colormaps["RdBu"](
                0.5 + a[r, c] / 2)[..., :3]
    return _png(sheet)


def peak(values: Any) -> tuple[int, int]:
    """Where a map is greatest: (row, column)."""
    a = np.asarray(values)
    row, column = np.unravel_index(a.argmax(), a.shape)
    return int(row), int(column)
