"""Keeps which key of the HTTP API asked for what, and forgets it in time; who was erased is in no row."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Engine, Insert, String, bindparam, case, delete, exists, insert, select

from db.api_schema import api_audit
from db.columns import db_now
from db.engine import reading
from db.reasons import RecordingState
from db.schema import recordings

EXPIRE_BATCH = 10_000


@dataclass(frozen=True, kw_only=True)
class Access:
    """One request that was answered.

    `route` is a template such as `/v1/subjects/{subject}/notes`. `subject` is the person's present name as subjects are
    stored, and `recording_id` the note that was asked for; None where the request was about none.
    """

    key_id: int
    tenant: str
    method: str
    route: str
    status: int
    subject: str | None = None
    recording_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class StoredAccess(Access):
    """A row of the audit."""

    id: int
    at: datetime


def record(engine: Engine, batch: Sequence[Access]) -> None:
    """Write what was answered, in one transaction; a person of whom there are no recordings is left out.

    Such a name was asked for in vain or has just been erased, and no erasure would find it here. On PostgreSQL a trigger
    asks again and waits for an erasure that is under way.
    """
    if not batch:
        return
    values = [{**asdict(access), "asked_for": access.subject, "of_tenant": access.tenant} for access in batch]
    for fields in values:
        del fields["subject"]
    with engine.begin() as connection:
        connection.execute(_row(), values)


@cache
def _row() -> Insert:
    c = recordings.c
    name = bindparam("asked_for", type_=String)
    of_person = (c.tenant == bindparam("of_tenant"), c.subject == name, c.state != RecordingState.ERASED)
    return insert(api_audit).inline().values(at=db_now(), subject=case((exists(select(c.id).where(*of_person)), name)))


def read(engine: Engine, *, tenant: str, limit: int = 500) -> list[StoredAccess]:
    """Read what keys of a tenant asked for, newest first."""
    c = api_audit.c
    wanted = select(api_audit).where(c.tenant == tenant).order_by(c.id.desc()).limit(limit)
    with reading(engine) as connection:
        return [StoredAccess(**row._asdict()) for row in connection.execute(wanted)]


def expire(engine: Engine, *, keep: timedelta) -> int:
    """Delete the rows that are older than `keep`, in transactions of 10,000; gives how many."""
    c = api_audit.c
    n_deleted = 0
    while True:
        with engine.begin() as connection:
            now: datetime = connection.execute(select(db_now())).scalar_one()
            old = select(c.id).where(c.at < now - keep).order_by(c.at).limit(EXPIRE_BATCH)
            n = connection.execute(delete(api_audit).where(c.id.in_(old))).rowcount
        n_deleted += n
        if n < EXPIRE_BATCH:
            return n_deleted
