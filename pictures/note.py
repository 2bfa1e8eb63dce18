"""What a note's page shows, as records: the note, its segments, what is unusual of it, and its sound as far as that is at hand."""

from __future__ import annotations

from dataclasses import dataclass, field

from db.notes import AppNote
from db.people_rows import RelativeResult
from db.rows import Segment


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """How loud a recording is over its time, and where speech was found.

    Attributes:
        duration_ms: of the recording.
        peaks: largest amplitude of each part, in [0, 1]; parts of the same length, one after the other.
        speech: starts and ends of speech, ms on the file's clock, half-open, in order.
    """

    duration_ms: int
    peaks: tuple[float, ...]
    speech: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A recording to be played.

    Attributes:
        media_type: such as `audio/ogg`.
        content: the file's bytes.
    """

    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class NotePage:
    """All that a note's page shows.

    Attributes:
        note: under one model.
        tenant: whose note.
        segments: scored windows in order of time; none unless the note is scored.
        relative: its scores relative to the person; None where nothing is kept.
        envelope: of its sound; None where nobody decoded it.
        sound: None where it is not embedded.
        sound_words: why it cannot be played, if somebody asked for it.
        remark: one sentence on where the note comes from, if it is an example.
    """

    note: AppNote
    tenant: str
    segments: tuple[Segment, ...] = ()
    relative: RelativeResult | None = None
    envelope: Envelope | None = None
    sound: Sound | None = None
    sound_words: str | None = None
    remark: str | None = None

    @property
    def duration_ms(self) -> int:
        """Length of the recording as far as it is known, at least 1."""
        ends = [segment.end_ms for segment in self.segments]
        return max(self.note.duration_ms or 0, self.envelope.duration_ms if self.envelope else 0, *ends, 1)


PLAYABLE = {
    "aac": "audio/aac",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "mp4": "audio/mp4",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "webm": "audio/webm",
}
"""Media types that browsers play, by the ending of a name."""
