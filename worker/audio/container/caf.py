"""Core Audio Format: how many frames its packet table or its data chunk counts (Apple, CAF Specification 1.0)."""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

import struct

from worker.audio.container.parts import (
    MAX_CHUNKS,
    MAX_COMMENTS,
    MAX_PACKETS,
    TAGS,
    TOLERATED_BYTES,
    Container,
    Part,
    refuse_cut,
    refuse_many,
)
from worker.audio.container.source import Source

HEAD_BYTES = 8
EDIT_COUNT_BYTES = 4
TOLERANCE_S = 0.1
"""Priming and the rest of the last packet, which not every decoder takes away as the table says."""


def describe_caf(source: Source) -> list[Part]:
    """Compare the chunks with the file.

    Raises:
        AudioError: TRUNCATED if a chunk ends behind the file; DECODE_ERROR for too many comments or packets.
    """
    n_bytes = source.n_bytes
    description, n_valid, n_held = b"", 0, 0
    n_comments = n_packets = 0
    at = HEAD_BYTES
    for _ in range(MAX_CHUNKS):
        source.seek(at)
        chunk = source.read(12)
        if len(chunk) < 12 or chunk[:3] in TAGS:
            break
        name, (size,) = chunk[:4], struct.unpack(">q", chunk[4:])
        if name == b"caff":
            return [_make_part(at, description, n_valid, n_held)]  # another file that was joined to this one
        if size < 0:  # -1: the data chunk goes on to the end of the file
            n_held = n_bytes - at - 12 - EDIT_COUNT_BYTES
            break
        if at + 12 + size > n_bytes + TOLERATED_BYTES:
            raise refuse_cut(f"the {name!r} chunk", at + 12 + size, n_bytes)
        n_comments, n_packets = _count(source, name, size, n_comments, n_packets)
        if name == b"desc":
            description = source.read(32)
        elif name == b"pakt":
            n_valid = max(0, int.from_bytes(source.read(16)[8:], "big", signed=True))
        elif name == b"data":
            n_held = min(size, n_bytes - at - 12) - EDIT_COUNT_BYTES
        at += 12 + size
    return [_make_part(n_bytes, description, n_valid, n_held)]


def _count(source: Source, name: bytes, size: int, n_comments: int, n_packets: int) -> tuple[int, int]:
    """Add what a chunk counts of comments or packets; the source stands behind its head before and afterwards."""
    body = source.tell()
    if name == b"info":
        n_comments += int.from_bytes(source.read(4), "big")
    if name == b"pakt":
        n_packets += min(size, int.from_bytes(source.read(8), "big"))
    if n_comments > MAX_COMMENTS:
        raise refuse_many("comments", MAX_COMMENTS)
    if n_packets > MAX_PACKETS:
        raise refuse_many("packets", MAX_PACKETS)
    source.seek(body)
    return n_comments, n_packets


def _make_part(n_bytes: int, description: bytes, n_valid: int, n_held: int) -> Part:
    if len(description) < 32:
        return Part(Container.CAF, ((0, n_bytes),))
    rate_hz, kind, flags, packet_bytes, packet_frames, _, _ = struct.unpack(">d4sIIIII", description)
    n_frames = n_valid
    if not n_frames and packet_bytes:
        n_frames = max(0, n_held) // packet_bytes * packet_frames
    is_known = n_frames > 0 and 1 <= rate_hz < 1e9
    return Part(
        Container.CAF,
        ((0, n_bytes),),
        length_s=n_frames / rate_hz if is_known else None,
        tolerance_s=1 / rate_hz if is_known and kind == b"lpcm" else TOLERANCE_S,
        is_float=kind == b"lpcm" and bool(flags & 1),
    )
