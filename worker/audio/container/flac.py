"""FLAC: the number of samples in its STREAMINFO, and where the sound begins (RFC 9639, section 8)."""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

from worker.audio.container.parts import MAX_CHUNKS, Container, Part, refuse_cut, refuse_many
from worker.audio.container.source import Peek, Source

STREAMINFO_AT = 8
STREAMINFO_END = STREAMINFO_AT + 34
ONLY_BLOCK = (4, b"\x80\x00\x00\x22")
"""The head of STREAMINFO where no other block follows."""
TOLERANCE_S = 0.1
"""A frame of 4,096 samples: encoders that were stopped hard count one that they never wrote."""


def describe_flac(source: Source) -> list[Part]:
    """Read how long the file says it is, and hide every other block of metadata.

    FFmpeg makes a stream of each picture and compares each comment with all before it: 2,000 pictures took it beyond
    its own limit, and 100,000 comments minutes.

    Raises:
        AudioError: TRUNCATED if a block ends behind the file; DECODE_ERROR if there are too many.
    """
    source.seek(0)
    head = source.read(STREAMINFO_END)
    length_s = read_length_s(head[STREAMINFO_AT : STREAMINFO_AT + 18])
    begin = _find_sound(source)
    is_usual = len(head) == STREAMINFO_END and bytes([head[4] | 0x80]) + head[5:8] == ONLY_BLOCK[1]
    if begin == STREAMINFO_END or not is_usual:  # what begins in another way, every decoder refuses
        return [Part(Container.FLAC, ((0, source.n_bytes),), length_s=length_s, tolerance_s=TOLERANCE_S)]
    return [
        Part(
            Container.FLAC,
            ((0, STREAMINFO_END), (begin, source.n_bytes)),
            length_s=length_s,
            tolerance_s=TOLERANCE_S,
            overlay=ONLY_BLOCK,
        )
    ]


def _find_sound(source: Source) -> int:
    at, peek = 4, Peek(source)
    for _ in range(MAX_CHUNKS):
        head = peek(at, 4)
        end = at + 4 + int.from_bytes(head[1:], "big")
        if len(head) < 4 or end > source.n_bytes:
            raise refuse_cut("the metadata", end, source.n_bytes)
        if head[0] & 0x80:
            return end
        at = end
    raise refuse_many("blocks of metadata", MAX_CHUNKS)


def read_length_s(streaminfo: bytes) -> float | None:
    """Read the length, None if it does not say.

    Args:
        streaminfo: the first 18 bytes of the block.
    """
    fields = int.from_bytes(streaminfo[10:18], "big")
    rate_hz, n_samples = fields >> 44, fields & (1 << 36) - 1
    return n_samples / rate_hz if rate_hz and n_samples else None
