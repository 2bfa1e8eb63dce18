"""A read that fails in the middle of a recording is never taken for its end."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.unit.recordings import encode_foreign, encode_native
from tests.unit.sounds import make_noise
from worker.audio.container.source import Peek, Source
from worker.audio.decode import iter_blocks

NOISE = make_noise(12.0, peak=0.5)
RECORDINGS = {
    "WAV": encode_native("WAV", "PCM_16", NOISE),
    "AIFF": encode_native("AIFF", "PCM_16", NOISE),
    "Ogg Vorbis": encode_native("OGG", "VORBIS", NOISE),
    "FLAC": encode_native("FLAC", "PCM_16", NOISE),
    "MP3": encode_native("MP3", "MPEG_LAYER_III", NOISE),
    "M4A": encode_foreign("ipod", "aac", NOISE, 44_100),
    "AAC": encode_foreign("adts", "aac", NOISE, 16_000),
    "WebM": encode_foreign("webm", "libopus", NOISE, 48_000),
}


class TimeIsUp(Exception):
    """Stands for what a signal handler may raise at any moment."""


class FailingFile(io.BytesIO):
    """Fails once, as it is read for the nth time from when it is armed."""

    def __init__(self, content: bytes, error: Exception) -> None:
        super().__init__(content)
        self.error = error
        self.reads_left: int | None = None

    def read(self, size: int | None = -1) -> bytes:
        self._count()
        return super().read(size)

    def readinto(self, buffer: bytearray) -> int:
        self._count()
        return super().readinto(buffer)

    def _count(self) -> None:
        if self.reads_left is not None:
            self.reads_left -= 1
            if self.reads_left == 0:
                raise self.error


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # cffi tells it to stderr as well
@pytest.mark.parametrize("error", [OSError(5, "input/output error"), MemoryError(), TimeIsUp()], ids=repr)
@pytest.mark.parametrize("name", RECORDINGS)
def test_a_read_that_fails_ends_the_decoding(name: str, error: Exception) -> None:
    file = FailingFile(RECORDINGS[name], error)
    blocks = iter_blocks(file)
    next(blocks)
    file.reads_left = 1

    with pytest.raises(type(error)):
        list(blocks)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", RECORDINGS)
def test_a_read_that_fails_while_the_file_is_opened_is_no_damage(name: str) -> None:
    whole = np.concatenate(list(iter_blocks(io.BytesIO(RECORDINGS[name]))))

    for n_reads in range(1, 12):
        file = FailingFile(RECORDINGS[name], TimeIsUp())
        file.reads_left = n_reads
        try:
            decoded = np.concatenate(list(iter_blocks(file)))
        except TimeIsUp:
            continue
        assert file.reads_left > 0  # it was never asked so often
        assert len(decoded) == len(whole)


def test_a_source_hides_its_first_bytes() -> None:
    source = Source(io.BytesIO(b"hidden0123456789"), start=6)

    assert source.read(3) == b"012"
    assert (source.tell(), source.seek(-2, io.SEEK_END), source.read()) == (3, 8, b"89")
    assert (source.seek(2), source.seek(1, io.SEEK_CUR), source.read(1)) == (2, 3, b"3")


def test_a_place_before_the_first_byte_is_refused_and_costs_nothing() -> None:
    source = Source(io.BytesIO(b"hidden0123456789"), start=6)
    source.seek(4)

    assert source.seek(-1) == -1
    assert source.seek(-5, io.SEEK_CUR) == -1
    assert source.read(1) == b"4"
    source.check()


def test_a_source_shows_spans_one_behind_the_other_and_what_is_laid_over_them() -> None:
    source = Source(io.BytesIO(b"0123tag4567tag89"), spans=[(0, 4), (7, 11), (14, 99)], overlay=(3, b"xyz"))

    assert source.n_bytes == 10
    assert source.read() == b"012xyz6789"
    assert (source.seek(2), source.read(3), source.tell()) == (2, b"2xy", 5)
    assert (source.seek(-3, io.SEEK_END), source.read(99), source.read(1)) == (7, b"789", b"")


def test_peeking_gives_what_reading_gives() -> None:
    content = bytes(range(256)) * 1000
    peek = Peek(Source(io.BytesIO(content), start=10))

    for at in (0, 3, 65_530, 65_536, 65_535, 200_000, len(content) - 15, len(content)):
        assert peek(at, 20) == content[10 + at : 30 + at]
    assert peek(1, 100_000) == content[11:100_011]
