"""Turn a recording's bytes into blocks of mono signal at 16 kHz; never holds more than some seconds of it."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from worker.audio.container import Part, describe_recording
from worker.audio.container.parts import MAX_LINKS
from worker.audio.decoders import Block, read_part
from worker.audio.errors import AudioError, AudioReason
from worker.audio.mono import MonoMixer
from worker.audio.resample import SAMPLING_RATE_HZ, Resampler, resample

__all__ = ["SAMPLING_RATE_HZ", "Limits", "iter_blocks", "preload"]
LOUDEST = 10 ** (-1 / 20)
"""-1 dBFS: where the peak of a recording is put that goes beyond full scale."""
MAX_CHANGES = MAX_LINKS
"""How often rate or channels may change; a recording of several links has a change at each."""


@dataclass(frozen=True)
class Limits:
    """What a recording may be at most.

    Attributes:
        max_bytes: of the file.
        max_duration_s: counted in decoded samples, whatever the header says.
        min_sampling_rate_hz: of the file.
        max_sampling_rate_hz: of the file.
        max_channels: of the file.
        max_decode_s: seconds of decoding, kept by whoever holds the clock (`worker.scoring.pipeline`).
    """

    max_bytes: int = 100 * 1024 * 1024
    max_duration_s: float = 14_400.0
    min_sampling_rate_hz: int = 4_000
    max_sampling_rate_hz: int = 192_000
    max_channels: int = 8
    max_decode_s: float = 120.0


def iter_blocks(file: BinaryIO, *, limits: Limits | None = None) -> Generator[NDArray[np.float32]]:
    """Decode a recording block by block, on its container's clock.

    Channels are averaged unless that would lose speech (`worker.audio.mono`). Pauses that a container marks by time
    stamps alone are silence. A recording of floating-point numbers beyond full scale is scaled to -1 dBFS.

    Args:
        file: seekable, the whole recording. It is not closed.
        limits: what is allowed at most.

    Yields:
        float32 (n_samples,), mono, 16 kHz, finite, in [-1, 1], at most 10 s each, none empty.

    Raises:
        AudioError: with its reason. ZERO_BYTES or TOO_LARGE by the file's size; NOT_AUDIO or UNSUPPORTED_CODEC by
            its first bytes or its codec; TRUNCATED if it says itself that it is cut off or longer than what decodes
            (`worker.audio.container` says what can be told); BAD_FORMAT by its sampling rate or channels; TOO_LONG,
            NON_FINITE (a NaN or an infinity) or DECODE_ERROR while decoding, or DECODE_ERROR if there is no sample in it.
    """
    allowed = limits or Limits()
    check_size(file.seek(0, os.SEEK_END), allowed)
    file.seek(0)
    parts = describe_recording(file)
    gain = _choose_gain(file, parts, allowed) if any(part.is_float for part in parts) else 1.0
    converter = _Converter(allowed, gain)
    for part in parts:
        for block in read_part(file, part):
            yield from _limit(converter.feed(block))
        yield from _limit(converter.flush())
    if not converter.has_sound:
        raise AudioError(AudioReason.DECODE_ERROR, "there is no sample in the file")


def preload() -> None:
    """Import what decoding imports late, so that a pool's children share it; builds no session and no thread.

    soxr loads its parts on first use, so one sample is resampled.
    """
    resample(np.zeros(2, dtype=np.float32), 2 * SAMPLING_RATE_HZ)


def check_size(n_bytes: int, limits: Limits) -> None:
    """Refuse a file by its size alone.

    Raises:
        AudioError: ZERO_BYTES or TOO_LARGE.

    >>> check_size(1_001, Limits(max_bytes=1_000))
    Traceback (most recent call last):
    worker.audio.errors.AudioError: TOO_LARGE: the file has 1001 bytes, allowed are 1000
    """
    if n_bytes == 0:
        raise AudioError(AudioReason.ZERO_BYTES, "the file has 0 bytes")
    if n_bytes > limits.max_bytes:
        raise AudioError(AudioReason.TOO_LARGE, f"the file has {n_bytes} bytes, allowed are {limits.max_bytes}")


def _choose_gain(file: BinaryIO, parts: list[Part], limits: Limits) -> float:
    """Find the peak of all channels, and what puts it at -1 dBFS if it is beyond full scale."""
    peak, seconds = 1.0, 0.0
    for part in parts:
        for block in read_part(file, part):
            seconds += len(block.samples) / block.rate_hz
            if seconds > limits.max_duration_s:
                return 1.0  # it is refused anyway
            loudest = float(np.abs(block.samples).max(initial=0.0))
            peak = max(peak, loudest) if np.isfinite(loudest) else peak
    return LOUDEST / peak if peak > 1.0 else 1.0


def _limit(blocks: list[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    for block in blocks:
        if len(block):  # to look costs less than to copy
            yield np.clip(block, -1.0, 1.0) if block.max() > 1.0 or block.min() < -1.0 else block


class _Converter:
    """Makes mono at 16 kHz of blocks of any kind, and holds them against the limits."""

    def __init__(self, limits: Limits, gain: float) -> None:
        self._limits = limits
        self._gain = np.float32(gain)
        self._kind: tuple[int, int] | None = None
        self._n_changes = 0
        self._seconds = 0.0  # before the last change
        self._n_samples = 0  # since the last change
        self.has_sound = False

    def feed(self, block: Block) -> list[NDArray[np.float32]]:
        """Take the next block and hand out float32 (n_samples,) blocks."""
        converted = self._change(block) if block.kind != self._kind else []
        rate_hz, _ = block.kind
        self._n_samples += len(block.samples)
        self.has_sound = self.has_sound or len(block.samples) > 0
        if self._n_samples > int((self._limits.max_duration_s - self._seconds) * rate_hz):
            raise AudioError(
                AudioReason.TOO_LONG,
                f"the recording lasts more than {self._limits.max_duration_s} s, which are allowed",
            )
        samples = block.samples if self._gain == 1 else block.samples * self._gain
        if not np.isfinite(samples).all():
            n_bad = np.count_nonzero(~np.isfinite(samples))
            at_s = self._seconds + (self._n_samples - len(samples)) / rate_hz
            raise AudioError(
                AudioReason.NON_FINITE, f"{n_bad} samples after second {at_s:.1f} are not finite, 0 are allowed"
            )
        for mono in self._mixer.feed(samples):
            converted += self._resampler.feed(mono)
        return converted

    def flush(self) -> list[NDArray[np.float32]]:
        """Take the end of a part and hand out what is left."""
        if self._kind is None:
            return []
        converted = [done for mono in self._mixer.flush() for done in self._resampler.feed(mono)]
        converted += self._resampler.flush()
        self._seconds += self._n_samples / self._kind[0]
        self._n_samples, self._kind = 0, None
        return converted

    def _change(self, block: Block) -> list[NDArray[np.float32]]:
        """Begin with another kind of blocks."""
        rest = self.flush()
        rate_hz, n_channels = self._kind = block.kind
        limits = self._limits
        if not limits.min_sampling_rate_hz <= rate_hz <= limits.max_sampling_rate_hz:
            raise AudioError(
                AudioReason.BAD_FORMAT,
                f"the sampling rate is {rate_hz} Hz, allowed are {limits.min_sampling_rate_hz} to "
                f"{limits.max_sampling_rate_hz}",
            )
        if not 1 <= n_channels <= limits.max_channels:
            raise AudioError(
                AudioReason.BAD_FORMAT, f"there are {n_channels} channels, allowed are 1 to {limits.max_channels}"
            )
        self._n_changes += 1
        if self._n_changes > MAX_CHANGES:
            raise AudioError(
                AudioReason.DECODE_ERROR, f"rate or channels change over {MAX_CHANGES} times, which are allowed"
            )
        self._mixer, self._resampler = MonoMixer(rate_hz, n_channels), Resampler(rate_hz)
        return rest
