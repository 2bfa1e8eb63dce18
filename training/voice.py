"""What serving's voice activity detector leaves of a signal; it adds no rule of its own."""

from __future__ import annotations

import numpy as np

from training.augment import Signal
from worker.audio.vad import SpeechDetector, VadConfig


def extract_speech(signal: Signal, config: VadConfig | None = None) -> Signal:
    """Return the speech of a signal joined as serving joins it, float32, possibly empty.

    Args:
        signal: float32 (n_samples,), 16 kHz, in [-1, 1].
        config: the detector; the default is the one the bundle ships with.
    """
    detector = SpeechDetector(config or VadConfig())
    segments = detector.feed(signal) + detector.flush()
    return np.concatenate([np.zeros(0, dtype=np.float32), *(segment.signal for segment in segments)])
