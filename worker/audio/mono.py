"""Make one channel of several, so that speech is not lost where channels cancel or one of them is dead.

The mean of all channels is the best guess as long as it carries their sound. Where it does not, the loudest channel
speaks: channels in opposite phase cancel in the mean, and a channel without speech halves it. That is decided for
each second of the clock, whatever the blocks are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STRETCH_S = 1
FADE_S = 0.01
MEAN = -1
MEAN_FROM = 0.35
"""The mean is taken if it has this share of the loudest channel's energy. Equal channels give 1, independent ones of the
same level 0.5, one beside a dead one 0.25, opposite ones 0."""
MEAN_UNTIL = 0.30
"""Once taken it is kept down to this share, so that the choice does not flicker."""
AS_LOUD = 0.99
LOUDER = 2.0
"""A channel gives way to one that is louder than this, in energy."""


class MonoMixer:
    """Mixes stretch by stretch."""

    def __init__(self, rate_hz: int, n_channels: int) -> None:
        """Start at the beginning of a signal.

        Args:
            rate_hz: its sampling rate.
            n_channels: how many it has.
        """
        self._n_stretch = rate_hz * STRETCH_S
        self._fade = np.linspace(0.0, 1.0, max(2, int(rate_hz * FADE_S)), dtype=np.float32)
        self._n_channels = n_channels
        self._held: list[NDArray[np.float32]] = []
        self._n_held = 0
        self._choice: int | None = None

    def feed(self, block: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Take the next block and hand out the stretches that are whole.

        Args:
            block: float32 (n_frames, n_channels).

        Returns:
            float32 (n_frames,) each, in order.
        """
        if self._n_channels == 1:
            return [block[:, 0]]
        self._held.append(block)
        self._n_held += len(block)
        if self._n_held < self._n_stretch:
            return []
        held = np.concatenate(self._held)
        n_whole = len(held) - len(held) % self._n_stretch
        self._held, self._n_held = [held[n_whole:]], len(held) - n_whole
        return [self._mix(held[start : start + self._n_stretch]) for start in range(0, n_whole, self._n_stretch)]

    def flush(self) -> list[NDArray[np.float32]]:
        """Take the end of the signal and hand out what is left, float32 (n_frames,)."""
        return [self._mix(np.concatenate(self._held))] if self._n_held else []

    def _mix(self, stretch: NDArray[np.float32]) -> NDArray[np.float32]:
        channels = np.ascontiguousarray(stretch.T)
        mean = channels.mean(axis=0, dtype=np.float32)
        before, self._choice = self._choice, self._choose(channels, mean)
        mixed = _pick(channels, mean, self._choice)
        if before is not None and before != self._choice:
            n_fade = min(len(self._fade), len(mixed))
            fade = self._fade[:n_fade]
            mixed = mixed.copy()
            mixed[:n_fade] = fade * mixed[:n_fade] + (1 - fade) * _pick(channels, mean, before)[:n_fade]
        return mixed

    def _choose(self, channels: NDArray[np.float32], mean: NDArray[np.float32]) -> int:
        """Choose the mean or a channel; silence changes nothing."""
        energies = np.array([np.dot(channel, channel) for channel in channels], dtype=np.float64)
        energy = float(np.dot(mean, mean))
        loudest = int(energies.argmax())
        if not energies[loudest] > 0:
            return MEAN if self._choice is None else self._choice
        loudest = int((energies >= AS_LOUD * energies[loudest]).argmax())  # the first of those that are as loud
        if energy >= (MEAN_UNTIL if self._choice == MEAN else MEAN_FROM) * energies[loudest]:
            return MEAN
        if self._choice is None or self._choice == MEAN or energies[loudest] > LOUDER * energies[self._choice]:
            return loudest
        return self._choice


def _pick(channels: NDArray[np.float32], mean: NDArray[np.float32], choice: int) -> NDArray[np.float32]:
    return mean if choice == MEAN else channels[choice]
