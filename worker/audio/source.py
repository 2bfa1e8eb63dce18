"""The bytes of a recording as a decoder gets them; never lets a decoder take a failed read for the end of the file.

libsndfile and FFmpeg call back into Python to read. What such a call raises (no memory, a disk that fails, a time
limit) they take for the end of the file, and half a recording would pass for a whole one. So the error is kept, and
whoever decodes asks for it.
"""

from __future__ import annotations

import os
from typing import BinaryIO


class Source:
    """A file, or the part of it behind some bytes that no decoder is to see."""

    def __init__(self, file: BinaryIO, *, start: int = 0) -> None:
        """Stand at the first byte.

        Args:
            file: seekable; it is not closed.
            start: how many bytes at its beginning are hidden.
        """
        self._file = file
        self._start = start
        self._error: BaseException | None = None
        self._n_bytes = file.seek(0, os.SEEK_END)
        self.seek(0)

    def check(self) -> None:
        """Raise what reading has raised, if anything."""
        if self._error is not None:
            raise self._error

    def read(self, size: int = -1) -> bytes:
        """Read as a file does."""
        try:
            return self._file.read(size)
        except BaseException as error:
            self._error = self._error or error
            raise

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek as a file does, but to no place before the first byte.

        A damaged file may ask for one, and that is no failed read: the place stays, and -1 says so.
        """
        try:
            base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._file.tell(), os.SEEK_END: self._n_bytes}[whence]
            if base + offset < self._start:
                return -1
            return self._file.seek(base + offset) - self._start
        except BaseException as error:
            self._error = self._error or error
            raise

    def tell(self) -> int:
        """Tell as a file does."""
        return self._file.tell() - self._start

    def write(self, content: bytes) -> int:
        """Refuse: soundfile asks for the method, and never calls it."""
        raise OSError(f"{len(content)} bytes were to be written to a file that is only read")
