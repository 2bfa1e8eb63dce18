"""Chooses which jobs of batches to publish next, and holds the rate that each batch was given."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, text, update

from db.batch_schema import batches
from db.columns import db_now_s, once_s
from db.reasons import BatchState, JobState, Lane
from db.schema import IS_OF_NO_BATCH, jobs

BURST_S = 60.0
"""A batch with a rate may have jobs of so many seconds in the queue at once; at least one."""
_b = batches.c
_STOPPED = (BatchState.PAUSED, BatchState.CANCELLED)


def may_begin() -> ColumnElement[bool]:
    """Give the condition that a job's batch is neither paused nor cancelled; a job of no batch may begin."""
    stopped = select(_b.id).where(_b.id == jobs.c.batch_id, _b.state.in_(_STOPPED))
    return or_(jobs.c.batch_id.is_(None), ~stopped.exists())


def choose_bulk(connection: Connection, room: int) -> list[tuple[int, Lane]]:
    """Choose due bulk jobs, first those of no batch, then those of the batches that go on, the oldest batch first.

    Each question goes by an index that holds nothing of paused batches, so that a million jobs of one cost nothing here.
    """
    chosen = _rows(connection, _of_no_batch(), room)
    running = select(batches).where(_b.state == BatchState.RUNNING).order_by(_b.id)
    for batch in connection.execute(running.add_columns(db_now_s().label("now_s"))).all():
        left = room - len(chosen)
        if left <= 0:
            break
        allowance = None if batch.rate_per_h is None else _allowance(batch)
        if allowance is not None:
            left = min(left, int(allowance), _burst(batch.rate_per_h) - _count_queued(connection, batch.id))
        found = _rows(connection, _of_batch(batch.id), left)
        if allowance is not None:
            spent = {"allowance": allowance - len(found), "allowance_at_s": batch.now_s}
            connection.execute(update(batches).where(_b.id == batch.id).values(spent))
        chosen += found
    return chosen


def _of_no_batch() -> Select[Any]:
    # Written out, since SQLite uses a partial index only where the condition stands in the statement.
    due = select(jobs.c.id).where(text(IS_OF_NO_BATCH), jobs.c.next_run_at_s <= once_s())
    # PostgreSQL does not take a column that is NULL for one of a single value, so the index's order names it too.
    return due.order_by(jobs.c.batch_id, jobs.c.next_run_at_s)


def _of_batch(batch_id: int) -> Select[Any]:
    is_due = (jobs.c.state == JobState.PENDING, jobs.c.next_run_at_s <= once_s(), jobs.c.lane == Lane.BULK)
    due = select(jobs.c.id).where(jobs.c.batch_id == batch_id, *is_due)
    return due.order_by(jobs.c.next_run_at_s)


def _rows(connection: Connection, statement: Select[Any], limit: int) -> list[tuple[int, Lane]]:
    if limit <= 0:
        return []
    locked = statement.limit(limit).with_for_update(skip_locked=True, of=jobs)
    return [(row.id, Lane.BULK) for row in connection.execute(locked)]


def _burst(rate_per_h: int) -> int:
    return max(1, int(rate_per_h * BURST_S / 3600))


def _allowance(batch: Any) -> float:
    """Give how many jobs may be enqueued now: what the time since the last look has added, up to one burst."""
    since_s = max(0.0, batch.now_s - batch.allowance_at_s)
    return float(min(_burst(batch.rate_per_h), batch.allowance + since_s * batch.rate_per_h / 3600))


def _count_queued(connection: Connection, batch_id: int) -> int:
    queued = select(func.count()).where(jobs.c.batch_id == batch_id, jobs.c.state == JobState.QUEUED)
    return connection.execute(queued).scalar_one()
