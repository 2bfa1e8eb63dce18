"""Read WAV, AIFF, CAF and Ogg in blocks with libsndfile; never trusts a length that a header promises."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from worker.audio.errors import AudioError, AudioReason
from worker.audio.formats import Container
from worker.audio.integrity import find_riff_data
from worker.audio.source import Source

BLOCK_FRAMES = 65_536
UNSUPPORTED_ENCODING = 4
"""SF_ERR_UNSUPPORTED_ENCODING of sndfile.h."""


class NativeReader:
    """One file, open in libsndfile.

    Attributes:
        sampling_rate_hz: of the file.
        n_channels: of the file.
    """

    def __init__(self, file: BinaryIO, container: Container) -> None:
        """Open the file.

        Args:
            file: seekable, at its start.
            container: what the file is.

        Raises:
            AudioError: UNSUPPORTED_CODEC or DECODE_ERROR.
            Exception: what reading the file raises passes through.
        """
        self._source = Source(file)
        try:
            self._sound = soundfile.SoundFile(_name_streamed_size(self._source, container))
        except soundfile.LibsndfileError as error:
            self._source.check()
            raise _translate(error, container) from error
        except (OSError, RuntimeError, TypeError, ValueError) as error:
            self._source.check()
            raise AudioError(AudioReason.DECODE_ERROR, f"the {container.value} header is damaged: {error}") from error
        self._source.check()
        self._container = container
        self.sampling_rate_hz = int(self._sound.samplerate)
        self.n_channels = int(self._sound.channels)

    def read_blocks(self) -> Iterator[NDArray[np.float32]]:
        """Read to the end.

        Yields:
            float32 (n_frames, n_channels), full scale 1.

        Raises:
            AudioError: DECODE_ERROR.
            Exception: what reading the file raises passes through.
        """
        try:
            while len(block := self._sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
                self._source.check()
                yield block
            self._source.check()
        except soundfile.LibsndfileError as error:
            self._source.check()
            raise _translate(error, self._container) from error

    def close(self) -> None:
        """Let go of the decoder; the file stays open."""
        self._sound.close()


def _translate(error: soundfile.LibsndfileError, container: Container) -> AudioError:
    reason = AudioReason.UNSUPPORTED_CODEC if error.code == UNSUPPORTED_ENCODING else AudioReason.DECODE_ERROR
    return AudioError(reason, f"libsndfile on the {container.value} file: {error.error_string}")


def _name_streamed_size(source: Source, container: Container) -> Source | _Overlaid:
    """Let libsndfile read on to the end where a recorder that could not seek left a data size of 0."""
    if container is not Container.WAV:
        return source
    found = find_riff_data(source)
    n_bytes = source.seek(0, os.SEEK_END)
    source.seek(0)
    if found is None or found[1] != 0 or found[0] + 4 >= n_bytes:
        return source
    return _Overlaid(source, found[0], b"\xff\xff\xff\xff")


class _Overlaid:
    """A source of which a few bytes read differently."""

    def __init__(self, source: Source, offset: int, overlay: bytes) -> None:
        self._source, self._offset, self._overlay = source, offset, overlay
        self.seek, self.tell, self.write = source.seek, source.tell, source.write

    def read(self, size: int = -1) -> bytes:
        """Read as a file does."""
        start = self._source.tell()
        content = bytearray(self._source.read(size))
        for index, byte in enumerate(self._overlay, self._offset - start):
            if 0 <= index < len(content):
                content[index] = byte
        return bytes(content)
