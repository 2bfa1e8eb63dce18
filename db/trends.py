"""Reads notes as the views show them: a person over time, and what a run came to; it never writes."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Boolean, ColumnElement, Double, Engine, Integer, String, column, func, select, table

from db.columns import UtcDateTime
from db.engine import reading
from db.schema import DIMENSIONS, EMOTIONS

_TEXTS = (
    "store",
    "bucket",
    "key",
    "subject",
    "recorded_at_precision",
    "recorded_at_source",
    "status",
    "reason",
    "label",
)
_NOTE = table(
    "v1_note",
    column("recording_id", Integer),
    *(column(name, String) for name in (*_TEXTS, "model_name", "model_version")),
    *(column(name, UtcDateTime) for name in ("recorded_at", "uploaded_at", "scored_at")),
    *(column(name, Integer) for name in ("speech_ms", "duration_ms")),
    *(column(name, Double) for name in ("confidence", *EMOTIONS, *DIMENSIONS)),
    *(column(f"{emotion}_slope_per_min", Double) for emotion in EMOTIONS),
    column("is_uncertain", Boolean),
)


@dataclass(frozen=True, kw_only=True)
class Note:
    """One live recording under the active model: a row of `v1_note`.

    `status` is scored, no_speech, failed, cancelled or pending. Scores in [0, 1], slopes per minute; None unless scored.
    Arousal and valence are in the ranges of the model's manifest, and None too where it says nothing of them.
    """

    recording_id: int
    store: str
    bucket: str
    key: str
    subject: str | None
    recorded_at: datetime | None
    recorded_at_precision: str | None
    recorded_at_source: str
    uploaded_at: datetime
    status: str
    reason: str | None
    label: str | None
    confidence: float | None
    is_uncertain: bool | None
    anger: float | None
    happiness: float | None
    neutral: float | None
    sadness: float | None
    speech_ms: int | None
    duration_ms: int | None
    anger_slope_per_min: float | None
    happiness_slope_per_min: float | None
    neutral_slope_per_min: float | None
    sadness_slope_per_min: float | None
    model_name: str | None
    model_version: str | None
    scored_at: datetime | None
    arousal: float | None
    valence: float | None


def subject_trend(
    engine: Engine, subject: str, *, since: datetime | None = None, until: datetime | None = None
) -> list[Note]:
    """Read one person's notes in order of recording time.

    Notes whose time of recording is unknown come last; with `since` or `until` they are left out, because nobody can
    say whether they belong there.

    Args:
        engine: the database.
        subject: the person.
        since: only notes recorded at this moment or later.
        until: only notes recorded before this moment.
    """
    chosen = [_NOTE.c.subject == subject]
    if since is not None:
        chosen.append(_NOTE.c.recorded_at >= since)
    if until is not None:
        chosen.append(_NOTE.c.recorded_at < until)
    return _read(engine, chosen, limit=None)


def list_notes(
    engine: Engine,
    *,
    store: str | None = None,
    bucket: str | None = None,
    prefix: str = "",
    recording_id: int | None = None,
    limit: int | None = None,
) -> list[Note]:
    """Read notes for a report, in order of recording time, unknown times last.

    Args:
        engine: the database.
        store: only those of this store (`s3`, `local`).
        bucket: only those of this bucket or folder.
        prefix: only keys that begin with this.
        recording_id: only this one.
        limit: this many at most.
    """
    chosen = []
    for name, value in (("store", store), ("bucket", bucket), ("recording_id", recording_id)):
        if value is not None:
            chosen.append(_NOTE.c[name] == value)
    if prefix:
        chosen.append(func.substr(_NOTE.c.key, 1, len(prefix)) == prefix)
    return _read(engine, chosen, limit=limit)


def subjects(engine: Engine) -> dict[str, int]:
    """Count the live recordings of every known person, by name."""
    counted = select(_NOTE.c.subject, func.count().label("n")).where(_NOTE.c.subject.is_not(None))
    with reading(engine) as connection:
        rows = connection.execute(counted.group_by(_NOTE.c.subject).order_by(_NOTE.c.subject)).all()
    return {row.subject: row.n for row in rows}


def _read(engine: Engine, chosen: list[ColumnElement[bool]], *, limit: int | None) -> list[Note]:
    c = _NOTE.c
    statement = select(*(c[name] for name in Note.__dataclass_fields__)).where(*chosen)
    ordered = statement.order_by(c.recorded_at.is_(None), c.recorded_at, c.key, c.recording_id).limit(limit)
    with reading(engine) as connection:
        return [Note(**row._asdict()) for row in connection.execute(ordered)]
