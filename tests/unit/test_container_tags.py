"""The time that a container says: read in a few short ranges, and never longer than a hostile file allows."""

import contextlib
import doctest
import random
import struct
from datetime import datetime

import pytest
from containers import MADE, MADE_S, box, mp4, mvhd, wave

from storage import container_tags
from storage.container_tags import TagUnusable, read_creation_time


class Ranges:
    """A file that counts what is asked of it."""

    def __init__(self, content: bytes) -> None:
        self.content, self.n_reads, self.n_bytes = content, 0, 0

    def __call__(self, start: int, n_bytes: int) -> bytes:
        assert start >= 0
        assert 0 < n_bytes <= 4096
        self.n_reads += 1
        self.n_bytes += n_bytes
        return self.content[start : start + n_bytes]


def test_examples_in_docstrings_hold():
    result = doctest.testmod(container_tags)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    "content", [mp4(), mp4(version=1), mp4(is_long=True), box(b"moov", mvhd(MADE_S)) + box(b"mdat", b"\0" * 9000)]
)
def test_creation_time_of_mp4_and_mov_is_read_in_a_few_ranges(content):
    file = Ranges(content)

    assert read_creation_time(file) == MADE
    assert file.n_reads <= 6
    assert file.n_bytes < 4096 + 200


def test_broadcast_wave_says_local_time():
    assert read_creation_time(Ranges(wave(b"2026-03-02", b"08:15:00"))) == datetime(2026, 3, 2, 8, 15)  # noqa: DTZ001
    assert read_creation_time(Ranges(wave(b"2026:03:02", b"08-15-00"))) == datetime(2026, 3, 2, 8, 15)  # noqa: DTZ001


@pytest.mark.parametrize(
    "content", [mp4(0), wave(b"", b""), b"", b"OggS" + b"\0" * 99, b"RIFF\0\0\0\0WAVE", b"\0\0\0\x08moov"]
)
def test_what_says_nothing_gives_nothing(content):
    assert read_creation_time(Ranges(content)) is None


@pytest.mark.parametrize("content", [wave(b"2026-02-30", b"08:15:00"), wave(b"yesterday", b""), mp4(2**63, version=1)])
def test_what_is_said_and_no_time_is_named(content):
    with pytest.raises(TagUnusable, match="of the container"):
        read_creation_time(Ranges(content))


@pytest.mark.parametrize(
    "content",
    [
        box(b"ftyp", b"") + struct.pack(">I4s", 0, b"moov"),
        box(b"ftyp", b"") + struct.pack(">I4s", 7, b"free") * 1000,
        box(b"ftyp", b"") + box(b"free", b"") * 100_000,
        box(b"ftyp", b"") + struct.pack(">I4sQ", 1, b"free", 2**64 - 1),
        box(b"ftyp", b"") + struct.pack(">I4sQ", 1, b"free", 3),
        b"RIFF\xff\xff\xff\xffWAVE" + b"JUNK\0\0\0\0" * 100_000,
        b"RF64\xff\xff\xff\xffWAVEdata\xff\xff\xff\xff" + b"\0" * 9000,
    ],
)
def test_hostile_file_asks_for_little(content):
    file = Ranges(content)

    assert read_creation_time(file) is None
    assert file.n_reads < 80


def test_damaged_files_give_a_time_nothing_or_a_reason():
    rng = random.Random(10)
    for content in (mp4(n_samples=100), wave(b"2026-03-02", b"08:15:00")):
        for _ in range(200):
            damaged = bytearray(content[: rng.randrange(len(content))] if rng.random() < 0.3 else content)
            for _ in range(rng.randrange(1, 8)):
                if damaged:
                    damaged[rng.randrange(min(len(damaged), 700))] = rng.randrange(256)
            file = Ranges(bytes(damaged))
            with contextlib.suppress(TagUnusable):
                read_creation_time(file)
            assert file.n_reads < 80
