"""Make one voice several: parts of what it says, spoken quicker or slower, and heard dully."""

from __future__ import annotations

import numpy as np
import soxr
from scipy import signal as dsp

from training.sounds.augment import SAMPLING_RATE_HZ, Signal
from training.sounds.channels import take_piece
from training.sounds.voice import Cut, reduce_signal

CUT_SHARE, KEPT = 0.7, (0.35, 0.95)
SPEED_SHARE, SPEED = 0.7, (0.88, 1.12)
DULL_SHARE, CUT_OFF_HZ = 0.4, (3_000.0, 7_500.0)
MIN_SAMPLES = 2 * SAMPLING_RATE_HZ // 5
ORDER = 6


def vary_voice(signal: Signal, rng: np.random.Generator) -> Signal:
    """Return the speech of a signal as somebody else might have said it.

    Each with a chance of its own: a piece of it, from about a third to nearly all; quicker or slower by up to an eighth, which
    moves pitch and formants too; nothing above a frequency between 3 and 7.5 kHz.

    Args:
        signal: float32 (n_samples,), 16 kHz, in [-1, 1].
        rng: the only source of chance.

    Returns:
        float32 (n_left,), 16 kHz.
    """
    speech = reduce_signal(signal, Cut.VAD)
    if rng.random() < CUT_SHARE:
        speech = take_piece(speech, max(MIN_SAMPLES, int(speech.size * rng.uniform(*KEPT))), rng)
    if rng.random() < SPEED_SHARE:
        speech = soxr.resample(speech, SAMPLING_RATE_HZ, int(SAMPLING_RATE_HZ * rng.uniform(*SPEED)))
    if rng.random() < DULL_SHARE:
        low = dsp.butter(ORDER, rng.uniform(*CUT_OFF_HZ), "low", fs=SAMPLING_RATE_HZ, output="sos")
        speech = dsp.sosfilt(low, speech)
    return np.asarray(speech, dtype=np.float32)
