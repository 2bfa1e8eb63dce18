"""Writes what was computed of one person, in one transaction, unless the person changed meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, and_, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from db.columns import db_now
from db.fences import lock_registration
from db.people_marks import Mark, delete_marks, read_marks
from db.people_rows import SubjectDay, SubjectTrend
from db.people_schema import baseline_notes, relative_results, subject_baselines, subject_days, subject_trends
from db.person_events import read_trend_states, tell_person
from db.reasons import RecordingState
from db.schema import recordings

_b, _d, _r, _t, _x = subject_baselines.c, subject_days.c, recordings.c, subject_trends.c, relative_results.c
BATCH = 500


@dataclass(frozen=True, kw_only=True)
class NewBaseline:
    """A baseline to keep, and the notes behind it."""

    model_id: int
    n_notes: int
    n_effective: float
    n_persons: int
    rule_version: int
    state: str
    offset_values: Mapping[str, float]
    own_values: Mapping[str, float]
    first_at: datetime
    last_at: datetime
    recording_ids: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class NewRelative:
    """A note's relative scores, None where too little is known; `n_notes` says which baseline of its model made them, None: none."""

    recording_id: int
    model_id: int
    n_notes: int | None
    scores: Mapping[str, float] | None = None
    label: str | None = None
    confidence: float | None = None
    is_uncertain: bool | None = None


@dataclass(frozen=True, kw_only=True)
class PersonChange:
    """All that differs between what is kept of a person and what follows from the notes.

    `days` and `trends` hold only new and different rows; what is gone is named by its key: (recording, model), (model, day)
    and (model, measure).
    """

    tenant: str
    subject: str
    marks: tuple[Mark, ...]
    retired_ids: tuple[int, ...] = ()
    baselines: tuple[NewBaseline, ...] = ()
    gone_relative: tuple[tuple[int, int], ...] = ()
    relative: tuple[NewRelative, ...] = ()
    days: tuple[SubjectDay, ...] = ()
    gone_days: tuple[tuple[int, date], ...] = ()
    trends: tuple[SubjectTrend, ...] = ()
    gone_trends: tuple[tuple[int, str], ...] = ()


def write_person(engine: Engine, change: PersonChange) -> bool:
    """Write a change and delete the marks that it was made from, all or nothing.

    The lock of registrations keeps erasures, corrections, renames and other refreshes away until the end. The person's marks
    say whether anything changed since they were read, an erasure or another refresh included.

    Returns:
        False where the marks are other ones now; then nothing is written, and the person is to be read again.
    """
    with engine.begin() as connection:
        lock_registration(connection)
        if read_marks(connection, change.tenant, change.subject) != change.marks:
            return False
        before = read_trend_states(connection, change.tenant, change.subject)
        _retire(connection, change.retired_ids)
        _forget_relative(connection, change)
        _add_baselines(connection, change)
        _add_relative(connection, change)
        _write_days(connection, change)
        _write_trends(connection, change)
        delete_marks(connection, change.marks)
        tell_person(
            connection,
            change.tenant,
            change.subject,
            days=[*((day.model_id, day.day) for day in change.days), *change.gone_days],
            states={(trend.model_id, trend.measure): trend.state for trend in change.trends},
            before=before,
        )
    return True


def _retire(connection: Connection, ids: Sequence[int]) -> None:
    if ids:
        connection.execute(delete(relative_results).where(_x.baseline_id.in_(ids)))
        connection.execute(update(subject_baselines).where(_b.id.in_(ids)).values(retired_at=db_now()))


def _forget_relative(connection: Connection, change: PersonChange) -> None:
    """Delete relative scores that do not hold: of notes that are to be judged anew later, and of those that have left.

    Whoever a note has gone to may have judged it already.
    """
    for recording_id, model_id in change.gone_relative:
        connection.execute(delete(relative_results).where(_x.recording_id == recording_id, _x.model_id == model_id))
    of_person = select(_b.id).where(_b.tenant == change.tenant, _b.subject == change.subject)
    of_nobody = select(_r.id).where(or_(_r.subject.is_(None), _r.state != RecordingState.LIVE))
    is_left = or_(_x.baseline_id.in_(of_person), and_(_x.baseline_id.is_(None), _x.recording_id.in_(of_nobody)))
    for recording_id in {mark.recording_id for mark in change.marks if mark.recording_id is not None}:
        is_elsewhere = _x.recording_id.not_in(
            select(_r.id).where(
                _r.tenant == change.tenant, _r.subject == change.subject, _r.state == RecordingState.LIVE
            )
        )
        connection.execute(delete(relative_results).where(_x.recording_id == recording_id, is_elsewhere, is_left))


def _add_baselines(connection: Connection, change: PersonChange) -> None:
    for new in change.baselines:
        values = asdict(new) | {"tenant": change.tenant, "subject": change.subject, "created_at": db_now()}
        recording_ids = values.pop("recording_ids")
        added = connection.execute(insert(subject_baselines).values(values).returning(_b.id)).scalar_one()
        rows = [{"baseline_id": added, "recording_id": recording_id} for recording_id in recording_ids]
        connection.execute(insert(baseline_notes), rows)


def _add_relative(connection: Connection, change: PersonChange) -> None:
    if not change.relative:
        return
    of_person = (_b.tenant == change.tenant, _b.subject == change.subject, _b.retired_at.is_(None))
    good = {
        (row.model_id, row.n_notes): row.id
        for row in connection.execute(select(_b.id, _b.model_id, _b.n_notes).where(*of_person))
    }
    rows = []
    for new in change.relative:
        values = asdict(new)
        n_notes = values.pop("n_notes")
        rows.append(values | {"baseline_id": None if n_notes is None else good[new.model_id, n_notes]})
    for start in range(0, len(rows), BATCH):
        _upsert(connection, relative_results, rows[start : start + BATCH], stamp="related_at")


def _write_days(connection: Connection, change: PersonChange) -> None:
    of_person = and_(_d.tenant == change.tenant, _d.subject == change.subject)
    for start in range(0, len(change.gone_days), BATCH):
        gone = [and_(_d.model_id == model, _d.day == day) for model, day in change.gone_days[start : start + BATCH]]
        connection.execute(delete(subject_days).where(of_person, or_(*gone)))
    rows = [asdict(day) for day in change.days]
    for start in range(0, len(rows), BATCH):
        _upsert(connection, subject_days, rows[start : start + BATCH], stamp="refreshed_at")


def _write_trends(connection: Connection, change: PersonChange) -> None:
    of_person = and_(_t.tenant == change.tenant, _t.subject == change.subject)
    for model, measure in change.gone_trends:
        gone = and_(_t.model_id == model, _t.measure == measure)
        connection.execute(delete(subject_trends).where(of_person, gone))
    rows = [asdict(trend) | {"chart": list(trend.chart)} for trend in change.trends]
    _upsert(connection, subject_trends, rows, stamp="refreshed_at")


def _upsert(connection: Connection, table: Table, rows: list[dict[str, Any]], *, stamp: str) -> None:
    if not rows:
        return
    new = postgresql_insert(table) if connection.dialect.name == "postgresql" else sqlite_insert(table)
    keys = [column.name for column in table.primary_key.columns]
    values = {column.name: new.excluded[column.name] for column in table.columns if column.name not in (*keys, stamp)}
    statement = new.on_conflict_do_update(index_elements=keys, set_=values | {stamp: db_now()})
    now = connection.execute(select(db_now())).scalar_one()
    connection.execute(statement, [row | {stamp: now} for row in rows])
