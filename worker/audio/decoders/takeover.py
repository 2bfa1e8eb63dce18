"""Which decoder reads a part, and how the other takes over where the first refuses or stops early.

The samples that were handed out cannot be taken back. So the second decoder starts at the beginning, what was handed
out is compared with what it gives for the same place, and it goes on from there only if both agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from worker.audio.container.parts import Container, Part
from worker.audio.decoders.clock import MAX_DRIFT_S, make_silence
from worker.audio.decoders.ffmpeg import FfmpegDecoder
from worker.audio.decoders.interface import Block, Decoder
from worker.audio.decoders.libsndfile import LibsndfileDecoder
from worker.audio.errors import AudioError, AudioReason

OpenDecoder = Callable[[BinaryIO, Part], Decoder]
TAKEN_OVER = frozenset({AudioReason.DECODE_ERROR, AudioReason.UNSUPPORTED_CODEC, AudioReason.TRUNCATED})
COMPARED_FRAMES = 16_000
N_LEVELS = 50
MAX_DISAGREEMENT = 0.1
"""Of the root mean square. Two decoders of a lossy codec differ by under a hundredth, another place by the whole."""
_DEMUXERS = {
    Container.WAV: "wav",
    Container.W64: "w64",
    Container.AIFF: "aiff",
    Container.CAF: "caf",
    Container.FLAC: "flac",
    Container.MP3: "mp3",
    Container.OGG: "ogg",
    Container.MP4: "mov",
    Container.ADTS: "aac",
    Container.LATM: "loas",
    Container.AMR: "amr",
    Container.MATROSKA: "matroska",
}
_LIBSNDFILE_FIRST = frozenset({Container.WAV, Container.AIFF, Container.CAF})  # of Wave64 it takes float for integers
_LIBSNDFILE_SECOND = frozenset({Container.FLAC, Container.OGG})  # and not MP3: of anything at all it makes some sound


def read_part(file: BinaryIO, part: Part) -> Iterator[Block]:
    """Decode one part with the first decoder that can, on the container's clock.

    Args:
        file: seekable.
        part: what of it is read.

    Yields:
        Blocks in order.

    Raises:
        AudioError: UNSUPPORTED_CODEC, NOT_AUDIO or DECODE_ERROR where no decoder can read it; TRUNCATED where it is shorter
            than its container says.
        MemoryError: a decoder found none.
        Exception: what reading the file raises passes through.
    """
    given, errors = _Given(), []
    for open_decoder in choose_decoders(part):
        try:
            yield from _read_on(open_decoder(file, part), given)
            _check_length(given, part)
            break
        except AudioError as error:
            if error.reason not in TAKEN_OVER:
                raise
            errors.append((open_decoder, error))
    else:
        raise _choose_error(errors)
    if given.kind is not None and part.fill_to_s is not None and part.fill_to_s - given.seconds > MAX_DRIFT_S:
        rate_hz, n_channels = given.kind
        yield from make_silence(part.fill_to_s - given.seconds, rate_hz, n_channels)


def choose_decoders(part: Part) -> list[OpenDecoder]:
    """Choose which decoders try, in order.

    FFmpeg reads first what libsndfile reads badly: MP3, because soundfile seeks after each block and the bit
    reservoir is lost; FLAC, because a header of unknown or too small length loses samples; Ogg Opus above 16 kHz,
    because it takes half the time; and Ogg with gaps, which only FFmpeg tells.
    """
    ffmpeg: OpenDecoder = partial(FfmpegDecoder, demuxer=_DEMUXERS[part.container])
    if part.is_swapped:
        return [LibsndfileDecoder]
    if part.container in _LIBSNDFILE_FIRST:
        return [ffmpeg, LibsndfileDecoder] if part.codec else [LibsndfileDecoder, ffmpeg]
    if part.container is Container.OGG and part.codec in ("opus at 16 kHz", "vorbis") and not part.has_gaps:
        return [LibsndfileDecoder, ffmpeg]
    return [ffmpeg, LibsndfileDecoder] if part.container in _LIBSNDFILE_SECOND else [ffmpeg]


@dataclass
class _Given:
    """What has been handed out; `tail` is the end of it."""

    seconds: float = 0.0
    n_frames: int = 0
    kind: tuple[int, int] | None = None
    n_kinds: int = 0
    tail: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 1), dtype=np.float32))

    def note(self, block: Block) -> None:
        """Note what is handed out now."""
        if block.kind != self.kind:
            self.kind, self.n_kinds = block.kind, self.n_kinds + 1
        self.seconds += len(block.samples) / block.rate_hz
        self.n_frames += len(block.samples)
        self.tail = block.samples[-COMPARED_FRAMES:]


def _read_on(decoder: Decoder, given: _Given) -> Iterator[Block]:
    """Go on behind what has been handed out."""
    with closing(decoder):
        blocks = decoder.read_blocks()
        if given.n_frames:
            blocks = _skip(blocks, given)
        for block in blocks:
            given.note(block)
            yield block


def _skip(blocks: Iterator[Block], given: _Given) -> Iterator[Block]:
    """Drop as much as has been handed out, and refuse to go on if it was something else.

    Decoders may give the same sound at another rate (libsndfile gives Opus at 16 kHz, FFmpeg at 48 kHz).
    """
    rate_hz, n_channels = given.kind or (0, 0)
    n_left = n_compared = 0
    held = np.zeros((0, n_channels), dtype=np.float32)
    for number, block in enumerate(blocks):
        if number == 0:
            n_left = round(given.n_frames * block.rate_hz / rate_hz)
            n_compared = round(len(given.tail) * block.rate_hz / rate_hz)
        elif n_left <= 0:
            yield block
            continue
        if block.kind[1] != n_channels or given.n_kinds != 1:
            break
        held = np.concatenate((held, block.samples[:n_left]))[-n_compared:]
        rest = block.samples[n_left:]
        n_left -= len(block.samples)
        if n_left <= 0:
            if not _agrees(held, given.tail):
                break
            if len(rest):
                yield Block(rest, block.rate_hz)
    else:
        if n_left <= 0:
            return
    raise AudioError(AudioReason.DECODE_ERROR, "two decoders disagree on the file")


def _agrees(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    """Compare samples, or where the rates differ the course of their level."""
    if len(first) != len(second):
        first, second = _measure_levels(first), _measure_levels(second)
    difference = np.sqrt(np.mean(np.square(first - second, dtype=np.float64)))
    return bool(difference <= MAX_DISAGREEMENT * np.sqrt(np.mean(np.square(second, dtype=np.float64))) + 1e-4)


def _measure_levels(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Root mean square of each of so many stretches, float32 (N_LEVELS, n_channels)."""
    stretches = np.array_split(samples, N_LEVELS)
    levels = [
        np.sqrt(np.mean(np.square(part), axis=0)) if len(part) else np.zeros(samples.shape[1]) for part in stretches
    ]
    return np.asarray(levels, dtype=np.float32)


def _check_length(given: _Given, part: Part) -> None:
    if part.length_s is not None and given.seconds < part.length_s - part.tolerance_s - 1e-6:
        raise AudioError(
            AudioReason.TRUNCATED,
            f"the {part.container.value} file says that it lasts {part.length_s:.2f} s and holds {given.seconds:.2f} s",
        )


def _choose_error(errors: list[tuple[OpenDecoder, AudioError]]) -> AudioError:
    """Choose what to say: that a codec is not taken if FFmpeg, which knows them all, says so; else what came first."""
    unsupported = [error for _, error in errors if error.reason is AudioReason.UNSUPPORTED_CODEC]
    by_ffmpeg = [error for decoder, error in errors if error in unsupported and decoder is not LibsndfileDecoder]
    others = [error for _, error in errors if error not in unsupported]
    return (by_ffmpeg or others or unsupported)[0]
