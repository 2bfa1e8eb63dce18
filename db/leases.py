"""Takes jobs back from workers that fell silent, once their leases ran out."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, select, update

from db.columns import db_now, db_now_s
from db.reasons import JobState, Lane, Outcome, Reason
from db.schema import attempts, jobs

QUARANTINE_AFTER_LOSSES = 3
DEAD_AFTER_LOSSES = 20
BATCH = 1_000


@dataclass(frozen=True, kw_only=True)
class ExpiredLeases:
    """How many expired leases went back to wait, into quarantine, or ended as DEAD."""

    n_requeued: int = 0
    n_quarantined: int = 0
    n_dead: int = 0

    @property
    def n_expired(self) -> int:
        """All leases that were ended."""
        return self.n_requeued + self.n_quarantined + self.n_dead


def expire_leases(engine: Engine) -> ExpiredLeases:
    """End every lease that ran out, in transactions of 1,000 jobs.

    A job whose worker was lost goes back to PENDING at once; the third time it moves to the quarantine lane. There a
    pool process watches whether the recording ends the process that scores it (`worker.solitary`), and a loss says that
    the watching process was lost too. So losses are bounded, for what takes whole machines down, but far away: where half
    the attempts at long recordings were lost, a sound one was lost five times. The 20th time the job is DEAD with
    WORKER_LOST. Two processes that do this at once never count a loss twice.
    """
    total = ExpiredLeases()
    while True:
        with engine.begin() as connection:
            expired = _expire_batch(connection)
        total = ExpiredLeases(
            n_requeued=total.n_requeued + expired.n_requeued,
            n_quarantined=total.n_quarantined + expired.n_quarantined,
            n_dead=total.n_dead + expired.n_dead,
        )
        if expired.n_expired < BATCH:
            return total


def _expire_batch(connection: Connection) -> ExpiredLeases:
    c = jobs.c
    expired = (
        select(c.id, c.lease_token, c.lost_count, c.lane)
        .where(c.state == JobState.RUNNING, c.lease_until_s < db_now_s())
        .order_by(c.lease_until_s)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(expired).all()
    dead = [row for row in rows if row.lost_count + 1 >= DEAD_AFTER_LOSSES]
    alive = [row for row in rows if row.lost_count + 1 < DEAD_AFTER_LOSSES]
    suspect = [row for row in alive if row.lost_count + 1 >= QUARANTINE_AFTER_LOSSES]
    back = [row for row in alive if row.lost_count + 1 < QUARANTINE_AFTER_LOSSES]
    waiting = {"state": JobState.PENDING, "next_run_at_s": db_now_s()}
    lost = f"the worker was lost {DEAD_AFTER_LOSSES} times"
    ended = {"state": JobState.DEAD, "reason": Reason.WORKER_LOST, "detail": lost, "finished_at": db_now()}
    _take_back(connection, [row.id for row in back], waiting)
    _take_back(connection, [row.id for row in suspect], {**waiting, "lane": Lane.QUARANTINE})
    _take_back(connection, [row.id for row in dead], ended)
    if rows:
        close = update(attempts).where(attempts.c.token == bindparam("lost_token"))
        close = close.values(ended_at=db_now(), outcome=Outcome.LOST, reason=Reason.WORKER_LOST)
        connection.execute(close, [{"lost_token": row.lease_token} for row in rows])
    return ExpiredLeases(n_requeued=len(back), n_quarantined=len(suspect), n_dead=len(dead))


def _take_back(connection: Connection, ids: list[int], values: dict[str, Any]) -> None:
    if ids:
        freed = {"lease_token": None, "lease_until_s": None, "lost_count": jobs.c.lost_count + 1}
        connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(**freed, **values))
