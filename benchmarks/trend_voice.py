"""Simulated notes of people who speak as they always do, measured as the product measures voices: does a note's length move a measure?"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.trend_people import FIRST, judge_whole, wander, was_flagged
from trends import (
    VOICE_MEASURES,
    Day,
    Measure,
    NoteState,
    TrendSettings,
    measure_note_spread,
    read_note_level,
    summarise_day,
)
from trends.day import NoteLevel
from worker.audio.voice import VoiceMeter
from worker.audio.voice_frames import VoiceFrames

FRAME_MS = 30
WINDOW_S = 8.0
PHRASE_S, PAUSE_S = 3.0, 0.8  # means; both vary as widely as waiting times do
SYLLABLE_S, SYLLABLE_SHAPE = 0.22, 6.0  # mean, and shape of the gamma distribution of time from one to the next
BASE_HZ, PHRASE_SEMITONES, FRAME_SEMITONES = 180.0, 1.5, 2.0
PITCHED_SHARE, OCTAVE_SHARE = 0.55, 0.03
SYLLABLE_DB, SPEECH_DB = 4.0, -25.0


def make_note(rng: np.random.Generator, n_windows: float) -> dict[str, float]:
    """Speak for so many windows of 8 s, in phrases with pauses, and measure it."""
    meter = VoiceMeter(FRAME_MS)
    left, now_ms = round(n_windows * WINDOW_S * 1000 / FRAME_MS), 0
    while left:
        n_frames = min(left, max(1, round(rng.exponential(PHRASE_S) * 1000 / FRAME_MS)))
        meter.add(now_ms, _speak(rng, n_frames))
        left -= n_frames
        now_ms += FRAME_MS * (n_frames + max(1, round(rng.exponential(PAUSE_S) * 1000 / FRAME_MS)))
    return dict(meter.finish(duration_ms=now_ms))


def _speak(rng: np.random.Generator, n_frames: int) -> VoiceFrames:
    n_syllables = int(n_frames * FRAME_MS / 1000 / SYLLABLE_S * 2) + 10
    starts_s = np.cumsum(rng.gamma(SYLLABLE_SHAPE, SYLLABLE_S / SYLLABLE_SHAPE, n_syllables))
    starts_s -= starts_s[0] * rng.random()
    at = np.unique((starts_s[starts_s >= 0] * 1000 / FRAME_MS).astype(int))
    is_onset = np.zeros(n_frames, dtype=np.bool_)
    is_onset[at[at < n_frames]] = True
    syllable = np.cumsum(is_onset)
    loud = SPEECH_DB + SYLLABLE_DB * rng.standard_normal(syllable[-1] + 1)
    tune = PHRASE_SEMITONES * rng.standard_normal() + FRAME_SEMITONES * rng.standard_normal(syllable[-1] + 1)
    semitones = tune[syllable] + 0.5 * rng.standard_normal(n_frames)
    semitones[rng.random(n_frames) < OCTAVE_SHARE] -= 12
    pitch_hz = np.clip(BASE_HZ * 2 ** (semitones / 12), 70, 400)
    level_db = loud[syllable] - 3 * rng.random(n_frames) ** 2 * 4
    return VoiceFrames(
        rng.random(n_frames) < PITCHED_SHARE, pitch_hz.astype(np.float32), level_db.astype(np.float32), is_onset
    )


def make_pools(
    rng: np.random.Generator, n_notes: int, lengths: tuple[float, ...]
) -> dict[float, list[dict[str, float]]]:
    """Make notes of each length, fewer of the long ones."""
    return {n_windows: [make_note(rng, n_windows) for _ in range(n_notes)] for n_windows in lengths}


def find_levels(measure: Measure, notes: list[dict[str, float]]) -> NDArray[np.float64]:
    """Return the levels of notes on the scale of a measure."""
    return np.array([measure.to_level(note[measure.name]) for note in notes])


def share_flagged(
    measure: Measure,
    pools: dict[float, list[dict[str, float]]],
    *,
    before: float,
    after: float,
    n_baseline: int,
    n_monitored: int,
    n_people: int,
    seed: int,
) -> float:
    """Return the share of persons ever flagged whose notes, one a day, change in nothing but their length after the baseline."""
    rng = np.random.default_rng([seed, round(before), round(after), len(measure.name)])
    lengths = np.repeat([before, after], [n_baseline, n_monitored])
    settings = measure.adapt_settings(TrendSettings())
    persons = measure.spread.between_sd * wander(rng, n_people, n_baseline + n_monitored, rho=0.3)
    levels = {length: find_levels(measure, notes) for length, notes in pools.items()}
    flagged = 0
    for person in persons:
        notes = [
            _as_note(level + rng.choice(levels[length]), length) for level, length in zip(person, lengths, strict=True)
        ]
        flagged += was_flagged(judge_whole(_as_days(measure, notes), len(lengths), settings), settings)
    return flagged / n_people


def _as_note(level: float, n_windows: float) -> NoteLevel:
    speech_s = n_windows * WINDOW_S
    usual = read_note_level("pitch_median_hz", trend={}, voice={"pitch_median_hz": BASE_HZ}, speech_s=speech_s)
    assert usual is not None
    return NoteLevel(state=NoteState.SCORED, level=float(level), n_windows=usual.n_windows, speech_s=speech_s)


def _as_days(measure: Measure, notes: list[NoteLevel]) -> list[Day]:
    spread = measure_note_spread([[note] for note in notes], prior=measure.spread)
    return [
        summarise_day(FIRST + timedelta(days=place), "m-1", [note], spread=spread) for place, note in enumerate(notes)
    ]


def describe_bias(pools: dict[float, list[dict[str, float]]]) -> dict[str, dict[float, float]]:
    """Return by how much each length moves each measure against the longest notes, in standard deviations between notes."""
    longest = max(pools)
    return {
        name: {
            n_windows: float(
                (find_levels(measure, notes).mean() - find_levels(measure, pools[longest]).mean())
                / measure.spread.between_sd
            )
            for n_windows, notes in pools.items()
        }
        for name, measure in VOICE_MEASURES.items()
    }
