"""Give memory back that was needed for a moment; only the GNU C library has the switches, elsewhere nothing is done."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_M_MMAP_THRESHOLD = -3  # of malloc.h
LARGE_BYTES = 1 << 20
"""What building a session allots and frees again, such as a parsed graph of 12 MB, are pieces beyond this."""


def return_large_pieces() -> None:
    """Let this process give large pieces of memory back as soon as they are free.

    The C library would raise its limit to the size of what is freed, up to 32 MB, and keep the holes.
    """
    mallopt = _find("mallopt")
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)


def return_free_memory() -> None:
    """Give back what is free now, small pieces too; takes some milliseconds."""
    malloc_trim = _find("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _find(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
