"""Keeps what is kept of people in step with renames, merges and erasures, in their transactions.

Whoever calls these holds the lock of registrations, as `people_writes.write_person` does, so that no refresh writes
anything back.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, delete, func, insert, or_, select, tuple_, update

from db.people_schema import (
    baseline_notes,
    relative_results,
    subject_baselines,
    subject_days,
    subject_marks,
    subject_trends,
)
from db.schema import recordings

# A baseline takes its notes and the relative scores that were made with it along.
OF_PEOPLE: tuple[Table, ...] = (subject_baselines, subject_days, subject_trends)
_b, _d, _m, _r, _t = subject_baselines.c, subject_days.c, subject_marks.c, recordings.c, subject_trends.c


def forget_kept(connection: Connection, tenant: str, subjects: Sequence[str]) -> None:
    """Delete all that is kept of somebody under any of these names, marks too."""
    for table in (*OF_PEOPLE, subject_marks):
        connection.execute(delete(table).where(table.c.tenant == tenant, table.c.subject.in_(subjects)))


def forget_erased(connection: Connection, ids: Select[Any]) -> None:
    """Delete what holds anything of these recordings, before they are emptied; the refresh makes it anew from the others.

    A retired baseline may hold a note that has gone to somebody else since. Those after a good one go with it.
    """
    first, later = subject_baselines.alias(), subject_baselines.alias()
    is_later = and_(
        *(later.c[name] == first.c[name] for name in ("tenant", "subject", "model_id")),
        or_(later.c.id == first.c.id, and_(first.c.retired_at.is_(None), later.c.n_notes > first.c.n_notes)),
    )
    behind = baseline_notes.join(first, first.c.id == baseline_notes.c.baseline_id).join(later, is_later)
    gone = select(later.c.id).select_from(behind).where(baseline_notes.c.recording_id.in_(ids))
    connection.execute(delete(subject_baselines).where(_b.id.in_(gone)))
    of_person = select(_r.tenant, _r.subject).where(_r.id.in_(ids), _r.subject.is_not(None))
    of_day = of_person.add_columns(_r.local_day).where(_r.local_day.is_not(None))
    connection.execute(delete(subject_days).where(tuple_(_d.tenant, _d.subject, _d.day).in_(of_day)))
    connection.execute(delete(subject_trends).where(tuple_(_t.tenant, _t.subject).in_(of_person)))


def before_rename(connection: Connection, tenant: str, old: str, *, new: str) -> int:
    """Move what is kept to a name that nobody has; gives the last mark that there is before recordings change."""
    forget_kept(connection, tenant, [new])  # of somebody all of whose notes have left
    for table in (*OF_PEOPLE, subject_marks):
        of_person = (table.c.tenant == tenant, table.c.subject == old)
        connection.execute(update(table).where(*of_person).values(subject=new))
    return last_mark(connection)


def last_mark(connection: Connection) -> int:
    """Give the newest mark that there is."""
    return connection.scalar(select(func.coalesce(func.max(_m.id), 0))) or 0


def forget_corrections(connection: Connection, *, since: int) -> None:
    """Delete the marks of corrected notes after one of `last_mark`: all names have changed, and no note has left anybody."""
    connection.execute(delete(subject_marks).where(_m.id > since, _m.recording_id.is_not(None)))


def after_rename(connection: Connection, tenant: str, old: str, *, new: str, since: int) -> None:
    """Replace the marks of corrected notes, which the rename's triggers have written, by one: no note has left anybody."""
    of_rename = (_m.id > since, _m.tenant == tenant, _m.subject.in_([old, new]), _m.recording_id.is_not(None))
    connection.execute(delete(subject_marks).where(*of_rename))
    connection.execute(insert(subject_marks).values(tenant=tenant, subject=new))


def before_merge(connection: Connection, tenant: str, old: str) -> None:
    """Delete what is kept of somebody whose notes become another person's: all of them are judged as that person's."""
    of_old = select(_r.id).where(_r.tenant == tenant, _r.subject == old)
    connection.execute(delete(relative_results).where(relative_results.c.recording_id.in_(of_old)))
    for table in OF_PEOPLE:
        connection.execute(delete(table).where(table.c.tenant == tenant, table.c.subject == old))


def after_merge(connection: Connection, tenant: str, old: str) -> None:
    """Delete the marks of somebody who is nobody now; those of the person who is left stay."""
    connection.execute(delete(subject_marks).where(_m.tenant == tenant, _m.subject == old))
