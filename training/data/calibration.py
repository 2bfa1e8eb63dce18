"""The windows of voice notes that the encoder's int8 ranges are measured on; it measures none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.corpora import HeardUtterance
from training.data.copies import NOTE_COPIES, make_notes

CALIBRATION_COPY = replace(NOTE_COPIES[1], notes_per_speaker=4)


def take_calibration(utterances: tuple[HeardUtterance, ...]) -> list[NDArray[np.float32]]:
    """Return joined training windows, four of every third speaker, float32 (n_samples,) each."""
    speakers = set(sorted({u.speaker for u in utterances})[::3])
    chosen = tuple(u for u in utterances if u.speaker in speakers)
    return [window.signal for window in make_notes(chosen, CALIBRATION_COPY)]
