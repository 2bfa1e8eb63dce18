"""What a note's numbers come to, in sentences."""

from __future__ import annotations

from datetime import timedelta, timezone

from db.notes import NoteStatus
from pictures.axes import say_day
from pictures.note import NotePage

_SHORT_OF_SLOPE = "A note of fewer than ten windows has no slope."
_STATES = {
    NoteStatus.NO_SPEECH: "Too little speech was found in this note, so it has no scores.",
    NoteStatus.FAILED: "This note could not be scored",
    NoteStatus.CANCELLED: "Scoring of this note was cancelled",
    NoteStatus.PENDING: "This note is not scored yet.",
}


def say_note(page: NotePage) -> str:
    """Return the first sentence: what is unusual, what the model hears, or why there is neither."""
    note = page.note
    if note.status is not NoteStatus.SCORED or note.scores is None or note.label is None:
        sentence = _STATES.get(note.status, "This note has no scores.")
        return sentence if sentence.endswith(".") else f"{sentence}{f': {note.reason}' if note.reason else ''}."
    unsure = ", but it is not sure" if note.is_uncertain else ""
    heard = f"{note.label} ({_score(note.scores[note.label])})"
    relative = page.relative
    if relative is None or relative.scores is None or relative.label is None:
        return f"The model hears mostly {heard}{unsure}."
    not_sure = ", but not clearly" if relative.is_uncertain else ""
    unusual = f"{relative.label} ({_score(relative.scores[relative.label])})"
    return f"Relative to this person: mostly {unusual}{not_sure}. As the model hears it: mostly {heard}{unsure}."


def say_relative(page: NotePage) -> str:
    """Return what the relative scores compare with, or why there are none."""
    relative = page.relative
    if relative is None:
        return "Nothing is kept yet of what is usual for this person."
    if relative.scores is None:
        return f"Too few notes yet for relative scores: {relative.n_notes} before this one."
    return f"Relative scores compare with {relative.n_notes} earlier notes of this person."


def say_when(page: NotePage) -> str:
    """Return when the note was recorded, by the recorder's own clock."""
    note = page.note
    if note.recorded_at is None:
        return "at an unknown time"
    if note.recorded_at_precision == "day" or note.utc_offset_min is None:
        day = note.local_day or note.recorded_at.date()
        if note.recorded_at_precision == "day":
            return f"on {say_day(day, has_year=True)}"
        return f"on {say_day(note.recorded_at.date(), has_year=True)} at {note.recorded_at:%H:%M} UTC"
    moment = note.recorded_at.astimezone(timezone(timedelta(minutes=note.utc_offset_min)))
    return f"on {say_day(moment.date(), has_year=True)} at {moment:%H:%M} ({moment.tzname()})"


def say_movement(page: NotePage) -> str | None:
    """Return how the scores move within the note; None unless it is scored."""
    slopes = page.note.slope_per_min
    if slopes is None:
        return None
    known = {label: slope for label, slope in slopes.items() if slope is not None}
    if not known:
        return _SHORT_OF_SLOPE
    return "Change in a minute: " + ", ".join(f"{label} {slope:+.2f}" for label, slope in known.items()) + "."


def say_clock(ms: float) -> str:
    """Write a place on the file's clock.

    >>> say_clock(83_400)
    '1:23'
    """
    return f"{int(ms // 60_000)}:{int(ms % 60_000 // 1000):02d}"


def _score(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")
