"""What a container says about a recording, and how a statement that the file does not hold is refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from worker.audio.errors import AudioError, AudioReason

MAX_UNITS = 2_000_000
"""How many frames, pages, boxes or elements are looked at. A file of one-byte AMR frames has 100 million, which took a
minute to walk; four hours of AMR have 720,000. Beyond it, it cannot be told whether a file is whole."""
MAX_JOINED = 1000
"""How many recordings of one file are decoded."""
MAX_TRACKS = 100
"""Recorders write one or two, cameras some five. FFmpeg ends beyond 1,000, and says then that it found no memory."""
MAX_PACKETS = 6_000_000
"""Four hours in packets of 2.5 ms, the shortest of any codec that is taken, are 5,760,000."""
MAX_COMMENTS = 1000
"""How many tags of a recording FFmpeg is shown: it compares each with all before it, and 200,000 took minutes. Programs
write some ten, and two for each chapter."""
MAX_LINKS = 5_000
"""Recordings of an Ogg file, one behind the other: each starts a decoder, 3 ms. A recorder writes one for each pause."""
MAX_CHUNKS = 10_000
"""How many RIFF, AIFF or CAF chunks are looked at; recorders write under a hundred."""
TAGS = (b"TAG", b"ID3", b"APE")
"""What people's programs append to a file of any kind."""
TOLERATED_BYTES = 64
"""Writers that count their own header into a size miss by up to this much; it is 2 ms of sound at most."""


class Container(Enum):
    """What a file is."""

    WAV = "WAV"
    W64 = "Wave64"
    AIFF = "AIFF"
    FLAC = "FLAC"
    MP3 = "MP3"
    OGG = "Ogg"
    MP4 = "MP4"
    ADTS = "AAC"
    LATM = "AAC (LATM)"
    AMR = "AMR"
    MATROSKA = "WebM/Matroska"
    CAF = "CAF"


@dataclass(frozen=True)
class Part:
    """A stretch of a file that one decoder decodes from its own beginning. Most files have one.

    Attributes:
        container: what it is.
        spans: (first byte, byte behind the last) pairs, in order: what a decoder gets to see of the file.
        codec: what the container calls the codec, where that decides how it is decoded (Ogg, WAV); else empty.
        length_s: how long it lasts at least by what the container says, or None if it does not say.
        tolerance_s: how much may be missing of that.
        fill_to_s: where the container's clock ends, which silence may fill; None if the end is where the sound ends.
        clock_from_s: the time stamp at which the recording begins; None if that is the first one of the sound.
        has_gaps: the clock is known to run on where sound is missing.
        is_float: the samples are floating-point numbers, which may lie beyond full scale.
        overlay: (place, bytes): what a decoder reads there in place of what the file holds: a size that is wrong, or a
            mark of what is hidden from it.
        is_swapped: a WAV file of the other byte order, which FFmpeg takes for noise.
    """

    container: Container
    spans: tuple[tuple[int, int], ...]
    codec: str = ""
    length_s: float | None = None
    tolerance_s: float = 0.0
    fill_to_s: float | None = None
    clock_from_s: float | None = None
    has_gaps: bool = False
    is_float: bool = False
    overlay: tuple[int, bytes] | None = None
    is_swapped: bool = False


def refuse_many(what: str, n_allowed: int) -> AudioError:
    """Say that a file has more of something than any recorder writes."""
    return AudioError(AudioReason.DECODE_ERROR, f"the file has over {n_allowed} {what}, which are allowed")


def refuse_cut(what: str, promised: int, held: int) -> AudioError:
    """Say that something ends behind the end of the file."""
    return AudioError(
        AudioReason.TRUNCATED, f"{what} ends at byte {promised} and the file at byte {held}: it was cut off"
    )
