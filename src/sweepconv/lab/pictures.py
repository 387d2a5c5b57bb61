"""The learned filters, and where one of them answers, as small arrays for the report."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sweepconv.layers import Sequential

from .measures import shift
from .networks import maps_of
from .plan import Sweep
from .tasks import Task

Array: TypeAlias = "npt.NDArray[Any]"

SHOWN = 4  # filters in a row and rows of filters
DIGITS = 4  # decimals kept: more than an eye can tell


def _plain(a: Array) -> list[Any]:
    return np.round(a.astype(np.float64), DIGITS).tolist()  # type: ignore[no-any-return]


def _example(task: Task, by: tuple[int, ...]) -> tuple[Array, tuple[int, ...]]:
    """An image of the last class that loses least when it is moved by `by` or against it."""
    images = task.test_x[task.test_y == task.test_y.max()]
    ways = [by, tuple(-b for b in by)]
    kept = [np.abs(shift(images, way)).sum(axis=tuple(range(1, images.ndim))) for way in ways]
    share = np.stack(kept) / np.maximum(np.abs(images).sum(axis=tuple(range(1, images.ndim))), 1e-9)
    way, i = np.unravel_index(share.round(6).argmax(), share.shape)
    return images[i:i + 1], ways[way]


def _clearest(maps: Array) -> int:
    """The map (1, maps, *out) that stands out most at one place: greatest maximum over median."""
    flat = maps[0].reshape(maps.shape[1], -1)
    return int((flat.max(axis=1) - np.median(flat, axis=1)).argmax())


def _filters(family: str, net: Sequential, sweep: Sweep, shown: int) -> Array:
    """Up to 4x4 filters (rows, columns, *kernel), first channel.

    conv: one of each map.  tiled: a row is one map with its filters of one period.  local and
    dense: the filters of map `shown` at the places in the middle.
    """
    w = net.layers[0].params["w"]
    if family == "conv":
        w = w[:, 0]  # (maps, *kernel)
        rows = [w[i:i + SHOWN] for i in range(0, min(len(w), SHOWN * SHOWN), SHOWN)]
        return np.stack([row for row in rows if len(row) == len(rows[0])])
    if family == "tiled":
        bank = w[..., :SHOWN, 0, :, :].reshape(-1, min(SHOWN, sweep.maps), *sweep.kernel)
        return bank[:SHOWN].swapaxes(0, 1)
    if family == "local":
        places = w[..., shown, 0, :, :]  # (*out, *kernel)
    else:
        places = w.reshape(sweep.maps, *sweep.out, *w.shape[1:])[shown, :, :, 0]
    low = [max(0, (n - SHOWN) // 2) for n in sweep.out]
    return places[low[0]:low[0] + SHOWN, low[1]:low[1] + SHOWN]


def pictures(nets: dict[str, Sequential], sweep: Sweep, task: Task) -> dict[str, Any] | None:
    """What the report draws; None unless images have two spatial axes.

    The image is moved along its last axis by one period of the tile-shared layer, a move that
    the maps of tiled and conv must follow exactly.
    """
    if len(sweep.out) != 2:
        return None
    image, by = _example(task, (0, sweep.stride[1] * sweep.period))
    moved = shift(image, by)
    families = {}
    for family, net in nets.items():
        before = maps_of(net, sweep, image)
        shown = _clearest(before)
        after = maps_of(net, sweep, moved)
        families[family] = {
            "shown_map": shown,
            "map": _plain(np.maximum(before[0, shown], 0)),
            "moved_map": _plain(np.maximum(after[0, shown], 0)),
            "filters": _plain(_filters(family, net, sweep, shown)),
        }
    return {"image": _plain(image[0, 0]), "moved_image": _plain(moved[0, 0]), "moved_by": list(by),
            "families": families}
