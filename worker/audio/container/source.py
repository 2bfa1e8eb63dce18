"""The bytes of a recording as a decoder gets them; never lets a decoder take a failed read for the end of the file.

libsndfile and FFmpeg call back into Python to read. What such a call raises (no memory, a disk that fails, a time
limit) they take for the end of the file, and half a recording would pass for a whole one. So the error is kept, and
whoever decodes asks for it.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from typing import BinaryIO


class Source:
    """A file, or the stretches of it that a decoder is to see, one behind the other."""

    def __init__(
        self,
        file: BinaryIO,
        *,
        start: int = 0,
        spans: Sequence[tuple[int, int]] | None = None,
        overlay: tuple[int, bytes] | None = None,
    ) -> None:
        """Stand at the first byte.

        Args:
            file: seekable; it is not closed.
            start: how many bytes at its beginning are hidden.
            spans: (first byte, byte behind the last) pairs in order that are seen; by default all from `start` on.
            overlay: (place, bytes): what is read there instead of what the file holds.
        """
        self._file = file
        self._error: BaseException | None = None
        end = file.seek(0, os.SEEK_END)
        self._spans = [(first, min(last, end)) for first, last in spans or [(start, end)] if first < min(last, end)]
        self._starts = [0]  # where each span begins in what is seen, and where the last one ends
        for first, last in self._spans:
            self._starts.append(self._starts[-1] + last - first)
        self._overlay = overlay
        # Most often all is seen from some byte on. Then the file's own position serves, which costs least.
        self._first = self._spans[0][0] if len(self._spans) == 1 else 0
        self._is_plain = overlay is None and len(self._spans) == 1 and self._spans[0][1] == end
        self._at = 0
        if self._is_plain:
            file.seek(self._first)

    @property
    def n_bytes(self) -> int:
        """How many bytes are seen."""
        return self._starts[-1]

    def check(self) -> None:
        """Raise what reading has raised, if anything."""
        if self._error is not None:
            raise self._error

    def read(self, size: int = -1) -> bytes:
        """Read as a file does."""
        try:
            return self._file.read(size) if self._is_plain else self._read_spans(size)
        except BaseException as error:
            self._error = self._error or error
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek as a file does, but to no place before the first byte.

        A damaged file may ask for one, and that is no failed read: the place stays, and -1 says so.
        """
        try:
            at = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self.n_bytes}[whence] + offset
            if at < 0:
                return -1
            self._at = at
            return self._file.seek(self._first + at) - self._first if self._is_plain else at
        except BaseException as error:
            self._error = self._error or error
            raise

    def tell(self) -> int:
        """Tell as a file does."""
        return self._file.tell() - self._first if self._is_plain else self._at

    def _read_spans(self, size: int) -> bytes:
        start, left = self._at, self.n_bytes - self._at
        left = left if size < 0 else min(size, left)
        content = b""
        while left > 0:
            index = bisect_right(self._starts, self._at) - 1
            self._file.seek(self._spans[index][0] + self._at - self._starts[index])
            piece = self._file.read(min(left, self._starts[index + 1] - self._at))
            if not piece:
                break
            content = content + piece if content else piece
            self._at += len(piece)
            left -= len(piece)
        return content if self._overlay is None else _lay_over(content, start, *self._overlay)

    def write(self, content: bytes) -> int:
        """Refuse: soundfile asks for the method, and never calls it."""
        raise OSError(f"{len(content)} bytes were to be written to a file that is only read")


class Peek:
    """Reads a few bytes at places that go up, out of blocks that are read once."""

    BLOCK_BYTES = 1 << 16

    def __init__(self, source: Source) -> None:
        """Hold nothing yet.

        Args:
            source: whose bytes; it stands anywhere afterwards.
        """
        self._source = source
        self._start = 0
        self._content = b""

    def __call__(self, at: int, size: int) -> bytes:
        """Return at most `size` bytes from `at` on, fewer at the end."""
        offset = at - self._start
        if offset < 0 or offset + size > len(self._content):
            self._source.seek(at)
            self._content = self._source.read(max(size, self.BLOCK_BYTES))
            self._start, offset = at, 0
        return self._content[offset : offset + size]


def _lay_over(content: bytes, start: int, place: int, overlay: bytes) -> bytes:
    if place + len(overlay) <= start or start + len(content) <= place:
        return content
    changed = bytearray(content)
    for at, byte in enumerate(overlay, place - start):
        if 0 <= at < len(changed):
            changed[at] = byte
    return bytes(changed)
