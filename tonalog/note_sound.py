"""Reads a recording again for its page: how loud it is, where speech is, and the file itself where it is to be played."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from config.settings import Settings
from db.rows import Model, Recording
from pictures.note import PLAYABLE, Envelope, Sound
from storage.errors import StorageError
from storage.open import open_bucket

if TYPE_CHECKING:
    from worker.audio.decode import Limits
    from worker.audio.vad import VadConfig

MAX_EMBEDDED_BYTES = 20 * 1024 * 1024
N_PARTS = 760  # of a waveform: about one a pixel
_FINE_SAMPLES = 160  # 10 ms, which four hours have 1.4 million of


@dataclass(frozen=True, kw_only=True)
class NoteSound:
    """What a recording gave for its page.

    Attributes:
        envelope: None where it could not be read or decoded.
        sound: None where it is not to be played, or cannot be.
        words: what is missing and why; None where nothing is.
    """

    envelope: Envelope | None = None
    sound: Sound | None = None
    words: str | None = None


def read_sound(settings: Settings, found: Recording, model: Model, *, with_audio: bool) -> NoteSound:
    """Fetch and decode a recording; what cannot be had is left out and said.

    Args:
        settings: of this process.
        found: the recording.
        model: whose manifest says what counts as speech.
        with_audio: whether the file itself is wanted.
    """
    from worker.audio.errors import AudioError  # noqa: PLC0415 - loads the decoders
    from worker.limits import limits_of  # noqa: PLC0415
    from worker.scoring.manifest import Manifest  # noqa: PLC0415

    try:
        store = open_bucket(settings, found.store, found.bucket)
        with store.open(found.key, version_tag=found.version_tag, size_bytes=found.size_bytes) as opened:
            sound, words = _take(opened.file, found) if with_audio else (None, None)
            vad = Manifest.model_validate(dict(model.manifest)).vad
            envelope = measure_envelope(opened.file, vad, limits=limits_of(settings))
    except StorageError as error:
        return NoteSound(words=f"The recording cannot be read: {error}")
    except AudioError as error:
        return NoteSound(words=f"The recording cannot be decoded: {error.reason.value}")
    return NoteSound(envelope=envelope, sound=sound, words=words)


def measure_envelope(file: BinaryIO, vad: VadConfig, *, limits: Limits) -> Envelope:
    """Measure how loud a recording is over its time, and find its speech as scoring does.

    Raises:
        AudioError: as `worker.audio.decode.iter_blocks`.
    """
    import numpy as np  # noqa: PLC0415

    from worker.audio.decode import SAMPLING_RATE_HZ, iter_blocks  # noqa: PLC0415
    from worker.audio.vad import SpeechDetector  # noqa: PLC0415

    detector = SpeechDetector(vad)
    fine, rest, speech = [], np.zeros(0, dtype=np.float32), []
    for block in iter_blocks(file, limits=limits):
        speech += [(segment.start_ms, segment.end_ms) for segment in detector.feed(block)]
        rest = np.concatenate((rest, np.abs(block)))
        n_whole = len(rest) // _FINE_SAMPLES * _FINE_SAMPLES
        fine.append(rest[:n_whole].reshape(-1, _FINE_SAMPLES).max(axis=1))
        rest = rest[n_whole:]
    speech += [(segment.start_ms, segment.end_ms) for segment in detector.flush()]
    peaks = np.concatenate([*fine, rest.max(keepdims=True)] if len(rest) else fine)
    parts = np.array_split(peaks, min(N_PARTS, len(peaks)))
    duration_ms = round(detector.n_samples / SAMPLING_RATE_HZ * 1000)
    loudest = tuple(float(part.max()) for part in parts)
    return Envelope(duration_ms=duration_ms, peaks=loudest, speech=join_spans(speech))


def join_spans(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return spans in which those that touch are one: long speech is handed out in pieces.

    >>> join_spans([(0, 20), (20, 30), (40, 50)])
    ((0, 30), (40, 50))
    """
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def _take(file: BinaryIO, found: Recording) -> tuple[Sound | None, str | None]:
    ending = PurePosixPath(found.key).suffix.removeprefix(".").lower()
    media_type = PLAYABLE.get(ending)
    if media_type is None:
        return None, f"A browser may not play .{ending} files; those that it plays are {', '.join(sorted(PLAYABLE))}."
    if found.size_bytes > MAX_EMBEDDED_BYTES:
        mib = MAX_EMBEDDED_BYTES // 1024 // 1024
        return None, f"The recording is too large to be embedded: {found.size_bytes} bytes; allowed are {mib} MiB."
    content = file.read()
    file.seek(0)
    return Sound(media_type=media_type, content=content), None
