"""What a model card says of how its net was trained, by recipe: sentences that hold no figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.nets.shape import FRAME_S

# Up to whisper3-0.5.1: CREMA-D alone, at the full frame rate.
_FIRST = {
    "halving": "",
    "tuned_on": "CREMA-D",
    "longest_s": "30",
    "in_float32": "convolutions and heads stay float32",
    "corpora_limit": (
        "Acted, short, read, North American English. Real voice notes are milder; expect more `neutral`-like doubt and errors.\n"
        "  On other corpora the recall is far lower than on CREMA-D: the German figure above is an example."
    ),
    "confidence_limit": (
        "Confidence is calibrated on CREMA-D and is too high elsewhere: read-aloud books, of which the example notes are cut,\n"
        "  come out as happiness more often than as neutral. Compare a person with their own past."
    ),
    "choice_limit": (
        "Development corpora (EmoDB) and earlier experiments on CREMA-D guided the recipe, so its figures are\n"
        "  optimistic by an amount nobody measured."
    ),
}
_HALVED = " (at half the frame rate from the first one's queries on)"
_FURTHER = {
    "tuned_on": "the corpora below",
    "in_float32": "heads stay float32",
    "corpora_limit": (
        "Acted, short, read English and German, and ordinary speech that nobody rated and that is taken for neutral.\n"
        "  Real voice notes are milder, and on other corpora the recall is far lower than on CREMA-D."
    ),
    "confidence_limit": (
        "`tonalog evaluate left-out` measures confidence on corpora that a model was not trained on; on each of them it may be\n"
        "  too high or too low. Compare a person with their own past."
    ),
    "choice_limit": (
        "Corpora that are only judged (ASED, EMOVO, Urdu) and earlier experiments guided the recipe, so figures on them and on\n"
        "  CREMA-D are optimistic by an amount nobody measured."
    ),
}


def describe_training(recipe: Mapping[str, Any]) -> dict[str, str]:
    """Return the sentences of the template `model` that depend on a manifest's `training.recipe`."""
    if "stages" not in recipe:
        return dict(_FIRST)
    shape = recipe["stages"]["encoder"]
    longest_s = f"{shape['n_positions'] * FRAME_S:.0f}"
    return {**_FURTHER, "halving": "" if shape["halving"] == "never" else _HALVED, "longest_s": longest_s}
