"""Find what is heard on two sides of a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from training.corpora.utterance import Utterance

Sides = Mapping[str, Sequence[Utterance]]


class LeakError(Exception):
    """Something is on two sides of a split, so that its figures would be too good.

    Attributes:
        what: `speaker CREMA-D/1001`, or `audio of CREMA-D/1001_DFA_ANG_XX`.
        sides: the two sides, `train`, `validate` or `test`.
    """

    def __init__(self, what: str, sides: tuple[str, str]) -> None:
        """Keep both and make a message of them."""
        super().__init__(f"{what} is in {sides[0]} and in {sides[1]}; one side only is allowed")
        self.what = what
        self.sides = sides


def check_speakers(sides: Sides) -> None:
    """Check that no speaker of a corpus is on two sides.

    Raises:
        LeakError: somebody is.
    """
    _check(sides, key=lambda u: u.voice, describe=lambda u: f"speaker {u.voice}")


def check_sounds(sides: Sides) -> None:
    """Check that no file is on two sides, nor the same audio in two files where the corpora were inspected.

    Raises:
        LeakError: some is.
    """
    _check(sides, key=lambda u: str(u.path), describe=lambda u: f"audio of {u.corpus}/{u.name}")
    _check(sides, key=lambda u: u.sound_sha256, describe=lambda u: f"audio of {u.corpus}/{u.name}")


def _check(sides: Sides, *, key: Callable[[Utterance], str | None], describe: Callable[[Utterance], str]) -> None:
    seen: dict[str, str] = {}
    for side, utterances in sides.items():
        for utterance in utterances:
            result = key(utterance)
            if result is not None and seen.setdefault(result, side) != side:
                raise LeakError(describe(utterance), (seen[result], side))
