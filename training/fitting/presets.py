"""Recipes by name, and what can be left out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any

from training.corpora.layouts.listed_sets import EVERYDAY
from training.data.views import Amounts
from training.fitting.further import spread_weight
from training.fitting.recipe import Calibration, Fit, Further, Limits, Recipe, Stages, Tune
from training.nets.shape import EncoderShape
from worker.audio.frontend import FrontEnd

SPEECH_FIT = Fit(6, 64, peak_learning_rate=1e-3, weight_decay=0.05, gamma=0.0, label_smoothing=0.02)
PAPER = Recipe()
# For heads on a frozen encoder: serving's cut in place of trim and pre-emphasis, which made no difference outside noise.
FROZEN = replace(
    PAPER,
    name="frozen",
    front_end=FrontEnd(),
    is_vad_cut=True,
    epochs=10,
    batch_size=32,
    peak_learning_rate=5e-4,
)
# For nets without pretrained weights: 5e-5 moves them too little in 25 epochs.
SCRATCH = replace(FROZEN, name="scratch", epochs=60, peak_learning_rate=2e-3, patience=12)
# Half of the frames from the first layer's queries on, and positions for 8 s: less than half of the cost of a window.
HALF = EncoderShape("first_queries", n_positions=400)
# What nobody rated weighs a fiftieth of CREMA-D, each set the same; more teaches that whatever is unlike CREMA-D is neutral.
ASSUMED_WEIGHT, ASSUMED_DRAWN = 0.02, 0.12
FURTHER = (
    Further("emodb", weight=0.15, drawn=0.13),
    *(Further(name, ASSUMED_WEIGHT / len(EVERYDAY), ASSUMED_DRAWN / len(EVERYDAY)) for name in EVERYDAY),
)
# The calibration was chosen on corpora that are left out; it is that of the shipped bundle.
DEFAULT = replace(
    FROZEN,
    name="default",
    augmentation=None,
    stages=Stages(
        Tune(epochs=4, hidden=0.6, votes=0.3, kept=0.6, seeds=(0, 1, 2), further=FURTHER),
        SPEECH_FIT,
        Amounts(),
        Calibration(1.887, 0.65, relative_temperature=0.8, relative_uncertain_below=0.65),
        encoder=HALF,
    ),
)
SMOKE_FURTHER = tuple(item for item in FURTHER if item.corpus in {"emodb", "fsdd", "mycroft-precise"})
# Every step of the default on a few windows: it shows in minutes that all works, and its model is worth nothing.
SMOKE = replace(
    DEFAULT,
    name="smoke",
    stages=Stages(
        Tune(epochs=1, windows=16, batch_size=8, seeds=(0, 1), further=SMOKE_FURTHER),
        SPEECH_FIT,
        Amounts(
            n_speakers=10, notes_per_speaker=4, sounds_per_kind=5, n_crowd=5, sample_share=1.0, n_fresh=1, n_draws=200
        ),
        Calibration(temperature=0.971, uncertain_below=0.59),
        limits=Limits(max_ua_change=1.0, max_clean_miss=1.0, max_white=1.0),
        encoder=HALF,
    ),
)
RECIPES = {recipe.name: recipe for recipe in (DEFAULT, SMOKE, PAPER, FROZEN, SCRATCH)}


def _silence(part: str) -> Callable[[Recipe], Recipe]:
    def change(recipe: Recipe) -> Recipe:
        if recipe.augmentation is None:
            return recipe
        value: Any = False if part == "is_polarity_flipped" else None
        return replace(recipe, augmentation=replace(recipe.augmentation, **{part: value}))

    return change


def _clear(part: str) -> Callable[[Recipe], Recipe]:
    return lambda recipe: replace(recipe, front_end=replace(recipe.front_end, **{part: None}))


_LEAVE_OUT: dict[str, Callable[[Recipe], Recipe]] = {
    "trim": _clear("trim_top_db"),
    "pre-emphasis": _clear("pre_emphasis"),
    "peak": _clear("peak"),
    "vad": lambda recipe: replace(recipe, is_vad_cut=False),
    "augmentation": lambda recipe: replace(recipe, augmentation=None),
    "gain": _silence("gain_db"),
    "noise": _silence("noise_amplitude"),
    "pitch": _silence("pitch_semitones"),
    "polarity": _silence("is_polarity_flipped"),
    "focal": lambda recipe: replace(recipe, gamma=0.0),
    "class-weights": lambda recipe: replace(recipe, is_class_balanced=False),
    "smoothing": lambda recipe: replace(recipe, label_smoothing=0.0),
    "warm-up": lambda recipe: replace(recipe, warm_up=0.0),
    "early-stopping": lambda recipe: replace(recipe, patience=recipe.epochs),
}
PARTS = tuple(_LEAVE_OUT)


def leave_out(recipe: Recipe, parts: Iterable[str]) -> Recipe:
    """Return the recipe without some of its parts: of one with stages further corpora, of others what `PARTS` names.

    Raises:
        ValueError: there is no such part.
    """
    if recipe.stages is not None:
        return _leave_out_corpora(recipe, recipe.stages, set(parts))
    for part in parts:
        if part not in _LEAVE_OUT:
            raise ValueError(f"part {part!r} is unknown, allowed are {list(PARTS)}")
        recipe = _LEAVE_OUT[part](recipe)
    return recipe


def _leave_out_corpora(recipe: Recipe, stages: Stages, names: set[str]) -> Recipe:
    known = {item.corpus for item in stages.tune.further}
    if unknown := sorted(names - known):
        raise ValueError(f"--without {unknown}: recipe {recipe.name} trains beside CREMA-D on {sorted(known)}")
    kept = tuple(item for item in spread_weight(stages.tune.further, names) if item.corpus not in names)
    return replace(recipe, stages=replace(stages, tune=replace(stages.tune, further=kept)))


def find_recipe(name: str, **changes: Any) -> Recipe:
    """Return a preset with changes; a change that is None changes nothing.

    Raises:
        ValueError: there is no such preset, no such field, or a value is out of range.
    """
    if name not in RECIPES:
        raise ValueError(f"recipe {name!r} is unknown, allowed are {list(RECIPES)}")
    known = {field.name for field in fields(Recipe)}
    if unknown := sorted(set(changes) - known):
        raise ValueError(f"recipe fields {unknown} are unknown, allowed are {sorted(known)}")
    return replace(RECIPES[name], **{key: value for key, value in changes.items() if value is not None})
