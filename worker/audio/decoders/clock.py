"""The clock of a container: where time stamps run on without sound, there was silence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from worker.audio.decoders.interface import PIECE_SAMPLES, Block

MAX_DRIFT_S = 0.04
"""Stamps of recorders jitter by some milliseconds, and so do those of a lost packet or two; what is more is a gap."""
RESTART_S = 1.0
BEHIND_END_S = 1.0


class Clock:
    """Compares time stamps with the samples so far."""

    def __init__(self, from_s: float | None, end_s: float | None) -> None:
        """Start a part.

        Args:
            from_s: the time stamp at which it begins; None if that is the first one.
            end_s: where it ends by its container, counted from there; None if it does not say.
        """
        self._from_s = from_s
        self._end_s = end_s
        self.at_s = 0.0

    def measure_gap_s(self, stamp_s: float) -> float:
        """Tell how much silence belongs before a frame with this time stamp."""
        if self._from_s is None:
            self._from_s = stamp_s
        gap_s = stamp_s - self._from_s - self.at_s
        has_restarted = gap_s < -RESTART_S
        is_lie = self._end_s is not None and gap_s > MAX_DRIFT_S and self.at_s + gap_s > self._end_s + BEHIND_END_S
        if has_restarted or is_lie:
            self._from_s = stamp_s - self.at_s
        return gap_s if gap_s > MAX_DRIFT_S and not is_lie else 0.0


def make_silence(duration_s: float, rate_hz: int, n_channels: int) -> Iterator[Block]:
    """Make silence piece by piece, so that hours of it take no memory."""
    n_left = round(duration_s * rate_hz)
    silence = np.zeros((min(n_left, PIECE_SAMPLES), n_channels), dtype=np.float32)
    while n_left > 0:
        yield Block(silence[:n_left], rate_hz)
        n_left -= PIECE_SAMPLES
