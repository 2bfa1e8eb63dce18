"""Turn a recording's bytes into blocks of mono signal at 16 kHz; never holds more than some seconds of it."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from worker.audio.errors import AudioError, AudioReason
from worker.audio.foreign import ForeignReader
from worker.audio.formats import Format, identify_format
from worker.audio.integrity import check_whole
from worker.audio.native import NativeReader
from worker.audio.resample import SAMPLING_RATE_HZ, Resampler, resample

__all__ = ["SAMPLING_RATE_HZ", "Limits", "iter_blocks", "preload"]


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
    """Decode a recording block by block.

    Channels are averaged. Pauses that a container marks by time stamps alone are not filled with silence.

    Args:
        file: seekable, the whole recording. It is not closed.
        limits: what is allowed at most.

    Yields:
        float32 (n_samples,), mono, 16 kHz, finite, in [-1, 1], at most 10 s each, none empty.

    Raises:
        AudioError: with its reason. ZERO_BYTES or TOO_LARGE by the file's size; NOT_AUDIO or UNSUPPORTED_CODEC by
            its first bytes or its codec; TRUNCATED if it says itself that it is cut off (`integrity` says what can
            be told); BAD_FORMAT by its sampling rate or channels; TOO_LONG, NON_FINITE (a NaN or an infinity) or
            DECODE_ERROR while decoding, or DECODE_ERROR if there is no sample in it.
    """
    allowed = limits or Limits()
    _check_size(file, allowed)
    found = identify_format(file)
    check_whole(file, found.container)
    reader = _open_reader(file, found)
    try:
        _check_format(reader, allowed)
        yield from _convert(reader, allowed)
    finally:
        reader.close()


def preload() -> None:
    """Import what decoding imports late, so that a pool's children share it; builds no session and no thread.

    soxr loads its parts on first use, so one sample is resampled.
    """
    resample(np.zeros(2, dtype=np.float32), 2 * SAMPLING_RATE_HZ)


def _open_reader(file: BinaryIO, found: Format) -> NativeReader | ForeignReader:
    if found.demuxer is not None:
        return ForeignReader(file, found.container, found.demuxer)
    try:
        return NativeReader(file, found.container)
    except AudioError as error:
        if found.fallback is None or error.reason is not AudioReason.UNSUPPORTED_CODEC:
            raise
        file.seek(0)
        return ForeignReader(file, found.container, found.fallback)


def _check_size(file: BinaryIO, limits: Limits) -> None:
    n_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    if n_bytes == 0:
        raise AudioError(AudioReason.ZERO_BYTES, "the file has 0 bytes")
    if n_bytes > limits.max_bytes:
        raise AudioError(AudioReason.TOO_LARGE, f"the file has {n_bytes} bytes, allowed are {limits.max_bytes}")


def _check_format(reader: NativeReader | ForeignReader, limits: Limits) -> None:
    if not limits.min_sampling_rate_hz <= reader.sampling_rate_hz <= limits.max_sampling_rate_hz:
        raise AudioError(
            AudioReason.BAD_FORMAT,
            f"the sampling rate is {reader.sampling_rate_hz} Hz, allowed are {limits.min_sampling_rate_hz} to "
            f"{limits.max_sampling_rate_hz}",
        )
    if not 1 <= reader.n_channels <= limits.max_channels:
        raise AudioError(
            AudioReason.BAD_FORMAT, f"there are {reader.n_channels} channels, allowed are 1 to {limits.max_channels}"
        )


def _convert(reader: NativeReader | ForeignReader, limits: Limits) -> Generator[NDArray[np.float32]]:
    """Average the channels and resample, float32 (n_samples,) blocks."""
    resampler = Resampler(reader.sampling_rate_hz)
    max_samples = int(limits.max_duration_s * reader.sampling_rate_hz)
    n_samples = 0
    for block in reader.read_blocks():
        n_samples += len(block)
        if n_samples > max_samples:
            raise AudioError(
                AudioReason.TOO_LONG, f"the recording lasts more than {limits.max_duration_s} s, which are allowed"
            )
        if not np.isfinite(block).all():
            at_s = (n_samples - len(block)) / reader.sampling_rate_hz
            raise AudioError(
                AudioReason.NON_FINITE,
                f"{np.count_nonzero(~np.isfinite(block))} samples after second {at_s:.1f} are not finite, 0 are allowed",
            )
        mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
        for resampled in resampler.feed(mono):
            yield np.clip(resampled, -1.0, 1.0)
    if n_samples == 0:
        raise AudioError(AudioReason.DECODE_ERROR, "there is no sample in the file")
    for resampled in resampler.flush():
        yield np.clip(resampled, -1.0, 1.0)
