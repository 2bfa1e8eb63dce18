"""Headers of frames in formats that have no header of their own: MPEG audio, AAC in ADTS and in LOAS.

Layouts: ISO 11172-3, 2.4.1.3; ISO 13818-3, 2.4.2.3; ISO 13818-7, 6.2; ISO 14496-3, 1.7.2.
"""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

from dataclasses import dataclass

from worker.audio.container.parts import Container

N_CHAINED = 4
N_CHAINED_BEHIND = 10
"""So many frames, each where the one before it ends, are no accident."""
MAX_TRIED = 8
"""Rows that did not go on: so many of them are made on purpose, and each costs milliseconds."""
MPEG_RATES_HZ = (44_100, 48_000, 32_000)
MPEG1_KBITS = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
MPEG2_KBITS = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
AAC_RATES_HZ = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        container: of which format.
        n_bytes: from its header to the next one.
        n_samples: of each channel; 0 where the header does not say.
        rate_hz: sampling rate; 0 where the header does not say.
        kind: what all frames of a stream share.
    """

    container: Container
    n_bytes: int
    n_samples: int
    rate_hz: int
    kind: tuple[int, ...]


@dataclass(frozen=True)
class FrameRun:
    """Where frames begin.

    Attributes:
        container: of which format.
        start: offset of the first.
    """

    container: Container
    start: int


def find_frames(content: bytes) -> FrameRun | None:
    """Find the first place where frames stand in a row and go on.

    Four in a row are believed at the very beginning, and ten behind other bytes: programs and pictures hold bytes that
    look like headers. What follows must be frames for the most part. Layer I is not looked for: its headers are what
    long rows of ones look like.

    Args:
        content: the bytes to look at.

    Returns:
        The place, or None.
    """
    n_tried = 0
    for start in range(len(content) - 3):
        if content[start] not in (0xFF, 0x56):
            continue
        frame = read_frame(content, start)
        if frame is None or (frame.container is Container.MP3 and frame.kind[1] == 1):
            continue
        n_chained = N_CHAINED if start == 0 else N_CHAINED_BEHIND
        if not _is_chained(content, start, frame, n_chained):
            continue
        if _goes_on(content, start, frame):
            return FrameRun(frame.container, start)
        n_tried += 1
        if n_tried == MAX_TRIED:
            break
    return None


def find_last_mpeg(content: bytes) -> int:
    """Find where a frame of MPEG audio begins that ends where the content ends, -1 if there is none."""
    at = content.find(b"\xff", 1)
    while at >= 0:
        frame = read_frame(content, at)
        if frame is not None and frame.container is Container.MP3 and at + frame.n_bytes == len(content):
            return at
        at = content.find(b"\xff", at + 1)
    return -1


def read_frame(content: bytes, at: int = 0) -> Frame | None:
    """Read the header of a frame, None if there is none."""
    head = content[at : at + 7]
    if len(head) < 4:
        return None
    if head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return _read_adts(head)
    if head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return read_mpeg(head)
    if head[0] == 0x56 and head[1] & 0xE0 == 0xE0:
        return Frame(Container.LATM, 3 + ((head[1] & 0x1F) << 8 | head[2]), 0, 0, ())
    return None


def read_mpeg(head: bytes) -> Frame | None:
    """Read the header of a frame of MPEG audio, layer I, II or III."""
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bit_rate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or bit_rate in (0, 15) or rate == 3:
        return None
    rate_hz = MPEG_RATES_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits = (MPEG1_KBITS if version == 3 else MPEG2_KBITS)[layer][bit_rate] * 1000
    padding = head[2] >> 1 & 1
    n_samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    n_bytes = 4 * (12 * bits // rate_hz + padding) if layer == 1 else n_samples // 8 * bits // rate_hz + padding
    return Frame(Container.MP3, n_bytes, n_samples, rate_hz, (version, layer, rate))


def _read_adts(head: bytes) -> Frame | None:
    if len(head) < 7:
        return Frame(Container.ADTS, 7, 0, 0, ())
    rate = head[2] >> 2 & 15
    if rate >= len(AAC_RATES_HZ):
        return None
    n_bytes = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    n_samples = 1024 * ((head[6] & 3) + 1)
    return Frame(Container.ADTS, max(n_bytes, 7), n_samples, AAC_RATES_HZ[rate], (head[1] & 8, rate))


def _is_chained(content: bytes, start: int, first: Frame, n_chained: int) -> bool:
    at = start
    for _ in range(n_chained):
        frame = read_frame(content, at)
        if frame is None or (frame.container, frame.kind) != (first.container, first.kind):
            return False
        at += frame.n_bytes
    return True


def _goes_on(content: bytes, start: int, first: Frame) -> bool:
    """Whether at least half of what follows is frames of the kind."""
    n_covered, at = 0, start
    while at < len(content):
        frame = read_frame(content, at)
        if frame is not None and (frame.container, frame.kind) == (first.container, first.kind):
            n_covered += frame.n_bytes
            at += frame.n_bytes
        else:
            at = content.find(content[start : start + 1], at + 1)
            if at < 0:
                break
    return n_covered > (len(content) - start) / 2
