"""MP3: what its Xing, Info and VBRI headers count, in a file or in several that were joined."""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from worker.audio.container.frames import Frame, read_frame
from worker.audio.container.identify import measure_tag
from worker.audio.container.parts import Container, Part, refuse_cut, refuse_many
from worker.audio.container.source import Source

BLOCK_BYTES = 1 << 20
MARGIN_BYTES = 256
"""More than lies between a frame's header and the words Xing, Info or VBRI, or follows them."""
WORDS = re.compile(b"Xing|Info|VBRI|ID3")
MAX_HEADERS = 10_000
XING_AT = frozenset({13, 21, 36})
"""Where Xing or Info stands in a frame, by MPEG version and channels; with a checksum, 2 further."""
VBRI_AT = 36
TAG_AT = 120
DELAYS_AT = 141
"""Where encoders name themselves behind the word, and what they put before and after the sound (LAME tag, rev. 1)."""
ENCODERS = (b"LAME", b"Lavc", b"Lavf")
N_FRAMES_TOLERATED = 3
TOLERATED_SHARE = 0.02
"""Frames that got lost on the way: what is missing beyond it is no accident."""


@dataclass(frozen=True)
class _Count:
    """What one header counts; n_bytes is 0 if it does not say."""

    start: int
    length_s: float
    frame_s: float
    n_bytes: int


def describe_mp3(source: Source) -> list[Part]:
    """Add up what the headers count, and hide the tags that stand between joined files.

    Raises:
        AudioError: TRUNCATED if the file is shorter than the byte count of its only or last header; DECODE_ERROR for more
            tags than files were ever joined.
    """
    n_bytes = source.n_bytes
    counts, tags = _find_headers(source)
    if counts and counts[-1].n_bytes:
        promised = counts[-1].start + counts[-1].n_bytes
        if promised - n_bytes > 512 + counts[-1].n_bytes // 100:  # some encoders count tags in, some do not
            raise refuse_cut("the stream that the Xing header counts", promised, n_bytes)
    spans, first = [], 0
    for start, end in tags:
        spans.append((first, start))
        first = end
    spans.append((first, n_bytes))
    length_s = sum(count.length_s for count in counts)
    tolerance_s = N_FRAMES_TOLERATED * sum(count.frame_s for count in counts) + TOLERATED_SHARE * length_s
    return [Part(Container.MP3, tuple(spans), length_s=length_s or None, tolerance_s=tolerance_s)]


def _find_headers(source: Source) -> tuple[list[_Count], list[tuple[int, int]]]:
    """Find what headers count, and the tags that a frame follows."""
    counts: list[_Count] = []
    tags: list[tuple[int, int]] = []
    n_tags, covered = 0, 0
    for at, content, place in _find_words(source):
        if at < covered or len(counts) + len(tags) >= MAX_HEADERS:
            continue
        size = measure_tag(content[place : place + 10])
        n_tags += size > 0
        if n_tags > MAX_HEADERS:
            raise refuse_many("tags", MAX_HEADERS)
        if size and _starts_frame(source, at + size):
            tags.append((at, at + size))
            covered = at + size
        count = None if size else _read_count(content, place, at)
        if count is not None:
            counts.append(count)
            covered = at + 4
    return counts, tags


def _find_words(source: Source) -> Iterator[tuple[int, bytes, int]]:
    """Yield where one of the words stands: in the file, and in which bytes around it."""
    for start in range(0, source.n_bytes, BLOCK_BYTES):
        margin = min(start, MARGIN_BYTES)
        source.seek(start - margin)
        content = source.read(margin + BLOCK_BYTES + MARGIN_BYTES)
        for match in WORDS.finditer(content, margin):
            if match.start() < margin + BLOCK_BYTES:
                yield start - margin + match.start(), content, match.start()


def _read_count(content: bytes, place: int, at: int) -> _Count | None:
    """Read the count behind one of the words, if a frame's header stands where it must."""
    word = content[place : place + 4]
    offsets = [VBRI_AT] if word == b"VBRI" else sorted(XING_AT | {at + 2 for at in XING_AT})
    for offset in offsets:
        frame = read_frame(content, place - offset) if place >= offset else None
        if frame is None or frame.container is not Container.MP3 or frame.kind[1] != 3:
            continue
        return _read_numbers(content, place, frame, at - offset)
    return None


def _read_numbers(content: bytes, place: int, frame: Frame, start: int) -> _Count:
    if content[place : place + 4] == b"VBRI":
        n_bytes, n_frames = (int.from_bytes(content[place + at : place + at + 4], "big") for at in (10, 14))
    else:
        flags = int.from_bytes(content[place + 4 : place + 8], "big")
        fields = place + 8
        n_frames = int.from_bytes(content[fields : fields + 4], "big") if flags & 1 else 0
        fields += 4 if flags & 1 else 0
        n_bytes = int.from_bytes(content[fields : fields + 4], "big") if flags & 2 else 0
    delays = 0
    if content[place + TAG_AT : place + TAG_AT + 4] in ENCODERS:
        field = int.from_bytes(content[place + DELAYS_AT : place + DELAYS_AT + 3], "big")
        delays = (field >> 12) + (field & 0xFFF)
    n_samples = max(0, n_frames * frame.n_samples - delays)
    return _Count(start, n_samples / frame.rate_hz, frame.n_samples / frame.rate_hz, n_bytes)


def _starts_frame(source: Source, at: int) -> bool:
    source.seek(at)
    frame = read_frame(source.read(7))
    return frame is not None and frame.container is Container.MP3
