"""How a backbone is trained: every choice as one frozen record, with presets; it trains nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from training.data.windows import Preparation
from training.sounds.paper_augment import Augmentation
from worker.audio.frontend import FrontEnd


@dataclass(frozen=True)
class Recipe(Preparation):
    """Front end, augmentation, loss and schedule. The defaults are the paper's (Ismail 2025, arXiv 2512.23435).

    Attributes:
        name: of the preset it began as.
        epochs: at most.
        batch_size: windows a step.
        peak_learning_rate: of AdamW, reached after the warm-up, then a cosine down to 0.
        warm_up: share of all steps, 0 to under 1.
        weight_decay: of AdamW.
        patience: epochs without a better validation UA before it stops.
        gamma: of the focal loss; 0 is cross-entropy.
        label_smoothing: share of the target spread over all labels.
        is_class_balanced: whether the loss weighs labels by balanced class weights.
    """

    name: str = "paper"
    epochs: int = 25
    batch_size: int = 16
    peak_learning_rate: float = 5e-5
    warm_up: float = 0.1
    weight_decay: float = 0.01
    patience: int = 6
    gamma: float = 2.0
    label_smoothing: float = 0.1
    is_class_balanced: bool = True

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: a value is out of range; the message names it and what was allowed.
        """
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are 1 and more")
        for name in ("max_duration_s", "peak_learning_rate"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are values over 0")
        for name in ("warm_up", "label_smoothing"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are 0 to under 1")
        for name in ("weight_decay", "gamma"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are 0 and more")

    def as_dict(self) -> dict[str, Any]:
        """Return every value as JSON can hold it."""
        return asdict(self)


PAPER = Recipe()
# For heads on a frozen encoder. Serving's cut instead of the trim, and no pre-emphasis, which made no difference outside noise (22 November 2026).
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
RECIPES = {recipe.name: recipe for recipe in (PAPER, FROZEN, SCRATCH)}


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
    """Return the recipe without some of its parts.

    Raises:
        ValueError: a part is not one of `PARTS`.
    """
    for part in parts:
        if part not in _LEAVE_OUT:
            raise ValueError(f"part {part!r} is unknown, allowed are {list(PARTS)}")
        recipe = _LEAVE_OUT[part](recipe)
    return recipe


def find_recipe(name: str, **changes: Any) -> Recipe:
    """Return a preset with changes; a change that is None changes nothing.

    Raises:
        ValueError: there is no such preset, no such field, or a value is out of range.
    """
    if name not in RECIPES:
        raise ValueError(f"recipe {name!r} is unknown, allowed are {sorted(RECIPES)}")
    known = {field.name for field in fields(Recipe)}
    if unknown := sorted(set(changes) - known):
        raise ValueError(f"recipe fields {unknown} are unknown, allowed are {sorted(known)}")
    return replace(RECIPES[name], **{key: value for key, value in changes.items() if value is not None})


def read_recipe(values: dict[str, Any]) -> Recipe:
    """Return the recipe that `Recipe.as_dict` wrote, also through JSON."""
    augmentation = values["augmentation"]
    if augmentation is not None:
        pairs: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in augmentation.items()
        }
        augmentation = Augmentation(**pairs)
    return Recipe(**{**values, "front_end": FrontEnd(**values["front_end"]), "augmentation": augmentation})
