"""Read the tables of an MP4 file and hold them against its size, before FFmpeg builds its index of them.

FFmpeg believes the number of samples that a table promises and allots 36 bytes for each. A file of 4,633 bytes that
promised 80 million took 2.9 GB and up to 157 s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from worker.audio.container.parts import MAX_PACKETS, MAX_TRACKS, refuse_many
from worker.audio.container.source import Source
from worker.audio.errors import AudioError, AudioReason

ENTERED = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"edts", b"mvex", b"dinf"})
MAX_BOXES = 1_000_000
MAX_ENTRIES = 1_000_000
MAX_EDITS = 1_000
"""FFmpeg copies its index for each edit; recorders write one or two."""
MAX_REFERENCES = 1_000
"""To files that hold the sound: it is in this one."""
MAX_SAMPLES_A_BYTE = 8
RAW_SAMPLES = 1024
"""Uncompressed sound FFmpeg takes in packets of so many samples."""


def read_tracks(file: Source, n_bytes: int) -> list[Track]:
    """Read what the tables promise; refuse more samples than the bytes can hold or a recording may have.

    Args:
        file: an MP4 or 3GP file; left anywhere.
        n_bytes: its size.

    Returns:
        The tracks in order.

    Raises:
        AudioError: TRUNCATED where samples are promised that the file cannot hold; TOO_LONG where there are too many;
            DECODE_ERROR for an edit list beyond reason, or for too many tracks or references.
    """
    tracks, movie, n_tracks = [_Tables()], _Tables(), 0
    for name, start, size in _walk(file, n_bytes):
        if name in (b"trak", b"moof"):
            n_tracks += name == b"trak"
            if n_tracks > MAX_TRACKS:
                raise refuse_many("tracks", MAX_TRACKS)
            tracks.append(_Tables(is_fragment=name == b"moof"))
        elif name in _TABLES:
            file.seek(start)
            track = movie if name in _OF_THE_MOVIE else tracks[-1]
            _TABLES[name](track, file.read(min(size, 12 * MAX_ENTRIES)))
    _check(tracks, n_bytes)
    return [track.finish(movie) for track in tracks if not track.is_fragment]


def _check(tracks: list[_Tables], n_bytes: int) -> None:
    # Of compressed sound in QuickTime, samples of one tick are counted, of which a byte holds several.
    promised = max(track.n_samples // (MAX_SAMPLES_A_BYTE if track.is_raw else 1) for track in tracks)
    n_packets = sum(track.count_packets() for track in tracks)
    n_edits = max(track.n_edits for track in tracks)
    if promised > n_bytes:
        raise AudioError(
            AudioReason.TRUNCATED,
            f"a table promises {promised} samples and the file has {n_bytes} bytes: it was cut off",
        )
    if n_packets > MAX_PACKETS:
        raise AudioError(AudioReason.TOO_LONG, f"the file lists {n_packets} packets, allowed are {MAX_PACKETS}")
    if n_edits > MAX_EDITS:
        raise AudioError(AudioReason.DECODE_ERROR, f"the edit list has {n_edits} entries, allowed are {MAX_EDITS}")


@dataclass(frozen=True)
class Track:
    """What the tables of a track say.

    Attributes:
        is_sound: it holds sound.
        codec: four letters.
        media_s: how long its samples last; None if that is not said, or further samples are in fragments.
        shown_s: how much of that the edit list shows, and how much silence it puts there; None without one.
        silence_s: how much silence the edit list puts there.
        total_s: how long the whole file lasts with its fragments; None if that is not said.
        is_fragmented: further samples are in fragments.
        end: where the last of its samples ends in the file, None if that cannot be told.
    """

    is_sound: bool = False
    codec: bytes = b""
    media_s: float | None = None
    shown_s: float | None = None
    silence_s: float = 0.0
    total_s: float | None = None
    is_fragmented: bool = False
    end: int | None = None


@dataclass
class _Tables:
    """What has been read of one track, or of one fragment."""

    is_fragment: bool = False
    is_sound: bool = False
    codec: bytes = b""
    ticks_per_s: int = 0
    n_ticks: int = 0
    is_fragmented: bool = False
    fragments_ticks: int = 0
    edits: tuple[tuple[int, int], ...] = ()
    sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    offsets: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    n_samples: int = 0
    n_edits: int = 0
    n_chunks: int = 0
    is_raw: bool = False
    runs: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))

    def finish(self, movie: _Tables) -> Track:
        """Say what was read in seconds."""
        shown_s, silence_s = None, 0.0
        if self.edits and movie.ticks_per_s:
            shown_s = sum(length for length, begin in self.edits if begin >= 0) / movie.ticks_per_s
            silence_s = sum(length for length, begin in self.edits if begin < 0) / movie.ticks_per_s
        has_total = movie.fragments_ticks and movie.ticks_per_s
        return Track(
            is_sound=self.is_sound,
            codec=self.codec,
            media_s=self.n_ticks / self.ticks_per_s if self.ticks_per_s and not movie.is_fragmented else None,
            shown_s=shown_s,
            silence_s=silence_s,
            total_s=movie.fragments_ticks / movie.ticks_per_s if has_total else None,
            is_fragmented=movie.is_fragmented,
            end=self.find_end(),
        )

    def find_end(self) -> int | None:
        """Add up where the samples of each chunk end."""
        if self.is_raw or not len(self.runs) or not len(self.offsets) or not len(self.sizes):
            return None
        first = np.append(self.runs[:, 0] - 1, len(self.offsets)).clip(0, len(self.offsets))
        n_in_chunks = np.repeat(self.runs[:, 1], np.diff(first).clip(min=0))[: len(self.offsets)]
        edges = np.minimum(np.cumsum(np.append(0, n_in_chunks)), len(self.sizes))
        places = np.append(0, np.cumsum(self.sizes))[edges]
        ends = self.offsets[: len(n_in_chunks)] + np.diff(places)
        return int(ends[np.diff(places) > 0].max(initial=0)) or None

    def count_packets(self) -> int:
        """Count what FFmpeg will index: samples, or for uncompressed sound what the chunks hold."""
        if not self.is_raw:
            return self.n_samples
        lengths = np.diff(np.append(self.runs[:, 0], self.n_chunks + 1)).clip(min=0)
        n_in_chunks = int((lengths.astype(np.float64) * self.runs[:, 1]).sum())  # as float: it may lie beyond 64 bits
        return n_in_chunks // RAW_SAMPLES + self.n_chunks

    def read_handler(self, body: bytes) -> None:
        self.is_sound = self.is_sound or body[8:12] == b"soun"

    def read_time_scale(self, body: bytes) -> None:
        self.ticks_per_s = _read_number(body, 20 if body[:1] == b"\1" else 12)

    def read_fragments_header(self, body: bytes) -> None:
        self.fragments_ticks = int.from_bytes(body[4:12], "big") if body[:1] == b"\1" else _read_number(body, 4)

    def read_fragment_defaults(self, _body: bytes) -> None:
        self.is_fragmented = True

    def read_description(self, body: bytes) -> None:
        self.codec = body[12:16]

    def read_sizes(self, body: bytes) -> None:
        self.n_samples = max(self.n_samples, _read_number(body, 8))
        if size := _read_number(body, 4):
            self.sizes = np.full(min(self.n_samples, MAX_PACKETS), size, dtype=np.int64)
        else:
            self.sizes = _read_column(body[12:], ">u4", self.n_samples)

    def read_small_sizes(self, body: bytes) -> None:
        self.n_samples = max(self.n_samples, _read_number(body, 8))

    def read_run(self, body: bytes) -> None:
        self.n_samples += _read_number(body, 4)

    def read_times(self, body: bytes) -> None:
        pairs = _read_table(body, 2)
        self.is_raw = len(pairs) == 1 and int(pairs[0, 1]) == 1
        self.n_samples = max(self.n_samples, int(pairs[:, 0].sum()))
        self.n_ticks = int((pairs[:, 0].astype(np.float64) * pairs[:, 1]).sum())

    def read_time_offsets(self, body: bytes) -> None:
        self.n_samples = max(self.n_samples, int(_read_table(body, 2)[:, 0].sum()))

    def read_chunks(self, body: bytes) -> None:
        self.n_chunks = _read_number(body, 4)
        self.offsets = _read_column(body[8:], ">u4", self.n_chunks)

    def read_far_chunks(self, body: bytes) -> None:
        self.n_chunks = _read_number(body, 4)
        self.offsets = _read_column(body[8:], ">i8", self.n_chunks)

    def read_chunk_runs(self, body: bytes) -> None:
        self.runs = _read_table(body, 3)[:, :2]

    def read_references(self, body: bytes) -> None:
        if _read_number(body, 4) > MAX_REFERENCES:
            raise refuse_many("references", MAX_REFERENCES)

    def read_edits(self, body: bytes) -> None:
        self.n_edits = _read_number(body, 4)
        form = np.dtype([("length", ">u8"), ("begin", ">i8"), ("rate", ">u4")])
        if body[:1] != b"\1":
            form = np.dtype([("length", ">u4"), ("begin", ">i4"), ("rate", ">u4")])
        n_edits = min(self.n_edits, (len(body) - 8) // form.itemsize, MAX_EDITS)
        rows = np.frombuffer(body, dtype=form, count=max(0, n_edits), offset=min(8, len(body)))
        self.edits = tuple((int(row["length"]), int(row["begin"])) for row in rows)


_TABLES = {
    b"hdlr": _Tables.read_handler,
    b"mdhd": _Tables.read_time_scale,
    b"mvhd": _Tables.read_time_scale,
    b"mehd": _Tables.read_fragments_header,
    b"trex": _Tables.read_fragment_defaults,
    b"stsd": _Tables.read_description,
    b"stsz": _Tables.read_sizes,
    b"stz2": _Tables.read_small_sizes,
    b"trun": _Tables.read_run,
    b"stts": _Tables.read_times,
    b"ctts": _Tables.read_time_offsets,
    b"stco": _Tables.read_chunks,
    b"co64": _Tables.read_far_chunks,
    b"stsc": _Tables.read_chunk_runs,
    b"elst": _Tables.read_edits,
    b"dref": _Tables.read_references,
}
_OF_THE_MOVIE = frozenset({b"mvhd", b"mehd", b"trex"})


def _read_column(body: bytes, kind: str, n_rows: int) -> NDArray[np.int64]:
    """Read as many numbers as are counted and held, int64 (n_rows,)."""
    count = min(n_rows, len(body) // np.dtype(kind).itemsize)
    return np.frombuffer(body, dtype=kind, count=count).astype(np.int64)


def _read_table(body: bytes, n_columns: int) -> NDArray[np.int64]:
    """Read the rows that a table counts and holds, int64 (n_rows, n_columns)."""
    n_rows = min(_read_number(body, 4), (len(body) - 8) // (4 * n_columns))
    numbers = np.frombuffer(body, dtype=">u4", count=max(0, n_rows) * n_columns, offset=min(8, len(body)))
    return numbers.astype(np.int64).reshape(-1, n_columns)


def _walk(file: Source, n_bytes: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and size of each box's content; boxes that hold boxes are entered."""
    start = 0
    for _ in range(MAX_BOXES):
        if start + 8 > n_bytes:
            return
        file.seek(start)
        head = file.read(16)
        size, name, n_head = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, n_head = int.from_bytes(head[8:16], "big"), 16
        elif size == 0:
            size = n_bytes - start
        if size < n_head:
            return
        yield name, start + n_head, min(size, n_bytes - start) - n_head
        start += n_head if name in ENTERED else size


def _read_number(body: bytes, at: int) -> int:
    """Read 32 bits, 0 where there are fewer."""
    return int.from_bytes(body[at : at + 4], "big") if len(body) >= at + 4 else 0
