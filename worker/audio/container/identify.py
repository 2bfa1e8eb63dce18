"""Tell what a file is from its first bytes; never from its name and never by trying decoders on it.

Only what is listed here is opened. Playlists, SDP and other text that makes a decoder fetch further files never
reach one, nor do formats whose parsers have a history (AU, MAT, PAF: CVE-2022-33065).
"""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

from worker.audio.container.frames import find_frames, read_frame
from worker.audio.container.parts import Container, refuse_cut
from worker.audio.errors import AudioError, AudioReason

HEAD_BYTES = 512
MAX_TAGS = 10
MAX_ZEROS = 1 << 20
MAX_LEADING_ZEROS = 3
"""Of an MP4's first size, which may belong to it."""
MAX_JUNK = 1 << 16
"""What may stand before the first frame of an MP3 or AAC file: zeros of a tag that was wiped, and anything else."""
SUPPORTED = "WAV, AIFF, FLAC, MP3, Ogg (Vorbis, Opus, FLAC, Speex), M4A/MP4, 3GP, AAC, AMR, WebM/Matroska and CAF"

_BY_MAGIC: tuple[tuple[int, bytes, Container], ...] = (
    (0, b"fLaC", Container.FLAC),
    (0, b"OggS", Container.OGG),
    (4, b"ftyp", Container.MP4),
    (0, b"\x1a\x45\xdf\xa3", Container.MATROSKA),
    (0, b"#!AMR\n", Container.AMR),
    (0, b"#!AMR-WB\n", Container.AMR),
    (0, b"caff", Container.CAF),
    (0, b"riff\x2e\x91\xcf\x11", Container.W64),
)
_WAV = (b"RIFF", b"RF64", b"RIFX", b"BW64")
_MOV_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid", b"styp", b"junk")
"""What a QuickTime file begins with that names no type (QuickTime File Format, Atoms), or a lone fragment."""
_KNOWN_BUT_REFUSED: tuple[tuple[int, bytes, str], ...] = (
    (0, b".snd", "AU"),
    (0, b"dns.", "AU"),
    (0, b"MATLAB", "MAT"),
    (0, b" paf", "PAF"),
    (0, b"fap ", "PAF"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (ASF)"),
    (0, b"\x0b\x77", "AC-3"),
    (0, b"wvpk", "WavPack"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"TTA1", "True Audio"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b"FLV", "Flash video"),
    (0, b"NIST_1A", "NIST SPHERE"),
    (0, b"#!SILK", "SILK"),
    (0, b"\x02#!SILK", "SILK"),
    (0, b"#!EVRC", "EVRC"),
    (0, b"#!AMR_MC1.0", "AMR of several channels"),
    (0, b"#!AMR-WB_MC1.0", "AMR of several channels"),
    (0, b".RMF", "RealMedia"),
    (0, b".ra\xfd", "RealAudio"),
    (0, b"DSD ", "DSD"),
    (0, b"FRM8", "DSD"),
    (0, b"2BIT", "AVR"),
    (0, b"Creative Voice File", "VOC"),
    (0, b"MThd", "MIDI"),
    (0, b"tBaK", "TAK"),
    (0, b"ajkg", "Shorten"),
    (0, b"\x00\x00\x01\xba", "MPEG program stream"),
    (0, b"\x7f\xfe\x80\x01", "DTS"),
    (0, b".SoX", "SoX"),
    (0, b"XoS.", "SoX"),
    (0, b"\x64\xa3", "IRCAM"),
    (0, b"nut/multimedia container", "NUT"),
    (8, b"AVI ", "AVI"),
    (0, b"PVF1\n", "PVF"),
    (8, b"8SVX", "IFF"),
    (8, b"16SV", "IFF"),
    (8, b"QLCM", "QCP"),
)
_NO_AUDIO = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"),
    *(b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\0asm", b"!<arch>", b"#!/"),
    *(b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"DDS ", b"BM", b"II*\0", b"MM\0*", b"RIFF", b"\0\0\1\0"),
    *(b"%PDF", b"SQLite format", b"OTTO", b"\0\1\0\0\0", b"wOF", b"<", b"{", b"\xef\xbb\xbf"),
)
"""Archives, programs, pictures, fonts and text: in them no first frame is looked for, though an archive may hold an MP3."""
_TAR = (257, b"ustar")
TS_PACKET_BYTES = 188
_BELIEVED = frozenset({(Container.MP3, 3), *((Container.ADTS, rate) for rate in range(13)), (Container.ADTS,)})
_TAR = (257, b"ustar")


@dataclass(frozen=True)
class Found:
    """What a file is.

    Attributes:
        container: what it is.
        start: its first byte, behind tags and what else stands before it.
    """

    container: Container
    start: int


def identify(file: BinaryIO) -> Found:
    """Tell what a file is, whatever tags stand before it.

    Args:
        file: seekable; left at its start.

    Returns:
        What it is and where it begins.

    Raises:
        AudioError: NOT_AUDIO or UNSUPPORTED_CODEC, with what was found; TRUNCATED if the file ends in a tag.
    """
    try:
        return _identify(file)
    finally:
        file.seek(0)


def _identify(file: BinaryIO) -> Found:
    n_bytes = file.seek(0, os.SEEK_END)
    start = skip_tags(file, n_bytes)
    head = _read(file, start)
    refused = _name_refused(head)
    if refused is not None:
        raise AudioError(AudioReason.UNSUPPORTED_CODEC, f"the file is {refused}, allowed are {SUPPORTED}")
    found = match_container(head, n_bytes - start)
    frame = read_frame(head)
    if found is None and frame is not None and (frame.container, *frame.kind[1:2]) in _BELIEVED:
        found = frame.container  # one of a kind that people have is believed here; the others must stand in a row
    if found is not None:
        return Found(found, start)
    if not head.startswith(_NO_AUDIO) and not head[_TAR[0] :].startswith(_TAR[1]):
        behind = skip_tags(file, n_bytes, _skip_zeros(file, start))
        for place in range(max(start + 1, behind - MAX_LEADING_ZEROS), behind + 1):
            found = match_container(_read(file, place), n_bytes - place)
            if found is not None:
                return Found(found, place)
        file.seek(behind)
        frames = find_frames(file.read(MAX_JUNK))
        if frames is not None:
            return Found(frames.container, behind + frames.start)
    raise AudioError(AudioReason.NOT_AUDIO, f"the file begins with {head[:8]!r}, allowed are {SUPPORTED}")


def skip_tags(file: BinaryIO, n_bytes: int, start: int = 0) -> int:
    """Find where ID3 tags end (ID3v2.4, section 3.1).

    They are never shown to a decoder: FFmpeg unpacks their pictures, and 1 MB of them made 1.3 GB.

    Returns:
        Offset of the first byte behind the tags.

    Raises:
        AudioError: TRUNCATED if the file ends within one.
    """
    for _ in range(MAX_TAGS):
        size = measure_tag(_read(file, start))
        if size == 0:
            break
        start += size
        if start >= n_bytes:
            raise refuse_cut("the ID3 tag", start, n_bytes)
    return start


def measure_tag(head: bytes) -> int:
    """Tell the length of the ID3v2 tag that begins here, 0 if none does."""
    size = head[6:10]
    if head[:3] != b"ID3" or len(size) < 4 or max(size) > 0x7F or 0xFF in head[3:5]:
        return 0
    footer = 10 if head[5] & 0x10 else 0
    return 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3]) + footer


def match_container(head: bytes, n_bytes: int) -> Container | None:
    """Tell what begins with these bytes and has so many, None if nothing that is known."""
    for offset, magic, found in _BY_MAGIC:
        if head[offset:].startswith(magic):
            return found
    if head[:4] in _WAV and head[8:12] == b"WAVE":
        return Container.WAV
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Container.AIFF
    size = int.from_bytes(head[:4], "big")
    if head[4:8] in _MOV_BOXES and (size in (0, 1) or 8 <= size <= n_bytes):
        return Container.MP4
    return None


def _name_refused(head: bytes) -> str | None:
    if head[::TS_PACKET_BYTES][:3] == b"GGG":
        return "MPEG transport stream"
    return next((name for offset, magic, name in _KNOWN_BUT_REFUSED if head[offset:].startswith(magic)), None)


def _skip_zeros(file: BinaryIO, start: int) -> int:
    file.seek(start)
    content = file.read(MAX_ZEROS)
    return start + len(content) - len(content.lstrip(b"\0"))


def _read(file: BinaryIO, start: int) -> bytes:
    file.seek(start)
    return file.read(HEAD_BYTES)
