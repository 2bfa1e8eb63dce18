"""Says what waits in some lanes and whether some workers are at work, for a worker that doubts itself; it never writes."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Engine, and_, case, func, literal, or_, select

from db.columns import db_now_s
from db.engine import reading
from db.reasons import JobState, Lane
from db.schema import jobs


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """One look at the ledger, ages by the database's clock.

    `publish_age_s` is the age of the newest message that nobody answered within the time allowed; None where there is none.
    """

    is_working: bool
    n_queued: int
    publish_age_s: float | None


def look(engine: Engine, *, lanes: Iterable[Lane], workers: Iterable[str], answer_s: float) -> Waiting:
    """Look at what is published and what runs.

    Args:
        engine: the database.
        lanes: count what is QUEUED in these.
        workers: names as in claims; they are at work while one of them holds a lease that has not run out.
        answer_s: a message younger than this may still be answered.
    """
    is_queued = and_(jobs.c.state == JobState.QUEUED, jobs.c.lane.in_(list(lanes)))
    runs = and_(jobs.c.state == JobState.RUNNING, jobs.c.worker.in_(list(workers)), jobs.c.lease_until_s >= db_now_s())
    is_unanswered = and_(is_queued, jobs.c.queued_at_s <= db_now_s() - answer_s)
    columns = (
        func.coalesce(func.sum(case((runs, 1), else_=0)), 0).label("n_running"),
        func.coalesce(func.sum(case((is_queued, 1), else_=0)), 0).label("n_queued"),
        (db_now_s() - func.max(case((is_unanswered, jobs.c.queued_at_s)))).label("publish_age_s"),
    )
    with reading(engine) as connection:
        row = connection.execute(select(*columns).where(or_(is_queued, runs))).one()
    return Waiting(is_working=row.n_running > 0, n_queued=int(row.n_queued), publish_age_s=row.publish_age_s)


def is_before_bulk(engine: Engine) -> bool:
    """Say whether an upload or a nightly job is published that nobody has taken."""
    first = select(literal(1)).where(jobs.c.state == JobState.QUEUED, jobs.c.lane.in_((Lane.INTERACTIVE, Lane.NIGHTLY)))
    with reading(engine) as connection:
        return connection.execute(first.limit(1)).first() is not None
