"""What is left of a signal once it is cut to its speech, as serving's detector or the paper's trim cuts it."""

from __future__ import annotations

from enum import StrEnum

import librosa
import numpy as np

from training.sounds.augment import Signal
from worker.audio.vad import SpeechDetector, VadConfig

SAMPLING_RATE_HZ = 16_000
MIN_SPEECH_SAMPLES = SAMPLING_RATE_HZ // 2  # Serving scores nothing shorter.
TRIM_TOP_DB = 20  # The paper's trim; serving does not trim, its VAD does that work.


class Cut(StrEnum):
    """How a signal is reduced to what the model hears."""

    NONE = "none"
    TRIM = "trim"
    VAD = "vad"


def extract_speech(signal: Signal, config: VadConfig | None = None) -> Signal:
    """Return the speech of a signal joined as serving joins it, float32, possibly empty.

    Args:
        signal: float32 (n_samples,), 16 kHz, in [-1, 1].
        config: the detector; the default is the one the bundle ships with.
    """
    detector = SpeechDetector(config or VadConfig())
    segments = detector.feed(signal) + detector.flush()
    return np.concatenate([np.zeros(0, dtype=np.float32), *(segment.signal for segment in segments)])


def reduce_signal(signal: Signal, cut: Cut) -> Signal:
    """Cut a signal; where the VAD leaves under half a second, the 20 dB trim of the signal stands in."""
    if cut is Cut.VAD:
        speech = extract_speech(signal)
        if speech.size >= MIN_SPEECH_SAMPLES:
            return speech
    if cut is Cut.NONE:
        return signal
    trimmed, _ = librosa.effects.trim(signal, top_db=TRIM_TOP_DB)
    return np.asarray(trimmed if trimmed.size >= MIN_SPEECH_SAMPLES else signal)
