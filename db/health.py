"""One look at what tells whether the system as a whole is well; cheap on a large ledger, and judges nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, and_, case, exists, func, select

from db import migrate, pulses, slots
from db.columns import db_now, db_now_s
from db.engine import reading
from db.people_marks import count_marked
from db.pulses import WorkerPulse
from db.reasons import JobState, Lane
from db.schema import jobs, models
from db.slots import FailedSlot, Pulse

N_DAYS_BEFORE = 7
_DAY = timedelta(days=1)
_j, _m = jobs.c, models.c


@dataclass(frozen=True, kw_only=True)
class LaneWait:
    """What waits in a lane.

    Attributes:
        lane: which.
        due_s: for how long the oldest job that is due has waited to be sent or taken; None: none is due.
        queued_s: the same of those that were sent to workers.
        is_at_work: whether a process holds a job of the lane.
    """

    lane: Lane
    due_s: float | None
    queued_s: float | None
    is_at_work: bool


@dataclass(frozen=True, kw_only=True)
class Deaths:
    """How many jobs died of one reason in the last 24 hours, and on the worst of the seven days before."""

    reason: str
    n_last_day: int
    n_worst_day: int


@dataclass(frozen=True, kw_only=True)
class Health:
    """What one look found, ages by the database's clock.

    Attributes:
        at: the database's clock.
        revision: of the database's schema.
        model: name-version of the active model; None: none is active.
        bundle_sha256: that was registered for it; None where an earlier release did not keep it.
        workers: every worker process that was seen within a day.
        pulses: of the scheduler's parts, by name.
        lanes: what waits, in no order.
        failed_slots: scheduled runs that failed and are still to be done.
        deaths: by reason, the most of the last day first; empty in the first day of a ledger, which has nothing before it.
        n_marked: people whose notes have changed since what is kept of them was made.
    """

    at: datetime
    revision: str | None
    model: str | None
    bundle_sha256: str | None
    workers: Sequence[WorkerPulse]
    pulses: dict[str, Pulse]
    lanes: Sequence[LaneWait]
    failed_slots: Sequence[FailedSlot]
    deaths: Sequence[Deaths]
    n_marked: int


def read_health(engine: Engine) -> Health:
    """Look once; every statement of it goes by an index.

    Raises:
        DatabaseError: the database cannot be reached, or this role may not read it.
    """
    with reading(engine) as connection:
        now: datetime = connection.execute(select(db_now())).scalar_one()
        active = connection.execute(select(_m.name, _m.version, _m.bundle_sha256).where(_m.is_active)).one_or_none()
        lanes = [_look_at(connection, lane) for lane in Lane]
        deaths = _count_deaths(connection, now)
    return Health(
        at=now,
        revision=migrate.current(engine),
        model=None if active is None else f"{active.name}-{active.version}",
        bundle_sha256=None if active is None else active.bundle_sha256,
        workers=pulses.list_workers(engine),
        pulses=slots.read_pulses(engine),
        lanes=lanes,
        failed_slots=slots.list_failed(engine),
        deaths=deaths,
        n_marked=count_marked(engine),
    )


def _look_at(connection: Connection, lane: Lane) -> LaneWait:
    oldest = {
        state: select(db_now_s() - func.min(_j.next_run_at_s)).where(_j.state == state, _j.lane == lane)
        for state in (JobState.PENDING, JobState.QUEUED)
    }
    runs = exists().where(_j.state == JobState.RUNNING, _j.lane == lane, _j.lease_until_s >= db_now_s())
    pending_s = connection.scalar(oldest[JobState.PENDING])
    queued_s = connection.scalar(oldest[JobState.QUEUED])
    due = [age_s for age_s in (pending_s, queued_s) if age_s is not None and age_s >= 0]
    return LaneWait(
        lane=lane,
        due_s=max(due, default=None),
        queued_s=queued_s,
        is_at_work=bool(connection.scalar(select(runs))),
    )


def _count_deaths(connection: Connection, now: datetime) -> list[Deaths]:
    first_at = connection.scalar(select(_j.created_at).order_by(_j.id).limit(1))
    if first_at is None or first_at > now - _DAY:
        return []
    counts = [
        func.sum(case((and_(_j.finished_at > now - (n + 1) * _DAY, _j.finished_at <= now - n * _DAY), 1), else_=0))
        for n in range(N_DAYS_BEFORE + 1)
    ]
    wanted = (
        select(_j.reason, *counts)
        .where(_j.state == JobState.DEAD, _j.finished_at > now - (N_DAYS_BEFORE + 1) * _DAY)
        .group_by(_j.reason)
    )
    found = [
        Deaths(reason=row[0], n_last_day=int(row[1]), n_worst_day=max(map(int, row[2:])))
        for row in connection.execute(wanted)
    ]
    return sorted((deaths for deaths in found if deaths.n_last_day), key=lambda deaths: -deaths.n_last_day)
