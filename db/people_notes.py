"""Reads all that the refresh of one person needs, in one look: notes under every model, and what is kept already."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, false, func, or_, select

from db.columns import db_now
from db.engine import reading
from db.models import as_model
from db.notes import STATUS, NoteStatus
from db.people_marks import Mark, read_marks
from db.people_rows import SubjectBaseline, SubjectDay, SubjectTrend, as_baseline, as_trend
from db.people_schema import baseline_notes, relative_results, subject_baselines, subject_days, subject_trends
from db.reasons import JobState, RecordingState
from db.results import read_scores
from db.rows import Model
from db.schema import DIMENSIONS, EMOTIONS, jobs, models, recordings, results

_r, _s, _b, _x = recordings.c, results.c, subject_baselines.c, relative_results.c
_OF_RESULT = ("label", "confidence", "is_uncertain", "speech_ms", *DIMENSIONS)
_OPEN = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)
_TO_SCORES = (*EMOTIONS, "extra_scores")


@dataclass(frozen=True, kw_only=True)
class PersonNote:
    """A live note of a person under one model; what is of the result is None unless it is scored.

    `at` is the time of recording, or of the upload where that is not known; notes of a person are ordered by it and,
    where it is the same, by their id. `movement` is the result's `trend`, by label or dimension, `voice` its measures that
    need no model. `is_waiting` says that its job has not ended; a pending note may have none.
    """

    recording_id: int
    model_id: int
    at: datetime
    utc_offset_min: int | None
    local_day: date | None
    status: NoteStatus
    is_waiting: bool
    scores: Mapping[str, float] | None
    label: str | None
    confidence: float | None
    is_uncertain: bool | None
    speech_ms: int | None
    arousal: float | None
    valence: float | None
    movement: Mapping[str, Mapping[str, float]]
    voice: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class KeptBaseline:
    """A good baseline and the notes that it was made of."""

    row: SubjectBaseline
    recording_ids: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class KeptRelative:
    """Which baseline a note's relative score was made with (None: nothing was known), and its scores."""

    baseline_id: int | None
    scores: Mapping[str, float] | None


@dataclass(frozen=True, kw_only=True)
class PersonRows:
    """What there is of a person; notes are in order, first one first, and `relative` is by recording and model."""

    tenant: str
    subject: str
    now: datetime
    marks: tuple[Mark, ...]
    models: tuple[Model, ...]
    notes: tuple[PersonNote, ...]
    baselines: tuple[KeptBaseline, ...]
    relative: Mapping[tuple[int, int], KeptRelative]
    days: tuple[SubjectDay, ...]
    trends: tuple[SubjectTrend, ...]


@dataclass(frozen=True, kw_only=True)
class NewestOwn:
    """What the notes of one person of a tenant say by themselves, as far as it is kept."""

    subject: str
    n_effective: float
    own_values: Mapping[str, float]


def read_person(engine: Engine, tenant: str, subject: str) -> PersonRows:
    """Read one person. The marks come first: whatever changes after that leaves another mark."""
    with reading(engine) as connection:
        marks = read_marks(connection, tenant, subject)
        now = connection.execute(select(db_now())).scalar_one()
        known = tuple(as_model(row._asdict()) for row in connection.execute(select(models).order_by(models.c.id)))
        return PersonRows(
            tenant=tenant,
            subject=subject,
            now=now,
            marks=marks,
            models=known,
            notes=_notes(connection, tenant, subject),
            baselines=_baselines(connection, tenant, subject),
            relative=_relative(connection, tenant, subject),
            days=tuple(SubjectDay(**row) for row in _of_person(connection, subject_days, tenant, subject)),
            trends=tuple(as_trend(row) for row in _of_person(connection, subject_trends, tenant, subject)),
        )


def read_newest_own(engine: Engine, tenant: str, *, model_id: int) -> list[NewestOwn]:
    """Read of each person of a tenant what the newest good baseline says by itself."""
    of_tenant = (_b.tenant == tenant, _b.model_id == model_id, _b.retired_at.is_(None))
    newest = select(_b.subject, func.max(_b.n_notes).label("n_notes")).where(*of_tenant).group_by(_b.subject).subquery()
    is_newest = and_(_b.subject == newest.c.subject, _b.n_notes == newest.c.n_notes)
    wanted = select(_b.subject, _b.n_effective, _b.own_values).join(newest, is_newest).where(*of_tenant)
    with reading(engine) as connection:
        return [NewestOwn(**row._asdict()) for row in connection.execute(wanted.order_by(_b.subject))]


def _notes(connection: Connection, tenant: str, subject: str) -> tuple[PersonNote, ...]:
    of_job = and_(jobs.c.recording_id == _r.id, jobs.c.model_id == models.c.id)
    of_result = and_(_s.recording_id == _r.id, _s.model_id == models.c.id)
    each = recordings.join(models, models.c.id.is_not(None)).outerjoin(jobs, of_job).outerjoin(results, of_result)
    at = func.coalesce(_r.recorded_at, _r.uploaded_at)
    columns: list[ColumnElement[Any]] = [
        _r.id.label("recording_id"),
        models.c.id.label("model_id"),
        at.label("at"),
        STATUS.label("status"),
    ]
    columns += [func.coalesce(jobs.c.state.in_(_OPEN), false()).label("is_waiting")]
    columns += [_r.utc_offset_min, _r.local_day, *(_s[name] for name in (*_OF_RESULT, *_TO_SCORES))]
    wanted = (
        select(*columns, _s.trend.label("movement"), _s.voice)
        .select_from(each)
        .where(_r.tenant == tenant, _r.subject == subject, _r.state == RecordingState.LIVE)
        .where(or_(models.c.is_active, jobs.c.id.is_not(None), _s.recording_id.is_not(None)))
        .order_by(at, _r.id, models.c.id)
    )
    return tuple(_as_note(row._asdict()) for row in connection.execute(wanted))


def _as_note(values: dict[str, Any]) -> PersonNote:
    to_scores = {name: values.pop(name) for name in _TO_SCORES}
    is_scored = values["status"] == NoteStatus.SCORED
    return PersonNote(
        **values
        | {
            "status": NoteStatus(values["status"]),
            "scores": read_scores(to_scores) if is_scored else None,
            "movement": values["movement"] or {},
            "voice": values["voice"] or {},
        }
    )


def _baselines(connection: Connection, tenant: str, subject: str) -> tuple[KeptBaseline, ...]:
    of_person = (_b.tenant == tenant, _b.subject == subject, _b.retired_at.is_(None))
    rows = [row._asdict() for row in connection.execute(select(subject_baselines).where(*of_person).order_by(_b.id))]
    n = baseline_notes.c
    wanted = select(n.baseline_id, n.recording_id).join(subject_baselines, _b.id == n.baseline_id).where(*of_person)
    behind: dict[int, set[int]] = {}
    for row in connection.execute(wanted):
        behind.setdefault(row.baseline_id, set()).add(row.recording_id)
    return tuple(KeptBaseline(row=as_baseline(row), recording_ids=frozenset(behind.get(row["id"], ()))) for row in rows)


def _relative(connection: Connection, tenant: str, subject: str) -> dict[tuple[int, int], KeptRelative]:
    of_person = (_r.tenant == tenant, _r.subject == subject, _r.state == RecordingState.LIVE)
    wanted = select(_x.recording_id, _x.model_id, _x.baseline_id, _x.scores).join(recordings, _r.id == _x.recording_id)
    return {
        (row.recording_id, row.model_id): KeptRelative(baseline_id=row.baseline_id, scores=row.scores)
        for row in connection.execute(wanted.where(*of_person))
    }


def _of_person(connection: Connection, kept: Any, tenant: str, subject: str) -> list[dict[str, Any]]:
    wanted = select(kept).where(kept.c.tenant == tenant, kept.c.subject == subject)
    return [row._asdict() for row in connection.execute(wanted)]
