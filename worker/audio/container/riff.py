"""WAV (RIFF, RIFX, RF64, BW64) and Wave64: how much sound the data chunk holds."""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from worker.audio.container.parts import MAX_CHUNKS, TOLERATED_BYTES, Container, Part, refuse_cut
from worker.audio.container.source import Source
from worker.audio.errors import AudioError, AudioReason

UNKNOWN_SIZE_FROM = 0x7FFF_0000
"""Recorders that cannot seek write 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF or a little less."""
PCM, MS_ADPCM, FLOAT, ALAW, MULAW, IMA_ADPCM, GSM, EXTENSIBLE = 1, 2, 3, 6, 7, 0x11, 0x31, 0xFFFE
CODECS = {0x45: "g726", 0x64: "g726", 0x50: "mp2", 0x55: "mp3", 0xFF: "aac", 0x160: "wmav1", 0x161: "wmav2"}
"""Those that libsndfile does not know, or not well (mmreg.h)."""
W64_HEAD_BYTES = 40
W64_CHUNK_BYTES = 24


@dataclass(frozen=True)
class _Encoding:
    """What the fmt chunk says; n_samples a block of n_bytes, 0 where it cannot be told."""

    tag: int = 0
    rate_hz: int = 0
    n_bytes: int = 0
    n_samples: int = 0


def describe_wav(source: Source) -> list[Part]:
    """Compare the data chunk with the file.

    Raises:
        AudioError: TRUNCATED if the file does not hold what the chunk promises, or has none.
    """
    source.seek(0)
    head = source.read(12)
    order = ">" if head[:4] == b"RIFX" else "<"
    encoding, long_size = _Encoding(), None
    for _ in range(MAX_CHUNKS):
        chunk = source.read(8)
        if len(chunk) < 8:
            break
        body = source.tell()
        (size,) = struct.unpack(f"{order}I", chunk[4:])
        if chunk[:4] == b"data":
            is_unknown = size == 0 or size >= UNKNOWN_SIZE_FROM
            promised = long_size if size == 0xFFFF_FFFF and long_size else None if is_unknown else size
            return [_describe_data(source, body, promised, encoding, body - 4 if size == 0 else None)]
        if chunk[:4] == b"fmt ":
            encoding = _read_encoding(source.read(min(size, 64)), order)
        if chunk[:4] == b"ds64" and head[:4] in (b"RF64", b"BW64"):
            long_size = int.from_bytes(source.read(16)[8:16], "little")
        source.seek(body + size + size % 2)
    raise AudioError(AudioReason.TRUNCATED, f"the WAV file of {source.n_bytes} bytes has no data chunk: it was cut off")


def describe_w64(source: Source) -> list[Part]:
    """Compare the data chunk of a Wave64 file with the file.

    Raises:
        AudioError: TRUNCATED, as for WAV.
    """
    encoding, at = _Encoding(), W64_HEAD_BYTES
    for _ in range(MAX_CHUNKS):
        source.seek(at)
        chunk = source.read(W64_CHUNK_BYTES)
        size = int.from_bytes(chunk[16:], "little")  # with the chunk's head
        if len(chunk) < W64_CHUNK_BYTES or size < W64_CHUNK_BYTES:
            break
        if chunk[:4] == b"data":
            part = _describe_data(source, at + W64_CHUNK_BYTES, size - W64_CHUNK_BYTES, encoding, None)
            return [replace(part, container=Container.W64)]
        if chunk[:4] == b"fmt ":
            encoding = _read_encoding(source.read(64), "<")
        at += size + -size % 8
    raise AudioError(
        AudioReason.TRUNCATED, f"the Wave64 file of {source.n_bytes} bytes has no data chunk: it was cut off"
    )


def _describe_data(source: Source, body: int, promised: int | None, encoding: _Encoding, size_at: int | None) -> Part:
    n_bytes = source.n_bytes
    if promised is not None and body + promised > n_bytes + TOLERATED_BYTES:
        raise refuse_cut("the data chunk", body + promised, n_bytes)
    held = max(0, n_bytes - body) if promised is None else min(promised, n_bytes - body)
    length_s = None
    if encoding.n_bytes and encoding.n_samples and encoding.rate_hz:
        length_s = held // encoding.n_bytes * encoding.n_samples / encoding.rate_hz
    tolerance_s = (2 * encoding.n_samples + 1) / max(encoding.rate_hz, 1)
    return Part(
        Container.WAV,
        ((0, n_bytes),),
        codec=CODECS.get(encoding.tag, ""),
        length_s=length_s,
        tolerance_s=tolerance_s,
        is_float=encoding.tag == FLOAT,
        size_at=size_at,
    )


def _read_encoding(body: bytes, order: str) -> _Encoding:
    """Read the fmt chunk (mmreg.h, WAVEFORMATEX and WAVEFORMATEXTENSIBLE)."""
    if len(body) < 16:
        return _Encoding()
    tag, n_channels, rate_hz, _byte_rate, n_bytes, bits = struct.unpack(f"{order}HHIIHH", body[:16])
    if tag == EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack(f"{order}H", body[24:26])
    n_samples = 0
    if tag in (PCM, FLOAT, ALAW, MULAW):
        n_samples, n_bytes = 1, max(n_bytes, n_channels * -(-bits // 8))
    elif tag in (MS_ADPCM, IMA_ADPCM, GSM) and len(body) >= 20:
        (n_samples,) = struct.unpack(f"{order}H", body[18:20])
    return _Encoding(tag, rate_hz, n_bytes, n_samples)
