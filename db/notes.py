"""Reads notes and their segments for app backends: of one tenant, under one model, without storage keys."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    literal,
    null,
    select,
    tuple_,
)

from db.engine import reading
from db.people_rows import RelativeResult, as_relative
from db.people_schema import relative_results, subject_baselines
from db.reasons import JobState, RecordingState, ResultStatus
from db.results import read_scores, segments_of
from db.rows import Segment
from db.schema import DIMENSIONS, EMOTIONS, jobs, models, recordings, results

_r, _s, _x, _b = recordings.c, results.c, relative_results.c, subject_baselines.c


class NoteStatus(StrEnum):
    """What has become of a note under a model."""

    SCORED = "scored"
    NO_SPEECH = "no_speech"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PENDING = "pending"


@dataclass(frozen=True, kw_only=True)
class AppNote:
    """One live recording under one model, as `v1_note` shows it under the active one.

    `scores` holds every label of the model, each in [0, 1], summing to 1; `slope_per_min` the change of each within the
    note, None where it is too short to have one. Both are None unless scored. `voice` holds measures that need no model, by
    name; None unless scored, and where an earlier release scored it. `local_day` is the day on the recorder's
    calendar and `utc_offset_min` what its clock was ahead of UTC; None where nobody said. `relative` is what is unusual for
    this person, None where it has not been looked at yet.
    """

    id: int
    subject: str | None
    recorded_at: datetime | None
    recorded_at_precision: str | None
    recorded_at_source: str
    utc_offset_min: int | None
    recorded_at_zone: str | None
    local_day: date | None
    uploaded_at: datetime
    status: NoteStatus
    reason: str | None
    label: str | None
    confidence: float | None
    is_uncertain: bool | None
    scores: Mapping[str, float] | None
    slope_per_min: Mapping[str, float | None] | None
    arousal: float | None
    valence: float | None
    voice: Mapping[str, float] | None
    speech_ms: int | None
    duration_ms: int | None
    model_name: str | None
    model_version: str | None
    scored_at: datetime | None
    relative: RelativeResult | None


@dataclass(frozen=True, kw_only=True)
class NotePlace:
    """Where a list of notes goes on: behind the note of this time and id; `recorded_at` None: among those without time."""

    recorded_at: datetime | None
    id: int


@dataclass(frozen=True, kw_only=True)
class NoteFilter:
    """Which notes of a person: of these local days (both included), in this state; None: all.

    Notes whose time of recording is unknown belong to no day.
    """

    since: date | None = None
    until: date | None = None
    status: NoteStatus | None = None


STATUS = case(
    (_s.status == ResultStatus.SCORED, NoteStatus.SCORED.value),
    (_s.status == ResultStatus.NO_SPEECH, NoteStatus.NO_SPEECH.value),
    (jobs.c.state == JobState.DEAD, NoteStatus.FAILED.value),
    (jobs.c.state == JobState.CANCELLED, NoteStatus.CANCELLED.value),
    else_=NoteStatus.PENDING.value,
)
REASON = case(
    (and_(_s.status.is_(None), jobs.c.state.in_((JobState.DEAD, JobState.CANCELLED))), jobs.c.reason), else_=null()
)
_OF_RECORDING = tuple(name for name in AppNote.__dataclass_fields__ if name in _r)
_OF_RESULT = ("label", "confidence", "is_uncertain", "speech_ms", "duration_ms", "voice", *DIMENSIONS)
_TO_SCORES = (*EMOTIONS, "extra_scores", "trend")
_RELATIVE = "relative_"  # before the names of columns that a note has too
_OF_RELATIVE = tuple(_x.keys())
_OF_BASELINE = ("state", "n_notes", "rule_version")


def list_notes(
    engine: Engine,
    tenant: str,
    subject: str,
    *,
    model_id: int | None,
    chosen: NoteFilter,
    is_oldest_first: bool = False,
    after: NotePlace | None = None,
    limit: int,
) -> list[AppNote]:
    """Read a person's notes in order of recording time; those without time come last, unless days are chosen.

    Args:
        engine: the database.
        tenant: whose person.
        subject: the present name, as subjects are stored.
        model_id: under which model; None: there is none yet.
        chosen: which notes.
        is_oldest_first: from the oldest on; else from the newest on.
        after: go on behind this note.
        limit: this many at most.
    """
    of_person = _notes(model_id).where(_r.tenant == tenant, _r.subject == subject, *_fits(chosen))
    is_by_day = chosen.since is not None or chosen.until is not None
    found: list[AppNote] = []
    with reading(engine) as connection:
        # One part after the other, since an index on the time holds one of them in order.
        if after is None or after.recorded_at is not None:
            timed = of_person.where(_r.recorded_at.is_not(None), *_behind(after, is_oldest_first=is_oldest_first))
            order = (_r.recorded_at, _r.id) if is_oldest_first else (_r.recorded_at.desc(), _r.id.desc())
            found += _read(connection, model_id, timed.order_by(*order).limit(limit))
        if len(found) < limit and not is_by_day:
            last_id = after.id if after is not None and after.recorded_at is None else 0
            untimed = of_person.where(_r.recorded_at.is_(None), _r.id > last_id)
            found += _read(connection, model_id, untimed.order_by(_r.id).limit(limit - len(found)))
    return found


def get_note(engine: Engine, tenant: str, note_id: int, *, model_id: int | None) -> AppNote | None:
    """Read one live note of a tenant; None where there is none of this id."""
    with reading(engine) as connection:
        found = _read(connection, model_id, _notes(model_id).where(_r.tenant == tenant, _r.id == note_id))
    return found[0] if found else None


def find_subject(engine: Engine, tenant: str, note_id: int) -> str | None:
    """Say whose a live note of a tenant is; None where nobody knows, or there is none of this id."""
    wanted = select(_r.subject).where(_r.id == note_id, _r.tenant == tenant, _r.state == RecordingState.LIVE)
    with reading(engine) as connection:
        subject: str | None = connection.scalar(wanted)
    return subject


def get_notes(engine: Engine, tenant: str, note_ids: Collection[int], *, model_id: int | None) -> dict[int, AppNote]:
    """Read those of these notes that a tenant has now, by id."""
    if not note_ids:
        return {}
    with reading(engine) as connection:
        found = _read(connection, model_id, _notes(model_id).where(_r.tenant == tenant, _r.id.in_(note_ids)))
    return {note.id: note for note in found}


def notes_after(engine: Engine, tenant: str, *, after_id: int, limit: int, model_id: int | None) -> list[AppNote]:
    """Read a tenant's live notes in order of their id, from the one after `after_id` on."""
    wanted = _notes(model_id).where(_r.tenant == tenant, _r.id > after_id)
    with reading(engine) as connection:
        return _read(connection, model_id, wanted.order_by(_r.id).limit(limit))


def read_page(
    connection: Connection, *fits: ColumnElement[bool], model_id: int | None, after_id: int, limit: int
) -> list[AppNote]:
    """Read live notes in order of their id on an open connection, from the one after `after_id` on."""
    return _read(connection, model_id, _notes(model_id).where(_r.id > after_id, *fits).order_by(_r.id).limit(limit))


def list_segments(engine: Engine, note_id: int, model_id: int) -> Sequence[Segment]:
    """Read the scored windows of a note in order of time; whose note it is has been asked before."""
    return segments_of(engine, note_id, model_id)


def _notes(model_id: int | None) -> Select[Any]:
    # What all questions have in common is put together once; `_read` says which model.
    return _notes_of_no_model() if model_id is None else _notes_of_a_model()


@cache
def _notes_of_a_model() -> Select[Any]:
    return _select_notes(models.c.id == bindparam("model", type_=Integer))


@cache
def _notes_of_no_model() -> Select[Any]:
    return _select_notes(models.c.id.is_(None))


def _select_notes(of_model: ColumnElement[bool]) -> Select[Any]:
    rows = (
        recordings.outerjoin(models, of_model)
        .outerjoin(jobs, and_(jobs.c.recording_id == _r.id, jobs.c.model_id == models.c.id))
        .outerjoin(results, and_(_s.recording_id == _r.id, _s.model_id == models.c.id))
        .outerjoin(relative_results, and_(_x.recording_id == _r.id, _x.model_id == models.c.id))
        .outerjoin(subject_baselines, _b.id == _x.baseline_id)
    )
    columns: list[ColumnElement[Any]] = [_r[name] for name in _OF_RECORDING]
    columns += [_s[name] for name in (*_OF_RESULT, *_TO_SCORES)]
    columns += [STATUS.label("status"), REASON.label("reason"), _s.created_at.label("scored_at")]
    columns += [models.c.name.label("model_name"), models.c.version.label("model_version")]
    columns += [_x[name].label(_RELATIVE + name) for name in _OF_RELATIVE]
    columns += [_b[name].label(_RELATIVE + name) for name in _OF_BASELINE]
    return select(*columns).select_from(rows).where(_r.state == RecordingState.LIVE)


def _fits(chosen: NoteFilter) -> list[ColumnElement[bool]]:
    fits: list[ColumnElement[bool]] = []
    if chosen.since is not None:
        fits.append(_r.local_day >= chosen.since)
    if chosen.until is not None:
        fits.append(_r.local_day <= chosen.until)
    if chosen.status is not None:
        fits.append(STATUS.in_([chosen.status.value]))
    return fits


def _behind(after: NotePlace | None, *, is_oldest_first: bool) -> list[ColumnElement[bool]]:
    if after is None:
        return []
    here, there = (
        tuple_(_r.recorded_at, _r.id),
        tuple_(literal(after.recorded_at, _r.recorded_at.type), literal(after.id)),
    )
    return [here > there if is_oldest_first else here < there]


def _read(connection: Connection, model_id: int | None, wanted: Select[Any]) -> list[AppNote]:
    rows = connection.execute(wanted, {} if model_id is None else {"model": model_id})
    return [_as_note(row._asdict()) for row in rows]


def _as_note(values: dict[str, Any]) -> AppNote:
    to_scores = {name: values.pop(name) for name in _TO_SCORES}
    about = {name: values.pop(_RELATIVE + name) for name in (*_OF_RELATIVE, *_OF_BASELINE)}
    status = NoteStatus(values.pop("status"))
    if status is not NoteStatus.SCORED:
        return AppNote(**values, status=status, scores=None, slope_per_min=None, relative=None)
    scores = read_scores(to_scores)
    slopes = {label: to_scores["trend"].get(label, {}).get("slope_per_min") for label in scores}
    relative = None if about["recording_id"] is None else as_relative(about)
    return AppNote(**values, status=status, scores=scores, slope_per_min=slopes, relative=relative)
