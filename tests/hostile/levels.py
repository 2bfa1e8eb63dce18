"""How loud a signal is, tenth by tenth of a second: enough to tell speech from the noise of a misread number format."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

STEP_SAMPLES = 1_600
FLOOR_DB = -60
"""What is quieter counts as silence; codecs leave a noise of their own there."""
MAX_GAIN_DB = 10.0
"""Stereo is mixed down in different ways, and what exceeds full scale is clipped or scaled."""


class Levels:
    """Takes a signal at 16 kHz in blocks."""

    def __init__(self) -> None:
        self._rest: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._levels: list[int] = []
        self.n_samples = 0

    def feed(self, block: NDArray[np.float32]) -> None:
        """Take the next block, full scale 1."""
        self.n_samples += len(block)
        signal = np.concatenate([self._rest, block])
        n_whole = len(signal) // STEP_SAMPLES
        self._rest = signal[n_whole * STEP_SAMPLES :]
        steps = signal[: n_whole * STEP_SAMPLES].reshape(n_whole, STEP_SAMPLES)
        power = np.mean(steps.astype(np.float64) ** 2, axis=1)
        self._levels += [int(level) for level in np.rint(10 * np.log10(power + 10 ** (FLOOR_DB / 10)))]

    def read(self) -> tuple[int, ...]:
        """The level of each whole tenth of a second, dB of full scale."""
        return tuple(self._levels)


def measure_difference(ours: Sequence[int], theirs: Sequence[int]) -> float:
    """Compare two signals of the same length by their levels.

    Returns:
        The mean difference in dB once a gain of up to 10 dB is allowed for; 0 for signals of less than half a second.
    """
    n_steps = min(len(ours), len(theirs))
    if n_steps < 5:
        return 0.0
    differences = np.array(ours[:n_steps], dtype=np.float64) - np.array(theirs[:n_steps], dtype=np.float64)
    gain_db = np.clip(np.median(differences), -MAX_GAIN_DB, MAX_GAIN_DB)
    return float(np.abs(differences - gain_db).mean())
