"""How often the name of a box stands in an MP4 file outside of its sound, whatever boxes it is hidden in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from worker.audio.container.parts import MAX_COMMENTS, refuse_many
from worker.audio.container.source import Source

PIECE_BYTES = 1 << 20
NAME_BYTES = 4
HEAD_BYTES = 2 * NAME_BYTES
MAX_OF: Mapping[bytes, tuple[str, int]] = MappingProxyType(
    {
        b"data": ("tags", MAX_COMMENTS),
        b"pssh": ("boxes of a copy protection", 100),
    }
)
"""FFmpeg compares each of these with all before it, and 100,000 took minutes. What it enters it enters anywhere."""
INDEX = b"sidx"
MAX_INDEX_BYTES = 12_000_000
"""A million segments. FFmpeg keeps 5 bytes for each of these."""
PASSED_OVER = frozenset({b"mdat", b"free", b"skip", b"wide"})
"""Outer boxes whose content FFmpeg does not read as boxes."""


class NameCounter:
    """Counts names over the outer boxes of a file."""

    def __init__(self, source: Source) -> None:
        """Count nothing yet."""
        self._source = source
        self._counts = dict.fromkeys(MAX_OF, 0)
        self._n_index_bytes = 0

    def take(self, name: bytes, start: int, end: int) -> None:
        """Count within one outer box.

        Raises:
            AudioError: DECODE_ERROR if a name stands there too often.
        """
        if name in PASSED_OVER:
            return
        for at in range(start, end, PIECE_BYTES):
            first = max(start, at - HEAD_BYTES)  # a head may lie across two pieces
            self._source.seek(first)
            content = self._source.read(min(at + PIECE_BYTES, end) - first)
            for wanted, (what, n_allowed) in MAX_OF.items():
                self._counts[wanted] += content.count(wanted)
                if self._counts[wanted] > n_allowed:
                    raise refuse_many(what, n_allowed)
            self._add_indices(content, end - first)

    def _add_indices(self, content: bytes, n_left: int) -> None:
        place = content.find(INDEX)
        while place >= 0:
            size = int.from_bytes(content[max(0, place - NAME_BYTES) : place], "big")
            self._n_index_bytes += min(size, n_left - place) if size > 1 else n_left - place  # 0 and 1: said elsewhere
            if self._n_index_bytes > MAX_INDEX_BYTES:
                raise refuse_many("bytes of indices", MAX_INDEX_BYTES)
            place = content.find(INDEX, place + NAME_BYTES)
