"""Measures of the voice in words: how each is called, what it is, and its values with their units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

INTRODUCTION = (
    "These measures need no model of emotions: how high a voice is, how far it moves up and down and between loud and soft, how "
    "fast it is and how much it pauses. They say how somebody speaks, not why, and another telephone or app moves some of them too."
)
OF_EARLIER = "This note was scored by an earlier release, which did not measure the voice."
LACKING = "too little speech"


@dataclass(frozen=True, kw_only=True)
class VoiceWords:
    """What a measure is called, what it is, and how its values are written."""

    heading: str
    meaning: str
    template: str


VOICE_WORDS: Mapping[str, VoiceWords] = {
    "pitch_median_hz": VoiceWords(heading="Pitch", meaning="median pitch of the voice, in Hz", template="{:.0f} Hz"),
    "pitch_spread_semitones": VoiceWords(
        heading="Melody",
        meaning="how far the pitch moves within four seconds of speech, in semitones",
        template="{:.1f} semitones",
    ),
    "level_spread_db": VoiceWords(
        heading="Loud and soft",
        meaning="how far the level moves within four seconds of speech, in dB",
        template="{:.1f} dB",
    ),
    "onsets_per_s": VoiceWords(
        heading="Tempo", meaning="syllable-like onsets in a second of speech", template="{:.1f} a second"
    ),
    "pause_share": VoiceWords(
        heading="Pauses", meaning="share of pauses between the first and the last speech", template="{:.0%}"
    ),
    "speaking_share": VoiceWords(heading="Speech", meaning="share of speech in the whole recording", template="{:.0%}"),
}


def say_value(name: str, value: float) -> str:
    """Write a value of a measure of the voice with its unit.

    >>> say_value("pitch_median_hz", 187.4), say_value("pause_share", 0.125)
    ('187 Hz', '12 %')
    """
    return VOICE_WORDS[name].template.format(value).replace("%", " %")


def say_tick(name: str, value: float) -> str:
    """Write a value beside an axis, on which the unit would stand again and again.

    >>> say_tick("pitch_median_hz", 180), say_tick("pause_share", 0.2)
    ('180', '20 %')
    """
    return f"{value * 100:g} %" if name.endswith("_share") else f"{value:g}"


def list_voice(voice: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """Return each measure of a note: what it is called, its value or that it lacks, and what it is."""
    return [
        (words.heading, say_value(name, voice[name]) if name in voice else LACKING, words.meaning)
        for name, words in VOICE_WORDS.items()
    ]
