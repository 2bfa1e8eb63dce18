"""Reads notes for operators: a person over time, and what a run came to; never for app backends, since it shows keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Date,
    Double,
    Engine,
    Integer,
    String,
    Subquery,
    TableClause,
    and_,
    column,
    func,
    select,
    table,
)

from db.columns import UtcDateTime
from db.engine import reading
from db.notes import REASON, STATUS
from db.reasons import RecordingState
from db.results import read_scores
from db.rows import DEFAULT_TENANT
from db.schema import DIMENSIONS, EMOTIONS, jobs, models, recordings, results

_OF_NOTE: dict[str, Any] = {
    "recording_id": Integer,
    "tenant": String,
    "subject": String,
    "recorded_at": UtcDateTime,
    "recorded_at_precision": String,
    "recorded_at_source": String,
    "utc_offset_min": Integer,
    "uploaded_at": UtcDateTime,
    "status": String,
    "reason": String,
    "label": String,
    "confidence": Double,
    "is_uncertain": Boolean,
    "speech_ms": Integer,
    "duration_ms": Integer,
    "model_name": String,
    "model_version": String,
    "scored_at": UtcDateTime,
    **dict.fromkeys(DIMENSIONS, Double),
}
_NOTE = table("v1_note", *(column(name, kind) for name, kind in _OF_NOTE.items()), column("day", Date))
_OF_RECORDING = ("store", "bucket", "key")
_OF_RESULT = (*EMOTIONS, "extra_scores", "trend")


@dataclass(frozen=True, kw_only=True)
class Note:
    """One live recording under the active model: a row of `v1_note`, and where it lies in storage.

    `status` is scored, no_speech, failed, cancelled or pending. `scores` holds every label of the model, each in [0, 1],
    summing to 1; `slope_per_min` the change of each within the note, None where it is too short to have one. Both are
    None unless scored. `local_day` is the day on the recorder's calendar. Arousal and valence are in the ranges of the
    model's manifest, and None where it says nothing of them.
    """

    recording_id: int
    store: str
    bucket: str
    key: str
    tenant: str
    subject: str | None
    recorded_at: datetime | None
    recorded_at_precision: str | None
    recorded_at_source: str
    utc_offset_min: int | None
    local_day: date | None
    uploaded_at: datetime
    status: str
    reason: str | None
    label: str | None
    confidence: float | None
    is_uncertain: bool | None
    scores: Mapping[str, float] | None
    slope_per_min: Mapping[str, float | None] | None
    speech_ms: int | None
    duration_ms: int | None
    model_name: str | None
    model_version: str | None
    scored_at: datetime | None
    arousal: float | None
    valence: float | None


def subject_trend(
    engine: Engine,
    subject: str,
    *,
    tenant: str = DEFAULT_TENANT,
    since: datetime | None = None,
    until: datetime | None = None,
    model_id: int | None = None,
) -> list[Note]:
    """Read one person's notes in order of recording time, all under one model version.

    Notes whose time of recording is unknown come last; with `since` or `until` they are left out, because nobody can
    say whether they belong there.

    Args:
        engine: the database.
        subject: the person, by the present name.
        tenant: whose person.
        since: only notes recorded at this moment or later.
        until: only notes recorded before this moment.
        model_id: under which model; None: the active one.
    """
    note = _NOTE if model_id is None else _notes_of(model_id)
    chosen = [note.c.tenant == tenant, note.c.subject == subject]
    if since is not None:
        chosen.append(note.c.recorded_at >= since)
    if until is not None:
        chosen.append(note.c.recorded_at < until)
    return _read(engine, chosen, limit=None, note=note, model_id=model_id)


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
    c = recordings.c
    chosen: list[ColumnElement[bool]] = []
    for wanted, value in ((c.store, store), (c.bucket, bucket), (c.id, recording_id)):
        if value is not None:
            chosen.append(wanted == value)
    if prefix:
        chosen.append(func.substr(c.key, 1, len(prefix)) == prefix)
    return _read(engine, chosen, limit=limit)


def _notes_of(model_id: int) -> Subquery:
    """Give what `v1_note` has of each recording, under another model than the active one."""
    of_job = and_(jobs.c.recording_id == recordings.c.id, jobs.c.model_id == models.c.id)
    of_result = and_(results.c.recording_id == recordings.c.id, results.c.model_id == models.c.id)
    rows = recordings.join(models, models.c.id == model_id).outerjoin(jobs, of_job).outerjoin(results, of_result)
    named = {
        "recording_id": recordings.c.id,
        "status": STATUS,
        "reason": REASON,
        "model_name": models.c.name,
        "model_version": models.c.version,
        "scored_at": results.c.created_at,
        "day": recordings.c.local_day,
    }
    same = {
        name: recordings.c[name] if name in recordings.c else results.c[name] for name in _OF_NOTE if name not in named
    }
    columns = [value.label(name) for name, value in {**same, **named}.items()]
    return select(*columns).select_from(rows).where(recordings.c.state == RecordingState.LIVE).subquery()


def _read(
    engine: Engine,
    chosen: list[ColumnElement[bool]],
    *,
    limit: int | None,
    note: TableClause | Subquery = _NOTE,
    model_id: int | None = None,
) -> list[Note]:
    c = note.c
    of_result = and_(results.c.recording_id == c.recording_id, results.c.model_id == models.c.id)
    rows = (
        note.join(recordings, recordings.c.id == c.recording_id)
        .outerjoin(models, models.c.is_active if model_id is None else models.c.id == model_id)
        .outerjoin(results, of_result)
    )
    columns = [*(c[name] for name in _OF_NOTE), c.day.label("local_day")]
    columns += [recordings.c[name] for name in _OF_RECORDING]
    columns += [results.c[name].label(f"result_{name}") for name in _OF_RESULT]
    statement = select(*columns).select_from(rows).where(*chosen)
    order = (c.recorded_at.is_(None), c.recorded_at, recordings.c.key, c.recording_id)
    with reading(engine) as connection:
        found = [row._asdict() for row in connection.execute(statement.order_by(*order).limit(limit))]
    return [_as_note(values) for values in found]


def _as_note(values: dict[str, Any]) -> Note:
    # From the table and not from the view's JSON, in which SQLite keeps 15 digits of a score.
    result = {name: values.pop(f"result_{name}") for name in _OF_RESULT}
    if values["label"] is None:
        return Note(**values, scores=None, slope_per_min=None)
    scores = read_scores(result)
    slopes = {label: result["trend"].get(label, {}).get("slope_per_min") for label in scores}
    return Note(**values, scores=scores, slope_per_min=slopes)
