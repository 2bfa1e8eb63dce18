"""How often the name of a box stands in an MP4 file outside of its sound, whatever boxes it is hidden in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from worker.audio.container.parts import MAX_COMMENTS, refuse_many
from worker.audio.container.source import Source

PIECE_BYTES = 1 << 20
NAME_BYTES = 4
MAX_OF: Mapping[bytes, tuple[str, int]] = MappingProxyType(
    {
        b"data": ("tags", MAX_COMMENTS),
        b"pssh": ("boxes of a copy protection", 100),
    }
)
"""FFmpeg compares each of these with all before it, and 100,000 took minutes. What it enters it enters anywhere."""
PASSED_OVER = frozenset({b"mdat", b"free", b"skip", b"wide"})
"""Outer boxes whose content FFmpeg does not read as boxes."""


class NameCounter:
    """Counts names over the outer boxes of a file."""

    def __init__(self, source: Source) -> None:
        """Count nothing yet."""
        self._source = source
        self._counts = dict.fromkeys(MAX_OF, 0)

    def take(self, name: bytes, start: int, end: int) -> None:
        """Count within one outer box.

        Raises:
            AudioError: DECODE_ERROR if a name stands there too often.
        """
        if name in PASSED_OVER:
            return
        for at in range(start, end, PIECE_BYTES):
            self._source.seek(at)
            content = self._source.read(min(PIECE_BYTES + NAME_BYTES - 1, end - at))
            for wanted, (what, n_allowed) in MAX_OF.items():
                self._counts[wanted] += content.count(wanted)
                if self._counts[wanted] > n_allowed:
                    raise refuse_many(what, n_allowed)
