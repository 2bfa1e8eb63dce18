"""Who has to be looked at again: marks that triggers write, and those of people whose trend grows old without a new note."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, Engine, delete, func, insert, literal, select, tuple_

from db.columns import db_now
from db.engine import reading
from db.people_schema import subject_marks, subject_trends
from db.reasons import RecordingState, TrendState
from db.schema import recordings

_m, _t, _r = subject_marks.c, subject_trends.c, recordings.c


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Why somebody is looked at again: a note came or was scored, or, with its id, a note's person, time or presence was corrected.

    `left_day` is the local day that a corrected note has left; None where it has come or had none.
    """

    id: int
    recording_id: int | None
    left_day: date | None


def list_marked(engine: Engine, *, limit: int, but: Collection[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    """List tenant and subject of those who have waited longest, without some."""
    chosen = [tuple_(_m.tenant, _m.subject).not_in(list(but))] if but else []
    wanted = select(_m.tenant, _m.subject).where(*chosen).group_by(_m.tenant, _m.subject)
    with reading(engine) as connection:
        return [(row.tenant, row.subject) for row in connection.execute(wanted.order_by(func.min(_m.id)).limit(limit))]


def count_marked(engine: Engine) -> int:
    """Count the people who wait."""
    people = select(_m.tenant, _m.subject).distinct().subquery()
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).select_from(people)) or 0


def read_marks(connection: Connection, tenant: str, subject: str) -> tuple[Mark, ...]:
    """Read the marks of one person, first one first."""
    wanted = select(_m.id, _m.recording_id, _m.left_day).where(_m.tenant == tenant, _m.subject == subject)
    return tuple(Mark(**row._asdict()) for row in connection.execute(wanted.order_by(_m.id)))


def mark_everybody(connection: Connection) -> int:
    """Mark all who have live recordings, in one statement; gives how many."""
    wanted = select(_r.tenant, _r.subject).where(_r.state == RecordingState.LIVE, _r.subject.is_not(None)).distinct()
    return connection.execute(insert(subject_marks).from_select(["tenant", "subject"], wanted)).rowcount


def mark_aged(engine: Engine) -> int:
    """Mark those whose trend is judged as of a day before yesterday (UTC), while it says more than `insufficient`.

    Somebody who sends no more notes has too few recent days before long; without this the last state would stay.
    A person's own day is at most one day off the UTC day, so that nobody is marked twice a day.

    Returns:
        How many people were marked.
    """
    with engine.begin() as connection:
        now = connection.execute(select(db_now())).scalar_one()
        is_old = _t.as_of < (now - timedelta(days=1)).date()
        is_marked = select(literal(1)).where(_m.tenant == _t.tenant, _m.subject == _t.subject).exists()
        aged = select(_t.tenant, _t.subject).where(is_old, _t.state != TrendState.INSUFFICIENT, ~is_marked).distinct()
        return connection.execute(insert(subject_marks).from_select(["tenant", "subject"], aged)).rowcount


def delete_marks(connection: Connection, marks: Sequence[Mark]) -> None:
    """Delete marks that were read; those that came meanwhile stay."""
    ids = [mark.id for mark in marks]
    for start in range(0, len(ids), 5_000):
        connection.execute(delete(subject_marks).where(_m.id.in_(ids[start : start + 5_000])))
