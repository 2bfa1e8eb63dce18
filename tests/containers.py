"""Files that say when they were made, and hold no sound."""

import struct
from datetime import UTC, datetime

MADE = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
MADE_S = int((MADE - datetime(1904, 1, 1, tzinfo=UTC)).total_seconds())


def box(kind: bytes, content: bytes, *, is_long: bool = False) -> bytes:
    if is_long:
        return struct.pack(">I4sQ", 1, kind, len(content) + 16) + content
    return struct.pack(">I4s", len(content) + 8, kind) + content


def mvhd(seconds: int, *, version: int = 0) -> bytes:
    times = struct.pack(">QQ" if version else ">II", seconds, seconds)
    return box(b"mvhd", bytes([version, 0, 0, 0]) + times + b"\0" * 80)


def mp4(seconds: int = MADE_S, *, version: int = 0, n_samples: int = 50_000, is_long: bool = False) -> bytes:
    media = box(b"mdat", b"\x55" * n_samples, is_long=is_long)
    return box(b"ftyp", b"M4A \0\0\0\0") + media + box(b"moov", box(b"free", b"") + mvhd(seconds, version=version))


def wave(date: bytes, clock: bytes) -> bytes:
    bext = b"\0" * 320 + date.ljust(10, b"\0") + clock.ljust(8, b"\0") + b"\0" * 264
    parts = [(b"JUNK", b"\0" * 27), (b"bext", bext), (b"fmt ", b"\0" * 16), (b"data", b"\0" * 32_000)]
    chunks = b"".join(name + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2) for name, part in parts)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks
