"""What a person's days can be measured in: on which scale each measure is compared, in which words, and by how much it varies.

A label's level is a mean of log odds, which the note's `trend` holds. A measure of the voice is one number a note; its level is that
number on a scale on which notes of any length have the same mean. So pauses are compared as seconds of pause in a second of speech:
that mean does not depend on how many pauses a note has, while log odds of a share do. The share of speech in the whole recording is no
measure of days at all, since the silence around what is said weighs more in a short note.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from trends.day import NoteLevel, NoteSpread, NoteState
from trends.logit import from_logit
from trends.settings import TrendSettings

STRETCH_S = 4.0  # of speech, over which the voice is measured
MAX_ODDS = 100.0  # of pauses: ninety-nine parts of a hundred are silence
SEMITONES = 12.0


class Scale(StrEnum):
    """How a value becomes a level, on which a step means the same everywhere."""

    LOG_ODDS = "log_odds"
    LOG = "log"
    SEMITONES = "semitones"
    ODDS = "odds"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure of a person's days.

    Attributes:
        name: as `scores` or `voice` of a result has it.
        scale: on which days are compared.
        unit: of a value, for the axis of a chart.
        more: what a shift up is called, to be completed by "than is usual for this person".
        less: what a shift down is called.
        spread: by how much notes of a person vary, until the person is known, on that scale.
        smallest_sd: of single days, on that scale; a baseline with a smaller one counts as this one.
    """

    name: str
    scale: Scale
    unit: str
    more: str
    less: str
    spread: NoteSpread
    smallest_sd: float

    def to_level(self, value: float) -> float:
        """Return a value's level.

        Raises:
            ValueError: the scale has no such value.

        Example:
            >>> round(find_measure("pitch_median_hz").to_level(2.0), 6)
            12.0
        """
        share = self.scale in {Scale.LOG_ODDS, Scale.ODDS}
        if not (0 <= value <= 1 if share else 0 < value < math.inf):
            raise ValueError(f"{self.name} is {value}; allowed is {'0 to 1' if share else 'over 0 and finite'}")
        if self.scale is Scale.ODDS:
            return value / max(1 - value, 1 / (1 + MAX_ODDS))
        if self.scale is Scale.LOG_ODDS:
            raise ValueError(
                f"{self.name} is a label: its level is the mean of its windows' log odds, in the note's trend"
            )
        return math.log(value) if self.scale is Scale.LOG else SEMITONES * math.log2(value)

    def from_level(self, level: float) -> float:
        """Return the value of a level, for the axis of a chart.

        Example:
            >>> round(find_measure("pause_share").from_level(0.25), 6)
            0.2
        """
        if self.scale is Scale.LOG_ODDS:
            return from_logit(level)
        if self.scale is Scale.ODDS:
            kept = min(max(level, 0.0), MAX_ODDS)
            return kept / (1 + kept)
        return math.exp(level) if self.scale is Scale.LOG else 2.0 ** (level / SEMITONES)

    def adapt_settings(self, settings: TrendSettings) -> TrendSettings:
        """Return the settings for this measure: only the smallest spread of days belongs to a scale."""
        return replace(settings, smallest_sd=self.smallest_sd) if self.name in VOICE_MEASURES else settings


def _of_voice(
    name: str, scale: Scale, unit: str, words: tuple[str, str], spreads: tuple[float, float, float]
) -> Measure:
    between_sd, within_sd, smallest_sd = spreads
    return Measure(
        name=name,
        scale=scale,
        unit=unit,
        more=words[0],
        less=words[1],
        spread=NoteSpread(between_sd=between_sd, within_sd=within_sd),
        smallest_sd=smallest_sd,
    )


# Spreads between notes, within a note, and the smallest of days: from notes joined of an actor's sentences, rounded.
VOICE_MEASURES: Mapping[str, Measure] = {
    measure.name: measure
    for measure in (
        _of_voice("pitch_median_hz", Scale.SEMITONES, "Hz", ("a higher voice", "a lower voice"), (1.0, 2.0, 0.3)),
        _of_voice(
            "pitch_spread_semitones",
            Scale.LOG,
            "semitones",
            ("a livelier melody", "a flatter melody"),
            (0.15, 0.45, 0.05),
        ),
        _of_voice(
            "level_spread_db",
            Scale.LOG,
            "dB",
            ("more contrast of loud and soft", "less contrast of loud and soft"),
            (0.03, 0.09, 0.01),
        ),
        _of_voice(
            "onsets_per_s", Scale.LOG, "a second of speech", ("faster speech", "slower speech"), (0.08, 0.17, 0.03)
        ),
        _of_voice("pause_share", Scale.ODDS, "share", ("more pauses", "fewer pauses"), (0.1, 0.3, 0.03)),
    )
}


def find_measure(name: str) -> Measure:
    """Return a measure of the voice, or the one of a label of a model, which any other name is.

    Example:
        >>> find_measure("sadness").scale.value, find_measure("onsets_per_s").more
        ('log_odds', 'faster speech')
    """
    return VOICE_MEASURES.get(name) or Measure(
        name=name,
        scale=Scale.LOG_ODDS,
        unit="score",
        more=f"more {name} in the voice",
        less=f"less {name} in the voice",
        spread=NoteSpread(),
        smallest_sd=TrendSettings().smallest_sd,
    )


def read_note_level(
    name: str,
    *,
    trend: Mapping[str, Mapping[str, float]],
    voice: Mapping[str, float],
    speech_s: float,
    is_uncertain: bool = False,
) -> NoteLevel | None:
    """Return a scored note in one measure; None where its result does not hold it.

    Args:
        name: a label, or a measure of the voice.
        trend: of the result, by label.
        voice: of the result.
        speech_s: in the note.
        is_uncertain: whether the note's label is; measures of the voice know nothing of labels.

    Raises:
        ValueError: a value is none of its scale.

    Example:
        >>> note = read_note_level("pitch_median_hz", trend={}, voice={"pitch_median_hz": 256.0}, speech_s=16.0)
        >>> note.level, note.n_windows, note.spread
        (96.0, 4.0, None)
    """
    measure = find_measure(name)
    if measure.scale is not Scale.LOG_ODDS:
        if name not in voice:
            return None
        return NoteLevel(
            state=NoteState.SCORED,
            level=measure.to_level(voice[name]),
            n_windows=max(speech_s / STRETCH_S, 1.0),
            speech_s=speech_s,
        )
    movement = trend.get(name, {})
    if "level" not in movement:
        return None
    return NoteLevel(
        state=NoteState.SCORED,
        level=movement["level"],
        spread=movement.get("spread"),
        n_windows=movement["n_effective"],
        speech_s=speech_s,
        is_uncertain=is_uncertain,
    )
