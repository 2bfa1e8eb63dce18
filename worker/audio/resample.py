"""Bring a streamed signal to 16 kHz as `librosa.resample` does; never holds more than a few seconds of it."""

from __future__ import annotations

import math

import numpy as np
import soxr
from numpy.typing import NDArray

SAMPLING_RATE_HZ = 16_000
KIND = "soxr_hq"
"""librosa's own default."""
CORE_S = 8
CONTEXT_S = 1
"""What is resampled beyond both edges of a block and thrown away: far longer than soxr's filter."""


class Resampler:
    """Resamples piece by piece, so that the pieces joined equal the whole signal resampled at once.

    Pieces begin on whole seconds, where a sample of the old rate and one of the new fall together whatever the
    rates are. A second on either side keeps the filter from feeling the cut.
    """

    def __init__(self, sampling_rate_hz: int) -> None:
        """Start at the beginning of a signal.

        Args:
            sampling_rate_hz: of the signal to be fed.
        """
        self._rate_hz = sampling_rate_hz
        self._held: list[NDArray[np.float32]] = []
        self._n_held = 0
        self._has_context = False

    def feed(self, block: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Take the next block and hand out what is now certain.

        Args:
            block: float32 (n_samples,).

        Returns:
            Blocks at 16 kHz, float32 (n_samples,), each at most 8 s.
        """
        if self._rate_hz == SAMPLING_RATE_HZ:
            return [block]
        self._held.append(block)
        self._n_held += len(block)
        before_s = CONTEXT_S if self._has_context else 0
        if self._n_held < (before_s + CORE_S + CONTEXT_S) * self._rate_hz:
            return []
        signal = np.concatenate(self._held)
        resampled: list[NDArray[np.float32]] = []
        while len(signal) >= (before_s + CORE_S + CONTEXT_S) * self._rate_hz:
            piece = resample(signal[: (before_s + CORE_S + CONTEXT_S) * self._rate_hz], self._rate_hz)
            resampled.append(piece[before_s * SAMPLING_RATE_HZ : (before_s + CORE_S) * SAMPLING_RATE_HZ])
            signal = signal[(before_s + CORE_S - CONTEXT_S) * self._rate_hz :]
            before_s, self._has_context = CONTEXT_S, True
        self._held, self._n_held = [signal.copy()], len(signal)
        return resampled

    def flush(self) -> list[NDArray[np.float32]]:
        """Take the end of the signal and hand out what is left.

        Returns:
            Blocks at 16 kHz, float32 (n_samples,), each at most 9 s; together with the fed ones
            ceil(n_samples * 16000 / rate) samples.
        """
        before_s = CONTEXT_S if self._has_context else 0
        if self._n_held <= before_s * self._rate_hz:
            return []
        return [resample(np.concatenate(self._held), self._rate_hz)[before_s * SAMPLING_RATE_HZ :]]


def resample(signal: NDArray[np.float32], sampling_rate_hz: int) -> NDArray[np.float32]:
    """Resample a whole signal to 16 kHz.

    Equal to `librosa.resample` in every bit, with the same call of soxr. librosa itself is not imported here: numba
    would compile on its import for half a minute and needs a folder to keep that in, which a read-only installation
    has not (librosa #1156).

    Args:
        signal: float32 (n_samples,).
        sampling_rate_hz: of the signal.

    Returns:
        float32 (ceil(n_samples * 16000 / rate),).
    """
    if sampling_rate_hz == SAMPLING_RATE_HZ:
        return signal
    n_samples = math.ceil(len(signal) * (SAMPLING_RATE_HZ / sampling_rate_hz))
    resampled = soxr.resample(signal, sampling_rate_hz, SAMPLING_RATE_HZ, quality=KIND)[:n_samples]
    return np.pad(resampled, (0, n_samples - len(resampled)))
