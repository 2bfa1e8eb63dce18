"""FLAC: the number of samples in its STREAMINFO (RFC 9639, section 8.2)."""

from __future__ import annotations

from worker.audio.container.parts import Container, Part
from worker.audio.container.source import Source

STREAMINFO_AT = 8
TOLERANCE_S = 0.1
"""A frame of 4,096 samples: encoders that were stopped hard count one that they never wrote."""


def describe_flac(source: Source) -> list[Part]:
    """Read how long the file says it is."""
    source.seek(0)
    length_s = read_length_s(source.read(STREAMINFO_AT + 18)[STREAMINFO_AT:])
    return [Part(Container.FLAC, ((0, source.n_bytes),), length_s=length_s, tolerance_s=TOLERANCE_S)]


def read_length_s(streaminfo: bytes) -> float | None:
    """Read the length, None if it does not say.

    Args:
        streaminfo: the first 18 bytes of the block.
    """
    fields = int.from_bytes(streaminfo[10:18], "big")
    rate_hz, n_samples = fields >> 44, fields & (1 << 36) - 1
    return n_samples / rate_hz if rate_hz and n_samples else None
