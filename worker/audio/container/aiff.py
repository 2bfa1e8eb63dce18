"""AIFF and AIFF-C: how many frames the COMM chunk counts, and whether every chunk is there."""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

import math

from worker.audio.container.parts import MAX_CHUNKS, TAGS, TOLERATED_BYTES, Container, Part, refuse_cut
from worker.audio.container.riff import UNKNOWN_SIZE_FROM
from worker.audio.container.source import Source

ONE_TO_ONE = {b"NONE": 0, b"sowt": 0, b"twos": 0, b"raw ": 0, b"in24": 3, b"in32": 4, b"ulaw": 1, b"ULAW": 1}
ONE_TO_ONE |= {b"alaw": 1, b"ALAW": 1, b"fl32": 4, b"FL32": 4, b"fl64": 8, b"FL64": 8}
"""Bytes of a sample, 0 where its width in bits says them; what is not listed is packed."""
FLOATS = frozenset({b"fl32", b"FL32", b"fl64", b"FL64"})


def describe_aiff(source: Source) -> list[Part]:
    """Compare COMM and SSND with the file.

    Raises:
        AudioError: TRUNCATED if a chunk ends behind the file.
    """
    n_bytes = source.n_bytes
    length_s, width, compression = None, 0, b"NONE"
    rate_hz, n_frames, end = 0.0, 0, n_bytes
    source.seek(0)
    is_compressed = source.read(12)[8:] == b"AIFC"
    for _ in range(MAX_CHUNKS):
        chunk = source.read(8)
        if len(chunk) < 8 or chunk[:3] in TAGS:
            break
        body, size = source.tell(), int.from_bytes(chunk[4:], "big")
        if chunk[:4] == b"FORM":
            end = body - 8  # another file that was joined to this one
            break
        if 0 < size < UNKNOWN_SIZE_FROM and body + size > n_bytes + TOLERATED_BYTES:
            raise refuse_cut(f"the {chunk[:4]!r} chunk", body + size, n_bytes)
        if chunk[:4] == b"COMM":
            common = source.read(22)
            n_channels, n_frames, bits = (int.from_bytes(common[a:b], "big") for a, b in ((0, 2), (2, 6), (6, 8)))
            rate_hz = _read_extended(common[8:18])
            compression = common[18:22] if is_compressed else b"NONE"
            width = n_channels * (ONE_TO_ONE.get(compression, 0) or -(-bits // 8))
        source.seek(body + size + size % 2)
    if rate_hz >= 1 and n_frames and compression in ONE_TO_ONE:
        length_s = n_frames / rate_hz
    tolerance_s = (1 + TOLERATED_BYTES / max(width, 1)) / max(rate_hz, 1.0)
    is_float = compression in FLOATS
    return [Part(Container.AIFF, ((0, end),), length_s=length_s, tolerance_s=tolerance_s, is_float=is_float)]


def _read_extended(field: bytes) -> float:
    """Read an 80-bit floating-point number (IEEE 754 extended), 0 where it is none of use."""
    if len(field) < 10:
        return 0.0
    exponent = (int.from_bytes(field[:2], "big") & 0x7FFF) - 16_383 - 63
    value = math.ldexp(int.from_bytes(field[2:], "big"), exponent) if exponent < 0 else 0.0
    return value if value < 1e9 else 0.0
