"""WebM and Matroska: whether every element is there, and the time stamps of the sound (RFC 9559)."""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from worker.audio.container.parts import MAX_CHUNKS, MAX_TRACKS, MAX_UNITS, Container, Part, refuse_cut, refuse_many
from worker.audio.container.source import Peek, Source
from worker.audio.errors import AudioError, AudioReason

SEGMENT, CLUSTER, TRACKS, TRACK, INFO, GROUP = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0x1549A966, 0xA0
ENTERED = frozenset({SEGMENT, CLUSTER, TRACKS, TRACK, INFO, GROUP})
NUMBER, KIND, CODEC = 0xD7, 0x83, 0x86
SCALE, DURATION = 0x2AD7B1, 0x4489
CLUSTER_TIME, SIMPLE_BLOCK, BLOCK = 0xE7, 0xA3, 0xA1
BLOCKS = frozenset({SIMPLE_BLOCK, BLOCK})
READ = frozenset({NUMBER, KIND, CODEC, SCALE, DURATION, CLUSTER_TIME})
HEADER, SEEKS, CUES, TAGS, ATTACHMENTS = 0x1A45DFA3, 0x114D9B74, 0x1C53BB6B, 0x1254C367, 0x1941A469
CHAPTERS, ADDITIONS = 0x1043A770, 0x75A1
HIDDEN = frozenset({SEEKS, CUES, TAGS, ATTACHMENTS, CHAPTERS})
"""What no decoder needs and FFmpeg reads into memory at once: it takes 16 bytes or more for each 2 of the file, and
compares each tag with all before it."""
SHOWN = frozenset({TRACKS, INFO})
MAX_TABLE_BYTES = 1 << 20
"""Recorders write some hundred."""
KNOWN = frozenset({*ENTERED, *BLOCKS, HEADER, SEEKS, CUES, TAGS, ATTACHMENTS, CLUSTER_TIME, 0xEC})
"""What may be cut off at the end of a file; anything else there is no element."""
MAX_VALUE_BYTES = 64
SEARCH_BYTES = 1 << 16
AUDIO = 2
TOLERANCE_S = 0.25


@dataclass
class _Clock:
    """What the elements so far say."""

    scale_ns: int = 1_000_000
    duration: float = 0.0
    number: int = 0
    track: int | None = None
    codec: bytes = b""
    cluster: int = 0
    first: int | None = None
    last: int | None = None
    is_sized: bool = True

    def take(self, element: int, value: bytes) -> None:
        """Note a value."""
        number = int.from_bytes(value, "big")
        if element == NUMBER:
            self.number = number
        elif element == KIND and number == AUDIO and self.track is None:
            self.track = self.number
        elif (element == CODEC and self.track is None) or (element == CODEC and self.track == self.number):
            self.codec = value
        elif element == SCALE:
            self.scale_ns = number or 1_000_000
        elif element == DURATION and len(value) in (4, 8):
            (self.duration,) = struct.unpack(">f" if len(value) == 4 else ">d", value)
        elif element == CLUSTER_TIME:
            self.cluster = number

    def take_block(self, head: bytes) -> None:
        """Note the time stamp of a block of any track for the beginning, of the sound for the end."""
        if len(head) < 3 or head[0] < 0x80:
            return
        time = self.cluster + int.from_bytes(head[1:3], "big", signed=True)
        self.first = time if self.first is None else min(self.first, time)
        if self.track is None or head[0] & 0x7F == self.track:
            self.last = time if self.last is None else max(self.last, time)


@dataclass
class _Tables:
    """What the tables so far take, and where those are that no decoder is to see."""

    hidden: list[tuple[int, int]] = field(default_factory=list)
    n_bytes: int = 0
    n_tracks: int = 0

    def take(self, element: int, at: int, n_head: int, size: int | None) -> None:
        """Note a table; refuse one of no size, and more of those that a decoder sees than recorders write."""
        self.n_tracks += element == TRACK
        if self.n_tracks > MAX_TRACKS:
            raise refuse_many("tracks", MAX_TRACKS)
        if element == ADDITIONS and (size is None or size > MAX_TABLE_BYTES):
            raise refuse_many("bytes added to one block", MAX_TABLE_BYTES)
        if element not in HIDDEN and element not in SHOWN:
            return
        if size is None:
            raise AudioError(AudioReason.DECODE_ERROR, f"the element {element:#x} has no size, which it must have")
        if element in SHOWN:
            self.n_bytes += size
            if self.n_bytes > MAX_TABLE_BYTES:
                raise refuse_many("bytes of tables", MAX_TABLE_BYTES)
            return
        begin = self.hidden.pop()[0] if self.hidden and self.hidden[-1][1] == at else at
        self.hidden.append((begin, at + n_head + size))
        if len(self.hidden) > MAX_CHUNKS:
            raise refuse_many("tables between its clusters", MAX_CHUNKS)


def describe_matroska(source: Source) -> list[Part]:
    """Walk the elements; those that hold others are entered, whether they name their size or not.

    Raises:
        AudioError: TRUNCATED if an element ends behind the file; DECODE_ERROR for a table beyond reason.
    """
    clock, at, n_bytes, peek = _Clock(), 0, source.n_bytes, Peek(source)
    tables = _Tables()
    end = n_bytes  # of the segment
    for _ in range(MAX_UNITS):
        if at >= end and peek(at, 4) == CLUSTER.to_bytes(4, "big"):
            end = n_bytes  # the size of the segment is too small
        if at >= end:
            break
        head = peek(at, 24)
        element, body, size = _read_element(head)
        if element == HEADER and at > 0:
            end = at  # another file that was joined to this one
            break
        if element == 0 or (size is not None and at + body + size > n_bytes):
            at = _get_over(source, at, element, at + body + (size or 0))
            continue
        tables.take(element, at, body, size)
        if element == SEGMENT:
            clock.is_sized = size is not None
            end = n_bytes if size is None else at + body + size
        if element in BLOCKS:
            clock.take_block(head[body:])
        elif element in READ and size is not None and size <= MAX_VALUE_BYTES:
            clock.take(element, peek(at + body, size))
        at += body if size is None or element in ENTERED else body + size
    return [_make_part(clock, end, tables.hidden)]


def _read_element(head: bytes) -> tuple[int, int, int | None]:
    """Read the head of an element: its id (0 if it is none), where its body begins, its size (None if unknown)."""
    n_id = 9 - head[0].bit_length()
    n_size = 9 - head[n_id].bit_length() if n_id <= 4 and len(head) > n_id else 9
    if n_size > 8 or len(head) < n_id + n_size:
        return 0, 0, 0
    size = int.from_bytes(head[n_id : n_id + n_size], "big") & ((1 << 7 * n_size) - 1)
    is_unknown = size == (1 << 7 * n_size) - 1
    return int.from_bytes(head[:n_id], "big"), n_id + n_size, None if is_unknown else size


def _get_over(source: Source, at: int, element: int, promised: int) -> int:
    """Go on at the next cluster behind what is no element: damage, appended bytes, or a last element that is cut."""
    following = _find_cluster(source, at + 1)
    if following >= source.n_bytes and element in KNOWN:
        raise refuse_cut(f"the element {element:#x}", promised, source.n_bytes)
    return following


def _find_cluster(source: Source, at: int) -> int:
    """Find the next cluster behind what is no element; the end of the file if there is none."""
    magic = CLUSTER.to_bytes(4, "big")
    while at < source.n_bytes:
        source.seek(at)
        content = source.read(SEARCH_BYTES)
        place = content.find(magic)
        if place >= 0:
            return at + place
        at += max(1, len(content) - len(magic) + 1)
    return source.n_bytes


def _make_part(clock: _Clock, n_bytes: int, hidden: list[tuple[int, int]]) -> Part:
    edges = [0, *(min(edge, n_bytes) for stretch in hidden for edge in stretch), n_bytes]
    # The last one stays though it be empty: it says where the recording ends.
    spans = tuple(
        (first, last) for first, last in zip(edges[::2], edges[1::2], strict=True) if first < last or last == n_bytes
    )
    tick_s = clock.scale_ns / 1e9
    first, last = clock.first or 0, clock.last
    end_s = clock.duration * tick_s
    is_said = 0 < end_s < float("inf")
    from_s = first * tick_s
    if is_said and last is not None and end_s > last * tick_s - TOLERANCE_S:
        from_s = 0.0  # the duration counts from 0, and so there is silence before the first block
    length_s = last * tick_s - from_s if last is not None else None
    if is_said and clock.is_sized and length_s is not None:
        length_s = min(length_s, end_s - from_s)  # a time stamp behind the end is not believed
    if is_said and not clock.is_sized and length_s is not None:
        length_s = max(
            length_s, end_s - from_s
        )  # the duration was written and the size was not: nothing else tells the end
    return Part(
        Container.MATROSKA,
        spans,
        length_s=length_s,
        tolerance_s=TOLERANCE_S,
        fill_to_s=end_s - from_s if is_said and clock.is_sized else None,
        clock_from_s=from_s,
        is_float=clock.codec.startswith(b"A_PCM/FLOAT"),
    )
