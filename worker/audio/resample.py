"""Bring a streamed signal to 16 kHz as `librosa.resample` does; never holds more than a few seconds of it."""

from __future__ import annotations

import math

import numpy as np
import soxr
from numpy.typing import NDArray

SAMPLING_RATE_HZ = 16_000
KIND = "soxr_hq"
"""librosa's own default."""
PIECE_S = 8
"""What is resampled at once at most, so that no block handed out is longer than that and the filter's delay."""


class Resampler:
    """Resamples block by block; the blocks joined equal the whole signal resampled at once, in every bit.

    One stream of soxr goes through the whole signal, so no sample is resampled twice.
    """

    def __init__(self, sampling_rate_hz: int) -> None:
        """Start at the beginning of a signal.

        Args:
            sampling_rate_hz: of the signal to be fed.
        """
        self._rate_hz = sampling_rate_hz
        self._n_fed = self._n_given = 0
        self._stream = soxr.ResampleStream(sampling_rate_hz, SAMPLING_RATE_HZ, 1, dtype="float32", quality=KIND)

    def feed(self, block: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Take the next block and hand out what is now certain.

        Args:
            block: float32 (n_samples,).

        Returns:
            Blocks at 16 kHz, float32 (n_samples,), each at most 9 s, unless the signal has that rate already.
        """
        if self._rate_hz == SAMPLING_RATE_HZ:
            return [block]
        self._n_fed += len(block)
        n_piece = PIECE_S * self._rate_hz
        pieces = [block[start : start + n_piece] for start in range(0, len(block), n_piece)]
        resampled = [self._stream.resample_chunk(piece) for piece in pieces]
        self._n_given += sum(map(len, resampled))
        return [piece for piece in resampled if len(piece)]

    def flush(self) -> list[NDArray[np.float32]]:
        """Take the end of the signal and hand out what is left.

        Returns:
            Blocks at 16 kHz, float32 (n_samples,); together with the fed ones ceil(n_samples * 16000 / rate) samples.
        """
        if not self._n_fed:
            return []
        rest = self._stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        return [_set_length(rest, _count_samples(self._n_fed, self._rate_hz) - self._n_given)]


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
    resampled = soxr.resample(signal, sampling_rate_hz, SAMPLING_RATE_HZ, quality=KIND)
    return _set_length(resampled, _count_samples(len(signal), sampling_rate_hz))


def _count_samples(n_samples: int, sampling_rate_hz: int) -> int:
    """Count the samples at 16 kHz, as librosa does."""
    return math.ceil(n_samples * (SAMPLING_RATE_HZ / sampling_rate_hz))


def _set_length(resampled: NDArray[np.float32], n_samples: int) -> NDArray[np.float32]:
    """Cut what is too long; soxr gives a sample too few where the last one lies behind the end."""
    return np.pad(resampled[:n_samples], (0, max(0, n_samples - len(resampled))))
