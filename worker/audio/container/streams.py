"""Formats that are frames one after another: MP3, AAC in ADTS and LOAS, AMR. Their frames are counted."""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

from worker.audio.container.frames import read_frame
from worker.audio.container.identify import measure_tag
from worker.audio.container.parts import MAX_CHUNKS, MAX_JOINED, MAX_UNITS, Container, Part, refuse_cut, refuse_many
from worker.audio.container.source import Peek, Source

AMR_NB_FRAME_BYTES = (13, 14, 16, 18, 20, 21, 27, 32, 6, 6, 6, 6, 1, 1, 1, 1)
AMR_WB_FRAME_BYTES = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1)
"""Whole frames with their header byte (RFC 4867, section 5.3; 3GPP TS 26.101 and 26.201)."""
AMR_SIZES = {b"#!AMR\n": AMR_NB_FRAME_BYTES, b"#!AMR-WB\n": AMR_WB_FRAME_BYTES}
AMR_RESERVED_BITS = 0x83
TAGS = (b"TAG", b"ID3", b"APETAGEX")
AMR_FRAMES_PER_S = 50
MAX_TAIL_BYTES = 4096
AMR_TOLERANCE_S = 0.04
N_AAC_FRAMES_TOLERATED = 4
"""The encoder's first frame, a last one that was cut, and what a decoder holds back."""


def describe_adts(source: Source) -> list[Part]:
    """Count the frames of AAC in ADTS; tags between them are hidden from the decoder.

    Raises:
        AudioError: TRUNCATED if the last frame is cut.
    """
    n_bytes, peek = source.n_bytes, Peek(source)
    spans, first, at = [], 0, 0
    length_s = frame_s = 0.0
    for _ in range(MAX_UNITS):
        if at >= n_bytes:
            break
        head = peek(at, 10)
        tag = measure_tag(head)
        if tag:
            spans.append((first, at))
            first = at = at + tag
            if len(spans) > MAX_CHUNKS:
                raise refuse_many("tags between its frames", MAX_CHUNKS)
            continue
        frame = read_frame(head)
        if frame is None or frame.container is not Container.ADTS:
            break  # a tag at the end, or damage that the decoder gets over
        if at + frame.n_bytes > n_bytes or len(head) < 7:
            raise refuse_cut("the last AAC frame", max(at + frame.n_bytes, n_bytes + 1), n_bytes)
        frame_s = frame.n_samples / frame.rate_hz
        length_s += frame_s
        at += frame.n_bytes
    spans.append((first, n_bytes))
    return [Part(Container.ADTS, tuple(spans), length_s=length_s, tolerance_s=N_AAC_FRAMES_TOLERATED * frame_s)]


def describe_loas(source: Source) -> list[Part]:
    """Walk the frames of AAC in LOAS.

    Raises:
        AudioError: TRUNCATED if the last frame is cut.
    """
    at, peek = 0, Peek(source)
    for _ in range(MAX_UNITS):
        frame = read_frame(peek(at, 7))
        if frame is None or frame.container is not Container.LATM:
            break
        at += frame.n_bytes
        if at > source.n_bytes:
            raise refuse_cut("the last LOAS frame", at, source.n_bytes)
    return [Part(Container.LATM, ((0, source.n_bytes),))]


def describe_amr(source: Source) -> list[Part]:
    """Count the frames of AMR, of one recording or of several that were joined.

    Raises:
        AudioError: TRUNCATED if the last frame is cut; DECODE_ERROR if too many were joined.
    """
    n_bytes, peek = source.n_bytes, Peek(source)
    parts: list[Part] = []
    first = at = n_frames = 0
    sizes = AMR_NB_FRAME_BYTES
    while at < n_bytes and n_frames < MAX_UNITS:
        head = peek(at, 9)
        magic = next((magic for magic in AMR_SIZES if head.startswith(magic)), None)
        if magic is not None:
            if len(parts) >= MAX_JOINED:
                raise refuse_many("recordings joined", MAX_JOINED)
            if n_frames:
                parts.append(_make_amr(first, at, n_frames))
            first, sizes, n_frames = at, AMR_SIZES[magic], 0
            at += len(magic)
            continue
        if at - first >= n_bytes - at and _is_tail(peek, at, n_bytes):
            break
        at += sizes[head[0] >> 3 & 15]
        n_frames += 1
    if at > n_bytes:
        raise refuse_cut("the last AMR frame", at, n_bytes)
    return [*parts, _make_amr(first, at, n_frames)]


def _is_tail(peek: Peek, at: int, n_bytes: int) -> bool:
    """Whether what is left is little and no frame: a tag, text, or zeros."""
    if n_bytes - at > MAX_TAIL_BYTES:
        return False
    rest = peek(at, n_bytes - at)
    return rest[0] & AMR_RESERVED_BITS != 0 or rest.startswith(TAGS) or not any(rest)


def _make_amr(first: int, end: int, n_frames: int) -> Part:
    return Part(Container.AMR, ((first, end),), length_s=n_frames / AMR_FRAMES_PER_S, tolerance_s=AMR_TOLERANCE_S)
