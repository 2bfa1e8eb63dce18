"""How the shipped model is made: every amount, limit and constant as one frozen record; it makes nothing itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from training.data.views import Amounts
from training.fitting.tune import RECIPE, TuneRecipe


@dataclass(frozen=True)
class Calibration:
    """What turns scores into statements.

    Attributes:
        temperature: that the emotion logits are divided by, over 0.
        uncertain_below: a confidence under it is uncertain, 0 to 1.
    """

    temperature: float
    uncertain_below: float


@dataclass(frozen=True)
class Limits:
    """What a bundle may cost; beyond any of it none is written.

    Attributes:
        max_ua_change: of int8 against float32 on speakers that the net never heard.
        max_clean_miss: share of clean speech that the gate may call no speech.
        max_white: share of white noise that the gate may call speech.
    """

    max_ua_change: float = 0.01
    max_clean_miss: float = 0.01
    max_white: float = 0.0


@dataclass(frozen=True)
class ModelRecipe:
    """How the model is made.

    Attributes:
        name: of the preset.
        tune: how the encoder's upper layers and the emotion head are tuned.
        seeds: of the order of windows and of dropout; tuning starts once with each, from one head, and their nets are
            averaged (model soup, Wortsman et al. 2022).
        amounts: of windows.
        calibration: until `tonalog evaluate default` has measured one on the run itself.
        speech_threshold: a window under it is no speech, 0 to 1.
        limits: what a bundle may cost.
    """

    name: str
    tune: TuneRecipe
    seeds: tuple[int, ...]
    amounts: Amounts
    calibration: Calibration
    speech_threshold: float
    limits: Limits

    def as_dict(self) -> dict[str, Any]:
        """Return every value as JSON can hold it."""
        return asdict(self)


# The shipped bundle's, measured out of fold by `tonalog evaluate default`. Folds take an hour that training must not.
CALIBRATION = Calibration(temperature=0.971, uncertain_below=0.59)
DEFAULT = ModelRecipe("default", RECIPE, (0, 1, 2), Amounts(), CALIBRATION, speech_threshold=0.5, limits=Limits())
# Every step of the default on a few windows: it shows in minutes that all works, and its model is worth nothing.
SMOKE = ModelRecipe(
    "smoke",
    TuneRecipe(epochs=1, windows=16, batch_size=8),
    (0, 1),
    Amounts(n_speakers=10, notes_per_speaker=4, sounds_per_kind=5, n_crowd=5, sample_share=1.0, n_fresh=1, n_draws=200),
    CALIBRATION,
    speech_threshold=0.5,
    limits=Limits(max_ua_change=1.0, max_clean_miss=1.0, max_white=1.0),
)
MODEL_RECIPES = {recipe.name: recipe for recipe in (DEFAULT, SMOKE)}


def read_recipe(values: dict[str, Any]) -> ModelRecipe:
    """Return the recipe that `ModelRecipe.as_dict` wrote, also through JSON."""
    parts: dict[str, Any] = {
        "tune": TuneRecipe(**values["tune"]),
        "seeds": tuple(values["seeds"]),
        "amounts": Amounts(**values["amounts"]),
        "calibration": Calibration(**values["calibration"]),
        "limits": Limits(**values["limits"]),
    }
    return ModelRecipe(**{**values, **parts})
