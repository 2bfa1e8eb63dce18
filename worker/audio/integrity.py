"""Tell a cut-off file from a whole one by its container; never decodes.

What can be told: a size in a header that the file does not hold (WAV, AIFF, CAF, MP4 and 3GP boxes, Matroska
elements, the byte count of an MP3's Xing header); a last unit that is cut in two (Ogg page, ADTS or AMR frame).
FLAC is told by the decoder, from the number of samples in its header.

What cannot: a streamed file, which names no size (WAV of size 0 or 0xFFFFFFFF, WebM of unknown size, MP3 without
Xing header) or one cut exactly between two units. An Ogg file whose last page lacks the end-of-stream flag is whole:
browsers and phones that stop in the middle of a stream write just that. The size that the object store promises is
checked elsewhere and catches all of these.
"""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import BinaryIO

from worker.audio.errors import AudioError, AudioReason
from worker.audio.formats import Container
from worker.audio.mp4_tables import check_tables
from worker.audio.source import Source

TOLERATED_BYTES = 64
"""Writers that count their own header into the data size miss by up to this much; it is 2 ms at most."""
UNKNOWN_SIZE_FROM = 0x7FFF_0000
"""Recorders that cannot seek write 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF or a little less."""
AMR_NB_FRAME_BYTES = (13, 14, 16, 18, 20, 21, 27, 32, 6, 6, 6, 6, 1, 1, 1, 1)
AMR_WB_FRAME_BYTES = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1)
"""Whole frames with their header byte (RFC 4867, section 5.3; 3GPP TS 26.101 and 26.201)."""
MAX_OGG_PAGE_BYTES = 27 + 255 + 255 * 255
MAX_UNITS = 2_000_000
"""How many frames, boxes or elements are looked at. A file of one-byte AMR frames has 100 million, which took a minute to
walk (24 November 2026); four hours of AMR have 720,000. Beyond it, it cannot be told whether a file is whole."""
MAX_TAGS = 10
MAX_CHUNKS = 10_000
"""How many RIFF, AIFF or CAF chunks are looked at; recorders write under a hundred."""
MATROSKA_SEGMENT, MATROSKA_CLUSTER = 0x18538067, 0x1F43B675


def check_whole(file: BinaryIO, container: Container) -> None:
    """Refuse a file that its own container says is cut off.

    Args:
        file: seekable; left at its start.
        container: what the file is.

    Raises:
        AudioError: TRUNCATED, with what is missing.
    """
    check = _CHECKS.get(container)
    if check is not None:
        n_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        check(file, n_bytes)
    file.seek(0)


def _refuse(what: str, promised: int, held: int) -> AudioError:
    return AudioError(
        AudioReason.TRUNCATED, f"{what} ends at byte {promised} and the file at byte {held}: it was cut off"
    )


def find_riff_data(file: BinaryIO | Source) -> tuple[int, int] | None:
    """Find the data chunk of a WAV file.

    Returns:
        (offset of its size field, its size), or None if there is none.
    """
    file.seek(0)
    head = file.read(12)
    order = ">" if head[:4] == b"RIFX" else "<"
    for _ in range(MAX_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            break
        (size,) = struct.unpack(f"{order}I", chunk[4:])
        if chunk[:4] == b"data":
            return file.tell() - 4, size
        file.seek(size + size % 2, os.SEEK_CUR)
    return None


def _check_wav(file: BinaryIO, n_bytes: int) -> None:
    found = find_riff_data(file)
    if found is None:
        raise AudioError(AudioReason.TRUNCATED, f"the WAV file of {n_bytes} bytes has no data chunk: it was cut off")
    offset, size = found
    if 0 < size < UNKNOWN_SIZE_FROM and offset + 4 + size > n_bytes + TOLERATED_BYTES:
        raise _refuse("the data chunk", offset + 4 + size, n_bytes)


def _check_aiff(file: BinaryIO, n_bytes: int) -> None:
    file.seek(12)
    for _ in range(MAX_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            return
        (size,) = struct.unpack(">I", chunk[4:])
        end = file.tell() + size
        if 0 < size < UNKNOWN_SIZE_FROM and end > n_bytes + TOLERATED_BYTES:
            raise _refuse(f"the {chunk[:4]!r} chunk", end, n_bytes)
        file.seek(size + size % 2, os.SEEK_CUR)


def _check_caf(file: BinaryIO, n_bytes: int) -> None:
    file.seek(8)
    for _ in range(MAX_CHUNKS):
        chunk = file.read(12)
        if len(chunk) < 12:
            return
        (size,) = struct.unpack(">q", chunk[4:])
        if size < 0:  # -1: the data chunk goes on to the end of the file
            return
        end = file.tell() + size
        if end > n_bytes + TOLERATED_BYTES:
            raise _refuse(f"the {chunk[:4]!r} chunk", end, n_bytes)
        file.seek(end)


def _check_mp4(file: BinaryIO, n_bytes: int) -> None:
    start, has_index = 0, False
    for _ in range(MAX_UNITS):
        if start >= n_bytes:
            break
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            raise _refuse("a box header", start + 8, n_bytes)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size == 0:  # the box goes on to the end of the file
            has_index = True
            break
        if size < 8 or not head[4:8].isascii():
            break  # not a box: bytes that someone appended
        has_index = has_index or head[4:8] == b"moov"
        if start + size > n_bytes:
            raise _refuse(f"the {head[4:8].decode('ascii', 'replace')!r} box", start + size, n_bytes)
        start += size
    if not has_index:
        raise AudioError(AudioReason.TRUNCATED, "the file has no moov box: the recording was never finished")
    check_tables(file, n_bytes)


def _check_matroska(file: BinaryIO, n_bytes: int) -> None:
    """Walk the elements; segments and clusters are entered, whether they name their size or not."""
    start = 0
    for _ in range(MAX_UNITS):
        if start >= n_bytes:
            return
        file.seek(start)
        head = file.read(12)
        n_id = 9 - head[0].bit_length()
        n_size = 9 - head[n_id].bit_length() if n_id <= 4 and len(head) > n_id else 9
        if n_size > 8 or len(head) < n_id + n_size:
            break  # not an element: bytes that someone appended, or a last header cut in two
        element = int.from_bytes(head[:n_id], "big")
        size = int.from_bytes(head[n_id : n_id + n_size], "big") & ((1 << 7 * n_size) - 1)
        body = start + n_id + n_size
        is_unknown = size == (1 << 7 * n_size) - 1
        if not is_unknown and body + size > n_bytes:
            raise _refuse(f"the element {element:#x}", body + size, n_bytes)
        start = body if is_unknown or element in (MATROSKA_SEGMENT, MATROSKA_CLUSTER) else body + size


def _check_ogg(file: BinaryIO, n_bytes: int) -> None:
    """Follow the pages from the last place where one can begin."""
    start = max(0, n_bytes - 2 * MAX_OGG_PAGE_BYTES)
    file.seek(start)
    tail = file.read()
    page = tail.find(b"OggS\x00")
    end = 0
    while page >= 0:
        header = tail[page : page + 27]
        laces = tail[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
        is_cut = len(header) < 27 or len(laces) < header[26] or page + 27 + len(laces) + sum(laces) > len(tail)
        if not is_cut:
            end = page + 27 + len(laces) + sum(laces)
        following = tail.find(b"OggS\x00", page + 5 if is_cut else end)
        if is_cut and following < 0:
            raise _refuse("the last Ogg page", n_bytes + 1, n_bytes)
        page = following


def find_mp3_start(file: BinaryIO) -> int:
    """Find where an MP3 file's ID3 tags end (ID3v2.4, section 3.1).

    They are never shown to a decoder: FFmpeg unpacks their pictures, and 1 MB of them made 1.3 GB (24 November 2026).

    Returns:
        Offset of the first byte behind the tags.
    """
    start = 0
    for _ in range(MAX_TAGS):
        file.seek(start)
        head = file.read(10)
        if head[:3] != b"ID3" or len(head) < 10:
            break
        footer = 10 if head[5] & 0x10 else 0
        start += 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + footer
    return start


def _check_mp3(file: BinaryIO, n_bytes: int) -> None:
    """Compare with the byte count that encoders leave in the first frame (the Xing header)."""
    start = find_mp3_start(file)
    if start >= n_bytes:
        raise _refuse("the ID3 tag", start, n_bytes)
    file.seek(start)
    frame = file.read(64)
    found = max(frame.find(b"Xing"), frame.find(b"Info"))
    if found < 0 or len(frame) < found + 16:
        return
    flags = int.from_bytes(frame[found + 4 : found + 8], "big")
    if not flags & 2:
        return
    at = found + 8 + (4 if flags & 1 else 0)
    promised = start + int.from_bytes(frame[at : at + 4], "big")
    if promised - n_bytes > 512 + promised // 100:  # some encoders count tags in, some do not
        raise _refuse("the stream that the Xing header counts", promised, n_bytes)


def _check_adts(file: BinaryIO, n_bytes: int) -> None:
    start = 0
    for _ in range(MAX_UNITS):
        if start >= n_bytes:
            return
        file.seek(start)
        head = file.read(7)
        if len(head) >= 2 and (head[0] != 0xFF or head[1] & 0xF6 != 0xF0):
            return  # a tag at the end
        size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5 if len(head) == 7 else 8
        if start + size > n_bytes:
            raise _refuse("the last AAC frame", start + size, n_bytes)
        start += max(size, 7)


def _check_amr(file: BinaryIO, n_bytes: int) -> None:
    is_wide = file.read(9) == b"#!AMR-WB\n"
    sizes = AMR_WB_FRAME_BYTES if is_wide else AMR_NB_FRAME_BYTES
    start = 9 if is_wide else 6
    for _ in range(MAX_UNITS):
        if start >= n_bytes:
            return
        file.seek(start)
        size = sizes[file.read(1)[0] >> 3 & 15]
        if start + size > n_bytes:
            raise _refuse("the last AMR frame", start + size, n_bytes)
        start += size


_CHECKS: dict[Container, Callable[[BinaryIO, int], None]] = {
    Container.WAV: _check_wav,
    Container.AIFF: _check_aiff,
    Container.CAF: _check_caf,
    Container.MP4: _check_mp4,
    Container.MATROSKA: _check_matroska,
    Container.OGG: _check_ogg,
    Container.MP3: _check_mp3,
    Container.ADTS: _check_adts,
    Container.AMR: _check_amr,
}
