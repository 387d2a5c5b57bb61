"""Filters packed once and used often: `pack` and the handle that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _kernels, _sweep
from ._arrays import Array, operands
from .geometry import frozen, per_axis

PACKABLE = {
    f"{family}{verb}": bank
    for family, bank in (("conv", False), ("tiled_conv", True), ("local_conv", True))
    for verb in ("", "_input_grad")
} | {"conv_transpose": False, "dense": False, "dense_input_grad": False}


def _canonical(verb: str, keywords: Mapping[str, Any], rank: int) -> dict[str, Any]:
    """Keywords in the one form in which equal ones are equal: per axis, defaults filled in."""
    given = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros",
             "algorithm": "direct",
             **({"output_padding": 0} if verb == "conv_transpose" else {}), **keywords}
    for name in ("stride", "dilation", "output_padding"):
        if name in given:
            given[name] = per_axis(verb, name, given[name], rank, 0)
    padding = given["padding"]
    if not isinstance(padding, str):
        entries = (padding,) * rank if isinstance(padding, int) else padding
        given["padding"] = tuple((p, p) if isinstance(p, int) else p for p in entries)
    return given


MOST_PANELS = 8  # geometries that a handle keeps panels for, each as large as the weights


class PackedFilters:
    """A copy of weights, with the panels that the sweep makes of them kept after the first use.

    Made by `pack`.  The panels depend on the image's geometry, not on the number of images: each
    of the last few image sizes packs once.
    """

    def __init__(self, given: Array, verb: str, keywords: dict[str, Any]) -> None:
        self.given = given
        # As the engine takes them: a dense filter is one pixel with all elements as channels.
        self.w = given.reshape(len(given), -1, 1) if verb.startswith("dense") else given
        self.verb = verb
        self.keywords = keywords
        self._accepted: Mapping[str, Any] = keywords  # the last that came and were found equal
        self._panels: dict[tuple[int, str, bool, int], _sweep.Packed] = {}
        self.known: dict[bytes, Any] = {}  # of calls that came before: see _known.py

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return self.w.ndim // 2 - 1 if PACKABLE[self.verb] else self.w.ndim - 2

    def require(self, verb: str, keywords: Mapping[str, Any]) -> None:
        """Raise unless `verb` with `keywords` is what these filters were packed for."""
        if verb != self.verb:
            raise ValueError(f"{verb}: w was packed for {self.verb!r}")
        keywords = {name: frozen(verb, name, value) for name, value in keywords.items()}
        if self._accepted == keywords:
            return
        ours, theirs = (_canonical(verb, k, self.rank) for k in (self.keywords, keywords))
        for name, value in theirs.items():
            if ours[name] != value:
                raise ValueError(f"{verb}: w was packed with "
                                 f"{name}={self.keywords.get(name, ours[name])!r}, "
                                 f"got {name}={keywords.get(name, value)!r}")
        self._accepted = keywords

    def panels(self, plan: _sweep.Plan, groups: int, transposed: bool, threads: int,
               last: bool, winograd: int) -> _sweep.Packed:
        """The panels for one plan, instruction set and memory order, packed at first use."""
        # A Packed keeps its plan alive, so the id stays its.
        key = (id(plan), _kernels.active(), last, winograd)
        found = self._panels.get(key)
        if found is None:
            found = _sweep.pack(plan, self.w, self.rank, groups, transposed, threads, last,
                                 winograd)
            found = self._panels.setdefault(key, found)
            if len(self._panels) > MOST_PANELS:
                oldest, *_ = self._panels
                self._panels.pop(oldest, None)
        return found

    def __repr__(self) -> str:
        return f"PackedFilters({self.verb!r}, w.shape={self.given.shape}, {self.given.dtype})"


def pack(w: Any, *, verb: str = "conv", **keywords: Any) -> PackedFilters:
    """Filters for repeated calls of one verb: the verb takes the handle in the place of `w`.

    Parameters
    ----------
    w : array, the weights as the verb takes them; copied, so that later changes have no effect.
    verb : "conv", "conv_input_grad", "conv_transpose", the same of `tiled_conv` and `local_conv`,
        "dense" or "dense_input_grad".
    **keywords : the keywords of that verb that the calls will use: stride, padding, ...

    Raises
    ------
    ValueError, TypeError
        For a verb that takes no filters or keywords that it does not have; and later, from the
        verb, for a call with other keywords.

    Examples
    --------
    >>> import numpy as np
    >>> import sweepconv as sc
    >>> x, w = np.ones((1, 2, 5), np.float32), np.ones((3, 2, 3), np.float32)
    >>> handle = sc.pack(w, padding="same")
    >>> bool((sc.conv(x, handle, padding="same") == sc.conv(x, w, padding="same")).all())
    True
    """
    if verb not in PACKABLE:
        raise ValueError(f"pack: verb must be one of {', '.join(map(repr, PACKABLE))}, "
                         f"got {verb!r}")
    allowed = set() if verb.startswith("dense") else {
        "stride", "padding", "dilation", "groups", "padding_mode", "algorithm",
        *(("output_padding",) if verb == "conv_transpose" else ())}
    if unknown := set(keywords) - allowed:
        raise TypeError(f"pack: {verb} has no keyword {min(unknown)!r}")
    choices = ("direct", "fast", *(() if PACKABLE[verb] else ("winograd",)))
    if keywords.get("algorithm", "direct") not in choices:
        raise ValueError(f"pack: {verb}: algorithm must be one of "
                         f"{', '.join(map(repr, choices))}, got {keywords['algorithm']!r}")
    (array,) = operands("pack", w=w)
    least = 4 + (array.ndim % 2) if PACKABLE[verb] else 2 if verb.startswith("dense") else 3
    if array.ndim < least or (PACKABLE[verb] and array.ndim % 2):
        raise ValueError(f"pack: w does not have the axes that {verb} takes, "
                         f"got w.shape = {array.shape}")
    keywords = {name: frozen(f"pack: {verb}", name, value) for name, value in keywords.items()}
    handle = PackedFilters(array.copy(order="C"), verb, keywords)
    _canonical(f"pack: {verb}", keywords, handle.rank)  # malformed keywords fail here already
    return handle
