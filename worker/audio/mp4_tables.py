"""Hold the tables of an MP4 file against its size, before FFmpeg builds its index of them; never reads sound.

FFmpeg believes the number of samples that a table promises and allots 36 bytes for each. A file of 4,633 bytes that
promised 80 million took 2.9 GB and up to 157 s (24 November 2026).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from worker.audio.errors import AudioError, AudioReason

ENTERED = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"})
MAX_BOXES = 1_000_000
MAX_ENTRIES = 1_000_000
MAX_PACKETS = 6_000_000
"""Four hours in packets of 2.5 ms, the shortest of any codec that is taken, are 5,760,000."""
MAX_EDITS = 1_000
"""FFmpeg copies its index for each edit; recorders write one or two."""
RAW_SAMPLES = 1024
"""Uncompressed sound FFmpeg takes in packets of so many samples."""


def check_tables(file: BinaryIO, n_bytes: int) -> None:
    """Refuse a file whose tables promise more samples than its bytes can hold or a recording may have.

    Args:
        file: seekable, an MP4 or 3GP file; left anywhere.
        n_bytes: its size.

    Raises:
        AudioError: TRUNCATED where samples are promised that the file cannot hold; TOO_LONG where there are too many;
            DECODE_ERROR for an edit list beyond reason.
    """
    tracks = [_Track()]
    for name, start, size in _walk(file, n_bytes):
        if name in (b"trak", b"moof"):
            tracks.append(_Track())
        elif name in _TABLES:
            file.seek(start)
            _TABLES[name](tracks[-1], file.read(min(size, 12 * MAX_ENTRIES)))
    promised = max(track.n_samples for track in tracks)
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


@dataclass
class _Track:
    """What the tables of one track, or of one fragment, promise."""

    n_samples: int = 0
    n_edits: int = 0
    n_chunks: int = 0
    is_raw: bool = False
    runs: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))

    def count_packets(self) -> int:
        """Count what FFmpeg will index: samples, or for uncompressed sound what the chunks hold."""
        if not self.is_raw:
            return self.n_samples
        lengths = np.diff(np.append(self.runs[:, 0], self.n_chunks + 1)).clip(min=0)
        n_in_chunks = int((lengths.astype(np.float64) * self.runs[:, 1]).sum())  # as float: it may lie beyond 64 bits
        return n_in_chunks // RAW_SAMPLES + self.n_chunks

    def read_sizes(self, body: bytes) -> None:
        self.n_samples = max(self.n_samples, _read_number(body, 8))

    def read_run(self, body: bytes) -> None:
        self.n_samples += _read_number(body, 4)

    def read_times(self, body: bytes) -> None:
        pairs = _read_table(body, 2)
        self.is_raw = len(pairs) == 1 and int(pairs[0, 1]) == 1
        self.n_samples = max(self.n_samples, int(pairs[:, 0].sum()))

    def read_offsets(self, body: bytes) -> None:
        self.n_samples = max(self.n_samples, int(_read_table(body, 2)[:, 0].sum()))

    def read_chunks(self, body: bytes) -> None:
        self.n_chunks = _read_number(body, 4)

    def read_chunk_runs(self, body: bytes) -> None:
        self.runs = _read_table(body, 3)[:, :2]

    def read_edits(self, body: bytes) -> None:
        self.n_edits = _read_number(body, 4)


_TABLES = {
    b"stsz": _Track.read_sizes,
    b"stz2": _Track.read_sizes,
    b"trun": _Track.read_run,
    b"stts": _Track.read_times,
    b"ctts": _Track.read_offsets,
    b"stco": _Track.read_chunks,
    b"co64": _Track.read_chunks,
    b"stsc": _Track.read_chunk_runs,
    b"elst": _Track.read_edits,
}


def _read_table(body: bytes, n_columns: int) -> NDArray[np.int64]:
    """Read the rows that a table counts and holds, int64 (n_rows, n_columns)."""
    n_rows = min(_read_number(body, 4), (len(body) - 8) // (4 * n_columns))
    numbers = np.frombuffer(body, dtype=">u4", count=max(0, n_rows) * n_columns, offset=min(8, len(body)))
    return numbers.astype(np.int64).reshape(-1, n_columns)


def _walk(file: BinaryIO, n_bytes: int) -> Iterator[tuple[bytes, int, int]]:
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
