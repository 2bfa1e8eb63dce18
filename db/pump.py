"""Chooses which jobs to publish next and marks them QUEUED; it never sends a message itself."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Select, case, func, select, update

from db.batch_pump import choose_bulk, may_begin
from db.batches import take_back_paused
from db.columns import db_now_s, once_s
from db.engine import reading
from db.jobs import count_outstanding
from db.reasons import JobState, Lane
from db.schema import jobs

REDELIVER_FIRST_S = 60.0
REDELIVER_CAP_FACTOR = 15  # 15 min where the first wait is a minute
# While a long reprocess fills all the room there is, this many quarantined jobs still get through at each pump.
QUARANTINE_RESERVE = 2
_PUMP_LOCK = 7_420_002  # any number that no other advisory lock of this program uses


@dataclass(frozen=True, kw_only=True)
class Outstanding:
    """How many jobs are published and not taken, and how many are being scored."""

    n_queued: int = 0
    n_running: int = 0

    @property
    def n_outstanding(self) -> int:
        """Both together."""
        return self.n_queued + self.n_running


def read_outstanding(engine: Engine) -> Outstanding:
    """Count what is published and has not ended, by an index that the cap keeps short there."""
    counted = select(jobs.c.state, func.count()).where(jobs.c.state.in_((JobState.QUEUED, JobState.RUNNING)))
    with reading(engine) as connection:
        by_state = {JobState(state): n for state, n in connection.execute(counted.group_by(jobs.c.state))}
    return Outstanding(n_queued=by_state.get(JobState.QUEUED, 0), n_running=by_state.get(JobState.RUNNING, 0))


def due_jobs(
    engine: Engine, *, cap_outstanding: int, limit: int, redeliver_s: float = REDELIVER_FIRST_S
) -> list[tuple[int, Lane]]:
    """Choose the jobs to publish now and mark them QUEUED, in one transaction.

    First in line are uploads, then nightly work, and a reprocess that fills the queue leaves their room alone. Bulk and
    quarantined work is published only while no nightly job is due or waits in the queue. Besides, what was published and
    not claimed within `redeliver_s` (doubled each time, 15 times as long at the most) is published again: the message may
    have been lost.

    Args:
        engine: the database.
        cap_outstanding: publish new jobs only up to this many QUEUED and RUNNING ones, so that the broker stays small.
            Uploads and nightly work count the jobs of their own lane alone, so that there may be three times as many
            for a while.
        limit: publish this many at most, old and new together.
        redeliver_s: how long a message may go unanswered.

    Returns:
        (job id, lane) in the order in which to publish them; empty while another process is pumping.
    """
    with engine.begin() as connection:
        if not _is_only_pump(connection):
            return []
        take_back_paused(connection)  # what another pump chose while the batch was being paused
        uploads = _due(connection, Lane.INTERACTIVE, min(_room(connection, cap_outstanding, Lane.INTERACTIVE), limit))
        left = limit - len(uploads)
        nightly = _due(connection, Lane.NIGHTLY, min(_room(connection, cap_outstanding, Lane.NIGHTLY), left))
        again = _published_in_vain(connection, left - len(nightly), redeliver_s)
        room = min(_room(connection, cap_outstanding), left - len(nightly) - len(again))
        is_waiting = bool(nightly) or _is_nightly_queued(connection)
        later = [] if is_waiting else _choose_later(connection, room)
        _mark_queued(connection, [job_id for job_id, _ in uploads + nightly + later])
        return uploads + nightly + again + later


def unqueue(engine: Engine, job_ids: Iterable[int]) -> int:
    """Take back jobs whose message could not be sent; the next pump tries them again.

    Returns:
        How many were still QUEUED.
    """
    ids = list(job_ids)
    if not ids:
        return 0
    back = update(jobs).where(jobs.c.id.in_(ids), jobs.c.state == JobState.QUEUED)
    with engine.begin() as connection:
        values = {"state": JobState.PENDING, "queued_at_s": None, "queue_count": 0}
        return connection.execute(back.values(values)).rowcount


def _is_only_pump(connection: Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return True  # BEGIN IMMEDIATE: SQLite has one writer
    return bool(connection.scalar(select(func.pg_try_advisory_xact_lock(_PUMP_LOCK))))


def _published_in_vain(connection: Connection, limit: int, redeliver_s: float) -> list[tuple[int, Lane]]:
    # SQLite has no power() for certain, so the doublings up to the cap are written out.
    n_doublings = REDELIVER_CAP_FACTOR.bit_length()
    steps = [(jobs.c.queue_count == n, redeliver_s * 2**n) for n in range(n_doublings)]
    patience_s = case(*steps, else_=redeliver_s * REDELIVER_CAP_FACTOR)
    overdue = select(jobs.c.id, jobs.c.lane).where(
        jobs.c.state == JobState.QUEUED, jobs.c.queued_at_s < db_now_s() - patience_s
    )
    chosen = _rows(connection, overdue.order_by(jobs.c.queued_at_s), limit)
    if chosen:
        ids = [job_id for job_id, _ in chosen]
        published = {"queued_at_s": db_now_s(), "queue_count": jobs.c.queue_count + 1}
        connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(published))
    return chosen


def _room(connection: Connection, cap: int, *lanes: Lane) -> int:
    counted = count_outstanding()
    if lanes:
        counted = counted.where(jobs.c.lane.in_(lanes))
    return max(0, cap - (connection.scalar(counted) or 0))


def _choose_later(connection: Connection, room: int) -> list[tuple[int, Lane]]:
    quarantined = _due(connection, Lane.QUARANTINE, room)
    n_reserved = min(len(quarantined), QUARANTINE_RESERVE, room)
    bulk = choose_bulk(connection, room - n_reserved)
    return bulk + quarantined[: room - len(bulk)]


def _due(connection: Connection, lane: Lane, limit: int) -> list[tuple[int, Lane]]:
    waiting = select(jobs.c.id, jobs.c.lane).where(
        jobs.c.state == JobState.PENDING, jobs.c.lane == lane, jobs.c.next_run_at_s <= once_s(), may_begin()
    )
    # As the index has them: with a further column PostgreSQL would sort all that waits to find the first.
    return _rows(connection, waiting.order_by(jobs.c.next_run_at_s), limit)


def _rows(connection: Connection, statement: Select[tuple[int, str]], limit: int) -> list[tuple[int, Lane]]:
    if limit <= 0:
        return []
    locked = statement.limit(limit).with_for_update(skip_locked=True, of=jobs)
    return [(row.id, Lane(row.lane)) for row in connection.execute(locked)]


def _is_nightly_queued(connection: Connection) -> bool:
    queued = select(jobs.c.id).where(jobs.c.state == JobState.QUEUED, jobs.c.lane == Lane.NIGHTLY)
    return connection.execute(queued.limit(1)).first() is not None


def _mark_queued(connection: Connection, ids: list[int]) -> None:
    if ids:
        published = {"state": JobState.QUEUED, "queued_at_s": db_now_s(), "queue_count": 0}
        connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(published))
