"""Which jobs a nightly run made, and what came of them once they have ended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from db import mails, outbox
from db.columns import db_now
from db.engine import reading
from db.mails import NewMail
from db.pulse_schema import nights
from db.reasons import EventKind, JobState, Lane
from db.schema import jobs, recordings, results

PATIENCE = timedelta(hours=12)  # a night that is not over by then is told of as it stands
_LANES = (Lane.NIGHTLY, Lane.QUARANTINE)  # a suspect of the night moves into the second
_OPEN = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)
_n, _j = nights.c, jobs.c


@dataclass(frozen=True, kw_only=True)
class Night:
    """A nightly run whose scan has ended and of which nothing was told yet."""

    slot: datetime
    after_job_id: int
    upto_job_id: int
    began_at: datetime


@dataclass(frozen=True, kw_only=True)
class NightCount:
    """How many of a night's jobs are in a state, for a reason where they died, and how much sound they were."""

    tenant: str
    state: JobState
    reason: str | None
    n: int
    audio_ms: int


@dataclass(frozen=True, kw_only=True)
class NightOutcome:
    """What came of a night.

    Attributes:
        night: which.
        ended_at: when its last job ended so far, or its scan.
        counts: by tenant, state and reason.
    """

    night: Night
    ended_at: datetime
    counts: tuple[NightCount, ...]


def begin(engine: Engine, slot: datetime) -> None:
    """Note that the run of a slot begins; a run that is tried again goes on with the same night."""
    last_id = select(func.coalesce(func.max(_j.id), 0)).scalar_subquery()
    insert = postgresql_insert if engine.dialect.name == "postgresql" else sqlite_insert
    begun = insert(nights).values(slot=slot, after_job_id=last_id, began_at=db_now())
    with engine.begin() as connection:
        connection.execute(begun.on_conflict_do_nothing(index_elements=["slot"]))


def end_scan(engine: Engine, slot: datetime) -> None:
    """Note that all jobs of a night have been made."""
    last_id = select(func.coalesce(func.max(_j.id), 0)).scalar_subquery()
    made = update(nights).where(_n.slot == slot).values(upto_job_id=last_id, scanned_at=db_now())
    with engine.begin() as connection:
        connection.execute(made)


def list_over(engine: Engine) -> list[Night]:
    """Read the nights to tell of, oldest first: all their jobs have ended, or 12 hours have gone by since the scan."""
    still_open = exists().where(*_of_night(_n.after_job_id, _n.upto_job_id), _j.state.in_(_OPEN))
    wanted = select(*(_n[name] for name in Night.__dataclass_fields__)).order_by(_n.slot)
    wanted = wanted.where(_n.reported_at.is_(None), _n.scanned_at.is_not(None))
    with reading(engine) as connection:
        now: datetime = connection.execute(select(db_now())).scalar_one()
        wanted = wanted.where(or_(_n.scanned_at < now - PATIENCE, ~still_open))
        return [Night(**row._asdict()) for row in connection.execute(wanted)]


def read_outcome(engine: Engine, night: Night) -> NightOutcome:
    """Count what came of a night's jobs."""
    r, s = recordings.c, results.c
    columns = (
        r.tenant,
        _j.state,
        _j.reason,
        func.count().label("n"),
        func.coalesce(func.sum(s.duration_ms), 0).label("audio_ms"),
    )
    of_job = and_(s.recording_id == _j.recording_id, s.model_id == _j.model_id)
    chosen = _of_night(night.after_job_id, night.upto_job_id)
    wanted = (
        select(*columns)
        .select_from(jobs)
        .join(recordings, r.id == _j.recording_id)
        .outerjoin(results, of_job)
        .where(*chosen)
        .group_by(r.tenant, _j.state, _j.reason)
        .order_by(r.tenant, _j.state, _j.reason)
    )
    scanned = select(_n.scanned_at).where(_n.slot == night.slot)
    with reading(engine) as connection:
        counts = tuple(
            NightCount(
                tenant=row.tenant,
                state=JobState(row.state),
                reason=row.reason if row.state in {JobState.DEAD, JobState.CANCELLED} else None,
                n=row.n,
                audio_ms=int(row.audio_ms),
            )
            for row in connection.execute(wanted)
        )
        scanned_at: datetime = connection.execute(scanned).scalar_one()
        last_at: datetime | None = connection.execute(select(func.max(_j.finished_at)).where(*chosen)).scalar_one()
    return NightOutcome(night=night, ended_at=max(scanned_at, last_at or scanned_at), counts=counts)


def report(
    engine: Engine,
    night: Night,
    summary: Mapping[str, Any],
    *,
    of_tenant: Callable[[str], Mapping[str, Any]],
    mail: NewMail | None,
) -> bool:
    """Keep what is told of a night, and tell it by webhook and mail, in one transaction.

    Args:
        engine: the database.
        night: which.
        summary: of all tenants; to be kept.
        of_tenant: gives what a tenant's webhook endpoints are told.
        mail: to the operator; None: none is sent.

    Returns:
        False where another scheduler has told it: nothing was written then.
    """
    mine = update(nights).where(_n.slot == night.slot, _n.reported_at.is_(None))
    with engine.begin() as connection:
        if connection.execute(mine.values(reported_at=db_now(), summary=dict(summary))).rowcount != 1:
            return False
        for tenant in outbox.list_tenants(connection):
            outbox.add(connection, tenant, EventKind.NIGHT_FINISHED, data=of_tenant(tenant))
        if mail is not None:
            mails.add(connection, mail)
    return True


def expire(engine: Engine, *, keep: timedelta) -> int:
    """Delete nights that began longer ago than `keep`; gives how many."""
    with engine.begin() as connection:
        now: datetime = connection.execute(select(db_now())).scalar_one()
        return connection.execute(delete(nights).where(_n.began_at < now - keep)).rowcount


def last_summary(engine: Engine) -> dict[str, Any] | None:
    """Read what was told of the newest night that was told of."""
    newest = select(_n.summary).where(_n.reported_at.is_not(None)).order_by(_n.slot.desc()).limit(1)
    with reading(engine) as connection:
        found = connection.scalar(newest)
    return None if found is None else dict(found)


def _of_night(after: ColumnElement[int] | int, upto: ColumnElement[int] | int) -> tuple[ColumnElement[bool], ...]:
    return (_j.id > after, _j.id <= upto, _j.lane.in_(_LANES))
