"""Say what a recording is and which parts of it are decoded, whatever its container."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

from worker.audio.container.aiff import describe_aiff
from worker.audio.container.caf import describe_caf
from worker.audio.container.flac import describe_flac
from worker.audio.container.identify import HEAD_BYTES, identify, match_container
from worker.audio.container.matroska import describe_matroska
from worker.audio.container.mp3 import describe_mp3
from worker.audio.container.mp4 import describe_mp4
from worker.audio.container.ogg import describe_ogg
from worker.audio.container.parts import MAX_JOINED, Container, Part, refuse_many
from worker.audio.container.riff import describe_w64, describe_wav
from worker.audio.container.source import Source
from worker.audio.container.streams import describe_adts, describe_amr, describe_loas

_DESCRIBE: dict[Container, Callable[[Source], list[Part]]] = {
    Container.WAV: describe_wav,
    Container.W64: describe_w64,
    Container.AIFF: describe_aiff,
    Container.CAF: describe_caf,
    Container.FLAC: describe_flac,
    Container.MP3: describe_mp3,
    Container.OGG: describe_ogg,
    Container.MP4: describe_mp4,
    Container.MATROSKA: describe_matroska,
    Container.ADTS: describe_adts,
    Container.LATM: describe_loas,
    Container.AMR: describe_amr,
}


def describe_recording(file: BinaryIO) -> list[Part]:
    """Say what a file is, whether it is whole, and how long it says it lasts.

    What can be told of a file that was cut off: a size in a header that the file does not hold (WAV, AIFF, CAF,
    samples of MP4 and 3GP, Matroska elements, the byte count of an MP3's Xing header), and a last unit that is cut in
    two (Ogg page, ADTS or AMR frame). Whoever decodes compares with `Part.length_s`. What cannot be told: a streamed
    file that names no size, or one cut exactly between two units. The size that the object store promises is checked
    elsewhere and catches all of these.

    Args:
        file: seekable; left anywhere.

    Returns:
        Its parts in order, at least one; files that were joined are parts of their own.

    Raises:
        AudioError: NOT_AUDIO or UNSUPPORTED_CODEC by its first bytes; TRUNCATED, with what is missing; DECODE_ERROR or
            TOO_LONG for tables beyond reason.
    """
    found = identify(file)
    n_bytes, start = file.seek(0, os.SEEK_END), found.start
    parts: list[Part] = []
    while True:
        for part in _DESCRIBE[found.container](Source(file, start=start)):
            spans = tuple((first + start, last + start) for first, last in part.spans)
            parts.append(replace(part, spans=spans))
        start = parts[-1].spans[-1][1]
        file.seek(start)
        if start >= n_bytes or match_container(file.read(HEAD_BYTES), n_bytes - start) is not found.container:
            break
        if len(parts) >= MAX_JOINED:
            raise refuse_many("recordings joined", MAX_JOINED)
    return parts
