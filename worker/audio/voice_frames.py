"""What is kept of each frame of speech, for the measures of a voice: pitch, level, and whether a syllable begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from worker.audio.onsets import find_onsets
from worker.audio.voicing import FrameMeasures, find_voiced_frames

MIN_CLARITY, MIN_PITCHED_FRAMES = 0.25, 2
"""Under this, and in a frame by itself, pitch is too often an octave off (against Praat, and over the telephone)."""


@dataclass(frozen=True, eq=False)
class VoiceFrames:
    """What is known of the frames of a segment, each `frame_ms` of the detector long.

    Attributes:
        is_pitched: bool (n_frames,), whether its pitch is clear and goes on in a frame beside it.
        pitch_hz: float32 (n_frames,), 70 to 400; means something only where it is pitched.
        level_db: float32 (n_frames,), of the telephone band, dBFS.
        is_onset: bool (n_frames,), whether it is the loudest of a syllable-like rise and fall.
    """

    is_pitched: NDArray[np.bool_]
    pitch_hz: NDArray[np.float32]
    level_db: NDArray[np.float32]
    is_onset: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return how many frames there are."""
        return len(self.is_pitched)

    def __getitem__(self, at: slice) -> VoiceFrames:
        """Return some of the frames in order of time."""
        return VoiceFrames(*(getattr(self, part.name)[at] for part in fields(self)))


def join_frames(pieces: Sequence[VoiceFrames]) -> VoiceFrames:
    """Return the frames of several pieces in their order; of none where there is no piece."""
    if not pieces:
        flags, numbers = np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.float32)
        return VoiceFrames(flags, numbers, numbers, flags)
    return VoiceFrames(
        *(np.concatenate([getattr(piece, part.name) for piece in pieces]) for part in fields(VoiceFrames))
    )


def describe_frames(found: FrameMeasures) -> VoiceFrames:
    """Return what is kept of frames in a row."""
    return VoiceFrames(
        find_voiced_frames(found.clarity, found.pitch_lags, min_periodicity=MIN_CLARITY, min_frames=MIN_PITCHED_FRAMES),
        found.pitch_hz.astype(np.float32),
        found.level_db.astype(np.float32),
        find_onsets(found.level_db, found.clarity),
    )
