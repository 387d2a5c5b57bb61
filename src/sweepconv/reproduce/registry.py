"""All recipes in the order in which they are shown: what is cheap first."""

from __future__ import annotations

from collections.abc import Sequence

from .recipe import Recipe
from .recipes import (
    aps,
    cnn_to_dense,
    counts,
    dots,
    dsd,
    fourier,
    mnist1d,
    novak,
    ols,
    pooling,
    red_green,
)

RECIPES = {recipe.id: recipe for recipe in (
    counts.RECIPE, ols.RECIPE, novak.RECIPE, aps.RECIPE, red_green.EXACT, dsd.RECIPE,
    fourier.RECIPE, dots.RECIPE, mnist1d.RECIPE, pooling.RECIPE, cnn_to_dense.RECIPE,
    red_green.RECIPE,
)}


def chosen(ids: Sequence[str]) -> list[Recipe]:
    """The recipes of these ids, all if there is none; ValueError names the unknown."""
    unknown = [name for name in ids if name not in RECIPES]
    if unknown:
        raise ValueError(f"no such id: {', '.join(unknown)}; there are {', '.join(RECIPES)}")
    return [recipe for name, recipe in RECIPES.items() if not ids or name in ids]
