"""When a recorder says that it made a file: `creation_time` of MP4 and MOV, `OriginationDate` of Broadcast Wave.

Only a few short ranges are read, and what a hostile file can ask for is bounded by their number.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

Read = Callable[[int, int], bytes]
"""Gives up to so many bytes (second argument) from a place (first argument) on."""

_MP4_NAMES = frozenset({".mp4", ".m4a", ".m4b", ".m4r", ".mov", ".qt", ".3gp", ".3gpp", ".3g2"})
_WAVE_NAMES = frozenset({".wav", ".wave", ".bwf", ".rf64", ".bw64"})
_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_MAC_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)  # QuickTime File Format, "Movie header atoms"; ISO/IEC 14496-12, 8.2.2
_HEAD_BYTES = 4096
_MAX_STEPS = 32
_BOX_HEADER_BYTES, _LONG_BOX_HEADER_BYTES = 8, 16
_MVHD_BYTES = 12  # version, flags and a creation time of 64 bits
# EBU Tech 3285, 2.3: Description 256, Originator 32, OriginatorReference 32, OriginationDate 10, OriginationTime 8.
_BEXT_DATE, _BEXT_TIME, _BEXT_END = 320, 330, 338
_DATE = re.compile(rb"(\d{4})[-_:./ ](\d{2})[-_:./ ](\d{2})")
_CLOCK = re.compile(rb"(\d{2})[-_:./ ](\d{2})[-_:./ ](\d{2})")

_BAD_BEXT = "OriginationDate and OriginationTime of the container are no existing time"


class TagUnusable(Exception):
    """A container has such a tag, and it is no time; the message says why."""


def may_have_tags(key: str) -> bool:
    """Whether a recording of this name may be of a kind that says when it was made.

    >>> [may_have_tags(key) for key in ("ana/x.M4A", "x.wav", "recording", "x.ogg")]
    [True, True, True, False]
    """
    suffix = PurePosixPath(key).suffix.lower()
    return suffix in _MP4_NAMES | _WAVE_NAMES | {""}


def read_creation_time(read: Read) -> datetime | None:
    """Read when a container says that it was made.

    Args:
        read: gives ranges of the file.

    Returns:
        An aware datetime in UTC (MP4, MOV), a naive one in local time (Broadcast Wave), or None where nothing is said.

    Raises:
        TagUnusable: what is said is no time.
    """
    head = read(0, _HEAD_BYTES)
    if head[8:12] == b"WAVE" and head[:4] in {b"RIFF", b"RF64", b"BW64"}:
        return _of_wave(_cached(head, read))
    if head[4:8] in _FIRST_BOXES:
        return _of_mp4(_cached(head, read))
    return None


def _cached(head: bytes, read: Read) -> Read:
    """Serve ranges of the file's beginning from what was read already."""

    def read_range(start: int, n_bytes: int) -> bytes:
        if start + n_bytes <= len(head) or len(head) < _HEAD_BYTES:
            return head[start : start + n_bytes]
        return read(start, n_bytes)

    return read_range


def _of_mp4(read: Read) -> datetime | None:
    for kind, start, end in _boxes(read, 0, None):
        if kind != b"moov":
            continue
        for inner, at, _ in _boxes(read, start, end):
            if inner == b"mvhd":
                return _of_mvhd(read(at, _MVHD_BYTES))
        return None
    return None


def _boxes(read: Read, start: int, end: int | None) -> Iterator[tuple[bytes, int, int | None]]:
    """Give the kind of each box and where its content begins and ends; end None: with the file."""
    for _ in range(_MAX_STEPS):
        if end is not None and start + _BOX_HEADER_BYTES > end:
            return
        header = read(start, _LONG_BOX_HEADER_BYTES)
        if len(header) < _BOX_HEADER_BYTES:
            return
        size, n_header = int.from_bytes(header[:4], "big"), _BOX_HEADER_BYTES
        if size == 1:
            size, n_header = int.from_bytes(header[8:16], "big"), _LONG_BOX_HEADER_BYTES
        box_end = None if size == 0 else start + size
        yield header[4:8], start + n_header, box_end
        if box_end is None or size < n_header or box_end >= 2**63:
            return
        start = box_end


def _of_mvhd(content: bytes) -> datetime | None:
    if len(content) < _MVHD_BYTES:
        return None
    n_bytes = 8 if content[0] == 1 else 4
    seconds = int.from_bytes(content[4 : 4 + n_bytes], "big")
    if seconds == 0:
        return None
    try:
        return _MAC_EPOCH + timedelta(seconds=seconds)
    except OverflowError as error:
        raise TagUnusable("creation_time of the container is beyond the year 9999") from error


def _of_wave(read: Read) -> datetime | None:
    start = 12
    for _ in range(_MAX_STEPS):
        header = read(start, 8)
        if len(header) < 8:  # noqa: PLR2004 - name and size of a RIFF chunk
            return None
        size = int.from_bytes(header[4:], "little")
        if header[:4] == b"bext":
            return _of_bext(read(start + 8, min(size, _BEXT_END)))
        if size == 2**32 - 1:  # RF64: the real size stands in another place, and bext comes before the samples
            return None
        start += 8 + size + size % 2
    return None


def _of_bext(content: bytes) -> datetime | None:
    date, clock = content[_BEXT_DATE:_BEXT_TIME].strip(b"\0 "), content[_BEXT_TIME:_BEXT_END].strip(b"\0 ")
    if not date:
        return None
    found, time = _DATE.fullmatch(date), _CLOCK.fullmatch(clock)
    if found is None or time is None:
        raise TagUnusable(_BAD_BEXT)
    try:
        year, month, day = map(int, found.groups())
        hour, minute, second = map(int, time.groups())
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - EBU Tech 3285 says local time
    except ValueError as error:
        raise TagUnusable(_BAD_BEXT) from error
