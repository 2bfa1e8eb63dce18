"""WAV (RIFF, RIFX, RF64, BW64) and Wave64: how much sound the data chunk holds."""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from worker.audio.container.parts import MAX_CHUNKS, TAGS, TOLERATED_BYTES, Container, Part, refuse_cut
from worker.audio.container.source import Source
from worker.audio.errors import AudioError, AudioReason

UNKNOWN_SIZE_FROM = 0x7FFF_0000
"""Recorders that cannot seek write 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF or a little less."""
PCM, MS_ADPCM, FLOAT, ALAW, MULAW, IMA_ADPCM, GSM, EXTENSIBLE = 1, 2, 3, 6, 7, 0x11, 0x31, 0xFFFE
CODECS = {0x45: "g726", 0x64: "g726", 0x50: "mp2", 0x55: "mp3", 0xFF: "aac", 0x160: "wmav1", 0x161: "wmav2"}
"""Those that libsndfile does not know, or not well (mmreg.h)."""
MAGICS = (b"RIFF", b"RF64", b"RIFX", b"BW64")
LOOK_BYTES = 4096
UP_TO_THE_END = b"\xff\xff\xff\xff"
"""A size that makes decoders read on to the end of the file."""
MAX_LEFT_OVER_S = 0.5
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
            end, is_sound = (
                (source.n_bytes, False) if promised is None else _look_behind(source, body + promised, order)
            )
            if is_sound and _measure_s(source.n_bytes - end, encoding) > MAX_LEFT_OVER_S:
                return [_describe_data(source, body, None, encoding, source.n_bytes, is_size_wrong=True)]
            part = _describe_data(source, body, promised, encoding, end, is_size_wrong=size == 0)
            return [replace(part, is_swapped=order == ">")]
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
    encoding, at, data, end = _Encoding(), W64_HEAD_BYTES, None, source.n_bytes
    for _ in range(MAX_CHUNKS):
        source.seek(at)
        chunk = source.read(W64_CHUNK_BYTES)
        size = int.from_bytes(chunk[16:], "little")  # with the chunk's head
        if chunk[:4] == b"riff" and data is not None:
            end = at  # another file that was joined to this one
        if end == at or len(chunk) < W64_CHUNK_BYTES or size < W64_CHUNK_BYTES:
            break
        if chunk[:4] == b"data" and data is None:
            data = at + W64_CHUNK_BYTES, size - W64_CHUNK_BYTES
        if chunk[:4] == b"fmt ":
            encoding = _read_encoding(source.read(64), "<")
        at += size + -size % 8
    if data is not None:
        return [replace(_describe_data(source, *data, encoding, end), container=Container.W64)]
    raise AudioError(
        AudioReason.TRUNCATED, f"the Wave64 file of {source.n_bytes} bytes has no data chunk: it was cut off"
    )


def _look_behind(source: Source, at: int, order: str) -> tuple[int, bool]:
    """Look at what follows the sound.

    Returns:
        Where the recording ends, or where the next one begins that was joined to it; and whether what is there is no
        chunk, as where a recorder crashed that had written the size for the last time some while before.

    Raises:
        AudioError: DECODE_ERROR if there is sound in a second chunk, which no decoder reads.
    """
    at += at % 2
    for _ in range(MAX_CHUNKS):
        source.seek(at)
        chunk = source.read(12)
        if len(chunk) < 8:
            break
        if chunk[:4] in MAGICS and chunk[8:] == b"WAVE":
            return at, False
        if chunk[:4] == b"data":
            raise AudioError(AudioReason.DECODE_ERROR, "the WAV file has two data chunks, allowed is one")
        (size,) = struct.unpack(f"{order}I", chunk[4:8])
        if not chunk[:4].isascii() or not chunk[:4].decode().isprintable() or at + 8 + size > source.n_bytes + 1:
            source.seek(at)
            return at, any(source.read(LOOK_BYTES)) and chunk[:3] not in TAGS
        at += 8 + size + size % 2
    return source.n_bytes, False


def _measure_s(n_bytes: int, encoding: _Encoding) -> float:
    """How long so many bytes of sound last, 0 where that cannot be told."""
    if not (encoding.n_bytes and encoding.n_samples and encoding.rate_hz):
        return 0.0
    return n_bytes // encoding.n_bytes * encoding.n_samples / encoding.rate_hz


def _describe_data(
    source: Source, body: int, promised: int | None, encoding: _Encoding, end: int, *, is_size_wrong: bool = False
) -> Part:
    n_bytes = source.n_bytes
    if promised is not None and body + promised > n_bytes + TOLERATED_BYTES:
        raise refuse_cut("the data chunk", body + promised, n_bytes)
    held = max(0, n_bytes - body) if promised is None else min(promised, n_bytes - body)
    return Part(
        Container.WAV,
        ((0, end),),
        codec=CODECS.get(encoding.tag, ""),
        length_s=_measure_s(held, encoding) or None,
        tolerance_s=(2 * encoding.n_samples + 1) / max(encoding.rate_hz, 1),
        is_float=encoding.tag == FLOAT,
        overlay=(body - 4, UP_TO_THE_END) if is_size_wrong else None,
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
