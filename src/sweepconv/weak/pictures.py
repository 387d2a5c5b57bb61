"""The maps of weak filters side by side, with Matplotlib, which is imported when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv._arrays import operands

from .detection import Combine, Parts, detection_map, responses

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array: TypeAlias = "npt.NDArray[Any]"
INK, FAINT = "#222222", "#d9d9d6"


def show_maps(x: npt.ArrayLike, parts: Parts, *, names: list[str] | None = None,
              combine: Combine = "min") -> Figure:
    """A row for each image: the image, the map of each weak filter, and their detection map.

    A map is drawn where the filter's first corner lies in the image, grey where it would not fit,
    on a scale from 0 to 1; below it stands its maximum, with a ring at its place.

    Parameters
    ----------
    x : (N, 1, height, width), a few images.
    parts : the pattern's weak filters and their offsets.
    names : of the images, for the rows.
    combine : as in `detection_map`.

    Returns
    -------
    matplotlib.figure.Figure
        Shown in a notebook; `.savefig(path)` writes it.  Needs `pip install sweepconv[lab]`.
    """
    (images,) = operands("show_maps", x=x)
    if images.ndim != 4 or images.shape[1] != 1 or not len(images):
        raise ValueError("show_maps: x must be (N, 1, height, width), N at least 1, "
                         f"got x.shape = {images.shape}")
    rows = [f"image {i}" for i in range(len(images))] if names is None else list(names)
    if len(rows) != len(images):
        raise ValueError(f"show_maps: names must be one for each of the {len(images)} images, "
                         f"got {len(rows)}")
    maps = {name: responses(images, w) for name, w in parts.filters.items()}
    maps[f"together ({combine})"] = detection_map(images, *parts, combine)
    return _draw(images[:, 0], rows, maps)


def _draw(images: Array, rows: list[str], maps: dict[str, Array]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("show_maps needs Matplotlib: pip install sweepconv[lab]") from None
    columns = 1 + len(maps)
    figure = Figure(figsize=(1.9 * columns, 2.05 * len(rows) + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for i, row in enumerate(rows):
        _image(grid[i, 0], images[i], row)
        for j, (name, swept) in enumerate(maps.items()):
            _map(grid[i, 1 + j], swept[i], images[i].shape)
            if i == 0:
                grid[i, 1 + j].set_title(name, fontsize=10, color=INK, fontweight="bold")
    return figure


def _image(axes: Axes, image: Array, name: str) -> None:
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=max(1.0, float(image.max())))
    axes.set_ylabel(name, fontsize=10, color=INK)
    axes.set(xticks=[], yticks=[])


def _map(axes: Axes, swept: Array, size: tuple[int, ...]) -> None:
    axes.imshow(swept, cmap="viridis", vmin=0, vmax=1)
    row, column = np.unravel_index(int(swept.argmax()), swept.shape)
    axes.plot(column, row, "o", markersize=11, markerfacecolor="none", markeredgecolor="white")
    axes.set_xlabel(f"greatest {float(swept.max()):.2f}", fontsize=9, color=INK)
    axes.set(xticks=[], yticks=[], facecolor=FAINT, xlim=(-0.5, size[1] - 0.5),
             ylim=(size[0] - 0.5, -0.5))
