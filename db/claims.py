"""Takes jobs for a worker, one or several in a transaction; each gets a lease and a fencing token of its own."""

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    String,
    and_,
    cast,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql.elements import SQLCoreOperations

from db.batch_pump import may_begin
from db.columns import db_now, db_now_s
from db.engine import reading
from db.model_rows import as_model
from db.reasons import JobState, Lane
from db.recordings import as_recording
from db.rows import Claim
from db.schema import attempts, jobs, models, recordings

SHORT_BYTES = 512 * 1024
"""A recording of more bytes is scored alone: of Opus as phones record it, some minutes."""

_IDS_A_QUESTION = 1_000


def is_waiting() -> ColumnElement[bool]:
    """Give the condition that a job may be claimed now: it waits, its time has come and its batch goes on."""
    is_due = and_(jobs.c.state == JobState.PENDING, jobs.c.next_run_at_s <= db_now_s())
    return and_(or_(jobs.c.state == JobState.QUEUED, is_due), may_begin())


def may_share() -> ColumnElement[bool]:
    """Give the condition, on jobs joined with recordings, that a job may be scored together with others.

    What is long, has failed, or was under way when a worker was lost, is scored alone, so that its neighbours neither wait
    for it nor are lost with it.
    """
    is_sound = and_(jobs.c.lost_count == 0, jobs.c.failures == 0, jobs.c.transients == 0)
    return and_(jobs.c.lane.in_((Lane.NIGHTLY, Lane.BULK)), is_sound, recordings.c.size_bytes <= SHORT_BYTES)


def choose_together(job_ids: Sequence[int]) -> Select[int]:
    """Give the statement that locks those of some jobs that wait, may share a transaction and are locked by nobody."""
    joined = select(jobs.c.id).join(recordings, recordings.c.id == jobs.c.recording_id)
    chosen = joined.where(jobs.c.id.in_(job_ids), is_waiting(), may_share()).order_by(jobs.c.id)
    return chosen.with_for_update(of=jobs, skip_locked=True)


def sizes_to_share(engine: Engine, job_ids: Sequence[int]) -> dict[int, int]:
    """Give the bytes of the recordings of those jobs that may share a message.

    What is redelivered may not: a worker of an earlier release, which takes one job a message, drops those of several.
    """
    sizes: dict[int, int] = {}
    joined = select(jobs.c.id, recordings.c.size_bytes).join(recordings, recordings.c.id == jobs.c.recording_id)
    with reading(engine) as connection:
        for start in range(0, len(job_ids), _IDS_A_QUESTION):
            asked = jobs.c.id.in_(job_ids[start : start + _IDS_A_QUESTION])
            found = connection.execute(joined.where(asked, jobs.c.queue_count == 0, may_share()))
            sizes |= {row.id: row.size_bytes for row in found}
    return sizes


def take(connection: Connection, which: ColumnElement[bool], *, worker: str, lease_s: float) -> list[Claim]:
    """Take every job of a condition that may be claimed, and begin an attempt of each.

    Args:
        connection: inside a transaction.
        which: the condition.
        worker: who takes them, for the history.
        lease_s: how long nobody else may take them.

    Returns:
        The claims, in order of the jobs' ids.
    """
    name = secrets.token_hex(16)
    token: SQLCoreOperations[str] = literal(f"{name}-").concat(cast(jobs.c.id, String))
    taken = (
        update(jobs)
        .where(which, is_waiting())
        .values(
            state=JobState.RUNNING,
            attempts=jobs.c.attempts + 1,
            lease_token=token,
            lease_until_s=db_now_s() + lease_s,
            worker=worker,
            queued_at_s=None,
            queue_count=0,
        )
        .returning(jobs.c.id, jobs.c.recording_id, jobs.c.model_id, jobs.c.attempts, jobs.c.lane, jobs.c.lease_token)
    )
    rows = sorted(connection.execute(taken).all())
    if not rows:
        return []
    begun = select(jobs.c.id, jobs.c.attempts, jobs.c.lease_token, db_now(), jobs.c.worker)
    begun = begun.where(jobs.c.id.in_([row.id for row in rows]))
    connection.execute(insert(attempts).from_select(["job_id", "n", "token", "started_at", "worker"], begun))
    return _read_claims(connection, rows)


def _read_claims(connection: Connection, rows: Sequence[Any]) -> list[Claim]:
    of_jobs = select(recordings).where(recordings.c.id.in_({row.recording_id for row in rows}))
    known = {row.id: as_recording(row._asdict()) for row in connection.execute(of_jobs)}
    of_models = select(models).where(models.c.id.in_({row.model_id for row in rows}))
    with_model = {row.id: as_model(row._asdict()) for row in connection.execute(of_models)}
    return [
        Claim(
            job_id=row.id,
            token=row.lease_token,
            attempt_n=row.attempts,
            lane=Lane(row.lane),
            recording=known[row.recording_id],
            model=with_model[row.model_id],
        )
        for row in rows
    ]
