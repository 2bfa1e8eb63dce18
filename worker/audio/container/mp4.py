"""MP4, M4A, 3GP and QuickTime: whether the index and all samples are there, and how long the sound lasts."""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

from worker.audio.container.mp4_names import NameCounter
from worker.audio.container.mp4_tables import Track, read_tracks
from worker.audio.container.parts import MAX_UNITS, TOLERATED_BYTES, Container, Part, refuse_cut
from worker.audio.container.source import Source
from worker.audio.errors import AudioError, AudioReason

TOLERANCE_S = 0.25
"""An encoder's priming and the rest of its last packet: 2,112 samples of AAC at 16 kHz last 132 ms."""
TOLERATED_SHARE = 0.01
"""Recorders stamp with a clock that is not that of the sound."""
FLOATS = frozenset({b"fl32", b"fl64"})


def describe_mp4(source: Source) -> list[Part]:
    """Look for the index, and hold its tables against the file.

    Raises:
        AudioError: TRUNCATED if there is no index or a sample lies behind the file; TOO_LONG or DECODE_ERROR for tables
            beyond reason.
    """
    n_bytes, cut = _walk_boxes(source, source.n_bytes)
    tracks = read_tracks(source, n_bytes)
    sound = next((track for track in tracks if track.is_sound), None)
    if cut is not None and (sound is None or sound.is_fragmented or sound.end is None):
        raise refuse_cut(*cut)
    if sound is not None and sound.end is not None and sound.end > n_bytes:
        raise refuse_cut("the last sample of the sound", sound.end, n_bytes)
    return [_make_part(sound or Track(), n_bytes)]


def _walk_boxes(source: Source, n_bytes: int) -> tuple[int, tuple[str, int, int] | None]:
    """Walk the outer boxes; return where the recording ends, and which box ends behind the file, if any does."""
    start, has_index, names = 0, False, NameCounter(source)
    for _ in range(MAX_UNITS):
        source.seek(start)
        head = source.read(16)
        size, name = int.from_bytes(head[:4], "big"), head[4:8]
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if name == b"ftyp" and has_index:
            return start, None  # another file that was joined to this one
        is_box = len(head) >= 8 and name.isascii() and (size == 0 or size >= 8)  # else bytes that someone appended
        has_index = has_index or (is_box and name == b"moov")
        if is_box:
            names.take(name, start, min(start + size, n_bytes) if size else n_bytes)
        if not is_box or size == 0:  # a size of 0: the box goes on to the end of the file
            break
        if start + size > n_bytes:
            what = f"the {name.decode('ascii', 'replace')!r} box", start + size, n_bytes
            is_index = name in (b"moov", b"moof") and start + size > n_bytes + TOLERATED_BYTES
            if is_index or not has_index:
                raise refuse_cut(*what)
            return n_bytes, what
        start += size
    if not has_index:
        raise AudioError(AudioReason.TRUNCATED, "the file has no moov box: the recording was never finished")
    return n_bytes, None


def _make_part(track: Track, n_bytes: int) -> Part:
    length_s = track.total_s if track.is_fragmented else track.media_s
    if track.media_s is not None and track.shown_s is not None:
        length_s = min(track.shown_s or track.media_s, track.media_s) + track.silence_s
    return Part(
        Container.MP4,
        ((0, n_bytes),),
        length_s=length_s,
        tolerance_s=TOLERANCE_S + TOLERATED_SHARE * (length_s or 0.0),
        clock_from_s=0.0 if track.silence_s > 0 else None,
        is_float=track.codec in FLOATS,
    )
