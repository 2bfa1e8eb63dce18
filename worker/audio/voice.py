"""Measures of a voice that need no emotion model: pauses, pitch, level, onsets; streamed, from what the detector measured.

Pitch and level are measured in stretches of 4 s of speech and averaged over those, so that they mean the same of a short note and of
a long one: the spread of a whole note would grow with what it is about, and a day's notes would seem to change with their length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from worker.audio.quantiles import find_quantile
from worker.audio.vad import SpeechSegment
from worker.audio.voice_frames import VoiceFrames, join_frames

STRETCH_MS = 4000
"""A phrase or two, some fifteen syllables."""
MIN_PITCH_MS = 300
"""A stretch with less voiced speech has no pitch."""
LOUD_DB, LOUD_QUANTILE = 20.0, 0.95
"""Softer frames than this beside the loud ones are pauses and noise, whose level says nothing of the voice."""
TAIL_QUANTILES = (0.1, 0.9)
TAILS_IN_SD = 2.5631
"""How many standard deviations lie between these quantiles of a normal distribution; frames an octave off lie outside."""
SEMITONES = 12.0


class SpeechFrames:
    """Holds the frames of segments until the windows that are cut out of them are scored."""

    def __init__(self, frame_ms: int) -> None:
        """Start a recording whose frames are `frame_ms` long."""
        self._frame_ms = frame_ms
        self._held: deque[tuple[int, VoiceFrames]] = deque()

    def put(self, segment: SpeechSegment) -> None:
        """Take the frames of the next segment."""
        self._held.append((segment.start_ms, segment.frames))

    def take(self, until_ms: int) -> list[tuple[int, VoiceFrames]]:
        """Hand out, once, the frames that begin before `until_ms` of the recording.

        Returns:
            Pairs of where the first frame begins in ms and frames in a row, in order of time.
        """
        taken: list[tuple[int, VoiceFrames]] = []
        while self._held and self._held[0][0] < until_ms:
            start_ms, frames = self._held.popleft()
            n_before = -(-(until_ms - start_ms) // self._frame_ms)
            taken.append((start_ms, frames[:n_before]))
            if n_before < len(frames):
                self._held.appendleft((start_ms + n_before * self._frame_ms, frames[n_before:]))
        return taken


class VoiceMeter:
    """Measures the voice of one recording from its frames of speech, in the memory of a stretch."""

    def __init__(self, frame_ms: int) -> None:
        """Start a recording whose frames are `frame_ms` long."""
        self._frame_ms = frame_ms
        self._stretch_frames = STRETCH_MS // frame_ms
        self._min_frames = -(-MIN_PITCH_MS // frame_ms)
        self._rest = join_frames(())
        self._end_ms: int | None = None
        self._speech_ms = self._pause_ms = self._n_onsets = 0
        self._pitch = _Mean()
        self._pitch_spread = _Mean()
        self._level_spread = _Mean()

    def add(self, start_ms: int, frames: VoiceFrames) -> None:
        """Take the next frames of speech, in a row from `start_ms` of the recording on."""
        if self._end_ms is not None:
            self._pause_ms += max(start_ms - self._end_ms, 0)
        self._end_ms = start_ms + len(frames) * self._frame_ms
        self._speech_ms += len(frames) * self._frame_ms
        self._n_onsets += int(np.count_nonzero(frames.is_onset))
        self._rest = join_frames((self._rest, frames))
        while len(self._rest) >= self._stretch_frames:
            self._measure(self._rest[: self._stretch_frames], is_whole=True)
            self._rest = self._rest[self._stretch_frames :]

    def skip(self) -> None:
        """Leave out something that is no speech after all; what lies on its two sides has no pause in between."""
        self._end_ms = None

    def finish(self, *, duration_ms: int) -> Mapping[str, float]:
        """Return what can be said, by name; nothing without speech, and no spread with less than a stretch of it.

        - `speaking_share`: speech in the whole recording, 0 to 1.
        - `pause_share`: what is no speech, between the first and the last speech, 0 to 1.
        - `onsets_per_s`: syllable-like onsets in a second of speech.
        - `pitch_median_hz`: of voiced frames; geometric mean of the stretches' medians.
        - `pitch_spread_semitones`: standard deviation within a stretch, from the 10th and 90th percentile.
        - `level_spread_db`: standard deviation within a stretch of the frames that are no more than 20 dB below the loud ones.
        """
        if self._speech_ms == 0:
            return {}
        self._measure(self._rest, is_whole=False)
        said = {
            "speaking_share": min(self._speech_ms / duration_ms, 1.0) if duration_ms else None,
            "pause_share": self._pause_ms / (self._pause_ms + self._speech_ms),
            "onsets_per_s": 1000 * self._n_onsets / self._speech_ms,
            "pitch_median_hz": None if self._pitch.value is None else 2.0 ** (self._pitch.value / SEMITONES),
            "pitch_spread_semitones": self._pitch_spread.value,
            "level_spread_db": self._level_spread.value,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _measure(self, frames: VoiceFrames, *, is_whole: bool) -> None:
        if is_whole:
            self._level_spread.add(_find_level_spread(frames.level_db.astype(np.float64)))
        n_pitched = int(np.count_nonzero(frames.is_pitched))
        if n_pitched < self._min_frames:
            return
        semitones = SEMITONES * np.log2(frames.pitch_hz[frames.is_pitched].astype(np.float64))
        self._pitch.add(float(np.median(semitones)), n_pitched)
        if is_whole:
            self._pitch_spread.add(_find_pitch_spread(semitones))


class _Mean:
    """A weighted mean."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._weight = 0.0

    @property
    def value(self) -> float | None:
        """Return it, None where nothing was added."""
        return self._sum / self._weight if self._weight else None

    def add(self, value: float, weight: float = 1.0) -> None:
        self._sum += value * weight
        self._weight += weight


def _find_pitch_spread(semitones: NDArray[np.float64]) -> float:
    low, high = (find_quantile(semitones, share) for share in TAIL_QUANTILES)
    return (high - low) / TAILS_IN_SD


def _find_level_spread(level_db: NDArray[np.float64]) -> float:
    return float(level_db[level_db >= find_quantile(level_db, LOUD_QUANTILE) - LOUD_DB].std())
