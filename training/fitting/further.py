"""Corpora that train beside the first one, where some of them are left out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from training.corpora.layouts.listed_sets import EVERYDAY
from training.fitting.recipe import Further, Recipe


def spread_weight(further: tuple[Further, ...], left_out: Collection[str]) -> tuple[Further, ...]:
    """Return further corpora as they train where some are left out: what nobody rated keeps its sum of weights and of draws.

    How much ordinary speech there is decides how much is called neutral, so that a net without some sets of it is like one with all only
    if the others take their place. Entries of what is left out stay as they are.

    Args:
        further: of a recipe.
        left_out: layouts.
    """
    ordinary = [item for item in further if item.corpus in EVERYDAY]
    kept = [item for item in ordinary if item.corpus not in left_out]
    if len(kept) in {0, len(ordinary)}:
        return further
    more = {
        name: sum(getattr(i, name) for i in ordinary) / sum(getattr(i, name) for i in kept)
        for name in ("weight", "drawn")
    }
    return tuple(
        replace(item, weight=item.weight * more["weight"], drawn=item.drawn * more["drawn"]) if item in kept else item
        for item in further
    )


def spread_recipe(recipe: Recipe, left_out: Collection[str]) -> Recipe:
    """Return a recipe with stages whose further corpora train as `spread_weight` says."""
    stages = recipe.find_stages()
    further = spread_weight(stages.tune.further, left_out)
    return replace(recipe, stages=replace(stages, tune=replace(stages.tune, further=further)))
