"""Find what is on a side of a split where it may not be: guesses among the truth, and what may not be trained on."""

from __future__ import annotations

from training.corpora.utterance import Utterance
from training.protocols.leaks import Sides

TRAIN = "train"


class RoleError(Exception):
    """An utterance is on a side that its kind or its licence forbids.

    Attributes:
        what: `fsdd/audio/0_george_0`.
        side: `train`, `validate` or `test`.
    """

    def __init__(self, what: str, side: str, *, reason: str, remedy: str) -> None:
        """Keep what and side, and make a message of all four."""
        super().__init__(f"{what} is in {side}, and {reason}; {remedy}")
        self.what = what
        self.side = side


def check_roles(sides: Sides) -> None:
    """Check that nothing trains that is for selection only, and that what nobody rated does nothing but train.

    Args:
        sides: utterances by side; on `train` is trained, every other side is judged by its labels.

    Raises:
        RoleError: an utterance is on a wrong side.
    """
    for side, utterances in sides.items():
        for utterance in utterances:
            if side == TRAIN:
                _check_trained(utterance, side)
            else:
                _check_judged(utterance, side)


def _check_trained(utterance: Utterance, side: str) -> None:
    if utterance.is_selection_only:
        raise RoleError(
            _name(utterance),
            side,
            reason=f"{utterance.corpus} is for selection only (licence: {utterance.licence or 'none stated'})",
            remedy="allowed is to test on it in order to choose; train on another corpus",
        )


def _check_judged(utterance: Utterance, side: str) -> None:
    if utterance.is_assumed:
        raise RoleError(
            _name(utterance),
            side,
            reason=f"its label {utterance.label} is assumed: nobody rated it, so it is no truth",
            remedy=f"allowed is {TRAIN}: give {utterance.corpus} as one of the `further` corpora, or leave it out",
        )


def _name(utterance: Utterance) -> str:
    return f"{utterance.corpus}/{utterance.name}"
