"""Prepare one window for the model, the same way in training and serving; never looks beyond the window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TRIM_FRAME_SAMPLES = 2048
TRIM_HOP_SAMPLES = 512
MIN_RMS = 1e-5
"""As `librosa.effects.trim`, which is not called: importing it compiles numba for ten seconds (22 November 2026)."""


@dataclass(frozen=True)
class FrontEnd:
    """What is done to a window, in this order; None leaves a step out. A constant offset is left as it is.

    Attributes:
        trim_top_db: cut both ends off that are quieter than the loudest part by more than this, in dB, over 0.
        pre_emphasis: coefficient a of y[n] = x[n] - a x[n - 1], between 0 and 1.
        peak: the largest magnitude is brought to this, over 0 and at most 1.
    """

    peak: float | None = 0.95
    pre_emphasis: float | None = None
    trim_top_db: float | None = None

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: a value is out of range; the message names it and what was allowed.
        """
        if self.peak is not None and not 0.0 < self.peak <= 1.0:
            raise ValueError(f"peak is {self.peak}, allowed are null and over 0 to 1")
        if self.pre_emphasis is not None and not 0.0 <= self.pre_emphasis < 1.0:
            raise ValueError(f"pre_emphasis is {self.pre_emphasis}, allowed are null and 0 to under 1")
        if self.trim_top_db is not None and not self.trim_top_db > 0.0:
            raise ValueError(f"trim_top_db is {self.trim_top_db}, allowed are null and over 0")


def prepare(signal: NDArray[np.float32], front_end: FrontEnd) -> NDArray[np.float32]:
    """Trim, emphasise and normalise a window.

    Args:
        signal: float32 (n_samples,), 16 kHz, in [-1, 1].
        front_end: what to do.

    Returns:
        float32 (n_samples,), or fewer samples where trimmed. Digital silence stays digital silence.
    """
    if front_end.trim_top_db is not None:
        signal = _trim(signal, front_end.trim_top_db)
    if front_end.pre_emphasis is not None and len(signal):
        signal = np.concatenate((signal[:1], signal[1:] - np.float32(front_end.pre_emphasis) * signal[:-1]))
    loudest = float(np.abs(signal).max(initial=0.0))
    if front_end.peak is not None and loudest > 0.0:
        signal = signal * np.float32(front_end.peak / loudest)
    return signal


def _trim(signal: NDArray[np.float32], top_db: float) -> NDArray[np.float32]:
    """Cut quiet ends off: frames of 128 ms every 32 ms, centred, against the loudest frame."""
    if not len(signal):
        return signal
    squares = np.pad(np.square(signal, dtype=np.float64), TRIM_FRAME_SAMPLES // 2)
    total = np.concatenate(([0.0], np.cumsum(squares)))
    starts = np.arange(0, len(signal) + 1, TRIM_HOP_SAMPLES)
    rms = np.sqrt(np.maximum(total[starts + TRIM_FRAME_SAMPLES] - total[starts], 0.0) / TRIM_FRAME_SAMPLES)
    level_db = 20.0 * np.log10(np.maximum(rms, MIN_RMS) / max(float(rms.max()), MIN_RMS))
    loud = np.flatnonzero(level_db > -top_db)
    return signal[loud[0] * TRIM_HOP_SAMPLES : (loud[-1] + 1) * TRIM_HOP_SAMPLES]
