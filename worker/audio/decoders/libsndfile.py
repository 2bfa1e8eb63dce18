"""Read with libsndfile, in blocks: the length that a header promises is not believed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import soundfile

from worker.audio.container.parts import Part
from worker.audio.decoders.interface import PIECE_SAMPLES, Block, open_source
from worker.audio.errors import AudioError, AudioReason

UNSUPPORTED_ENCODING = 4
"""SF_ERR_UNSUPPORTED_ENCODING of sndfile.h."""


class LibsndfileDecoder:
    """One part of a file, open in libsndfile."""

    def __init__(self, file: BinaryIO, part: Part) -> None:
        """Open it.

        Args:
            file: seekable.
            part: what of it is read.

        Raises:
            AudioError: UNSUPPORTED_CODEC or DECODE_ERROR.
            Exception: what reading the file raises passes through.
        """
        self._name = part.container.value
        self._source = open_source(file, part)
        try:
            self._sound = soundfile.SoundFile(self._source)
        except soundfile.LibsndfileError as error:
            self._source.check()
            raise self._translate(error) from error
        except (OSError, RuntimeError, TypeError, ValueError) as error:
            self._source.check()
            raise AudioError(AudioReason.DECODE_ERROR, f"the {self._name} header is damaged: {error}") from error
        self._source.check()

    def read_blocks(self) -> Iterator[Block]:
        """Read to the end, as `Decoder` says."""
        try:
            while len(block := self._sound.read(PIECE_SAMPLES, dtype="float32", always_2d=True)):
                self._source.check()
                yield Block(block, int(self._sound.samplerate))
            self._source.check()
        except soundfile.LibsndfileError as error:
            self._source.check()
            raise self._translate(error) from error

    def close(self) -> None:
        """Let go of the decoder; the file stays open."""
        self._sound.close()

    def _translate(self, error: soundfile.LibsndfileError) -> AudioError:
        reason = AudioReason.UNSUPPORTED_CODEC if error.code == UNSUPPORTED_ENCODING else AudioReason.DECODE_ERROR
        return AudioError(reason, f"libsndfile on the {self._name} file: {error.error_string}")
