"""One attempt at a job, from claim to end: every step is one transaction, fenced by the claim's token.

It never decides what a job does, and never trusts a worker's clock: leases are compared with the database's.

A worker whose lease ran out may still finish as long as nobody noticed (the sweep, or an erasure): its token is then
still the job's, so it is still the only one who can write. Once the sweep took the job back, nothing of it is written.
"""

import secrets

from sqlalchemy import ColumnElement, Connection, Engine, and_, insert, or_, update

from db.batch_pump import may_begin
from db.columns import db_now, db_now_s
from db.models import read_model
from db.reasons import JobState, Lane, Outcome, Reason
from db.recordings import read_recording
from db.results import insert_result
from db.rows import Claim, NewResult
from db.schema import attempts, jobs

DETAIL_LENGTH = 500


def claim(engine: Engine, job_id: int, *, worker: str, lease_s: float) -> Claim | None:
    """Take a job, if it waits and its time has come.

    Args:
        engine: the database.
        job_id: the id that the message carried.
        worker: who takes it, for the history.
        lease_s: how long nobody else may take it; `heartbeat` makes it longer.

    Returns:
        The claim, or None where there is nothing to do: the job runs, has ended, waits for a later time, or is of a batch
        that is paused or cancelled. The message can then be forgotten.
    """
    token = secrets.token_hex(16)
    is_waiting = or_(
        jobs.c.state == JobState.QUEUED,
        and_(jobs.c.state == JobState.PENDING, jobs.c.next_run_at_s <= db_now_s()),
    )
    take = (
        update(jobs)
        .where(jobs.c.id == job_id, is_waiting, may_begin())
        .values(
            state=JobState.RUNNING,
            attempts=jobs.c.attempts + 1,
            lease_token=token,
            lease_until_s=db_now_s() + lease_s,
            worker=worker,
            queued_at_s=None,
            queue_count=0,
        )
        .returning(jobs.c.recording_id, jobs.c.model_id, jobs.c.attempts, jobs.c.lane)
    )
    with engine.begin() as connection:
        row = connection.execute(take).one_or_none()
        if row is None:
            return None
        begun = {"job_id": job_id, "n": row.attempts, "token": token, "started_at": db_now(), "worker": worker}
        connection.execute(insert(attempts).values(begun))
        recording = read_recording(connection, row.recording_id)
        model = read_model(connection, row.model_id)
    assert recording is not None  # foreign keys hold both
    assert model is not None
    lane = Lane(row.lane)
    return Claim(job_id=job_id, token=token, attempt_n=row.attempts, lane=lane, recording=recording, model=model)


def heartbeat(engine: Engine, token: str, *, job_id: int, lease_s: float) -> bool:
    """Make the lease last `lease_s` from now.

    Returns:
        False when the job is no longer this claim's: stop working, nothing of it can be written.
    """
    held = update(jobs).where(is_held(job_id, token)).values(lease_until_s=db_now_s() + lease_s)
    with engine.begin() as connection:
        return connection.execute(held).rowcount == 1


def finish(
    engine: Engine,
    claim: Claim,
    result: NewResult,
    *,
    wall_ms: int | None = None,
    peak_rss_kib: int | None = None,
) -> bool:
    """Write the result and end the job as DONE, all or nothing.

    Returns:
        False when the job is no longer this claim's; nothing was written then.
    """
    done = (
        update(jobs)
        .where(is_held(claim.job_id, claim.token))
        .values(state=JobState.DONE, lease_until_s=None, finished_at=db_now(), reason=None, detail=None)
    )
    with engine.begin() as connection:
        if connection.execute(done).rowcount != 1:
            return False
        insert_result(connection, claim, result)
        close_attempt(connection, claim, Outcome.DONE, wall_ms=wall_ms, peak_rss_kib=peak_rss_kib)
        return True


def fail_dead(
    engine: Engine,
    claim: Claim,
    reason: Reason,
    *,
    detail: str,
    wall_ms: int | None = None,
    peak_rss_kib: int | None = None,
) -> bool:
    """End the job as DEAD: trying again would end the same way.

    Args:
        engine: the database.
        claim: the attempt.
        reason: why; one of the terminal reasons.
        detail: what was found and what was allowed; never a name, key or transcript. Cut at 500 characters.
        wall_ms: how long the attempt took.
        peak_rss_kib: the most memory it held.

    Returns:
        False when the job is no longer this claim's; nothing was written then.
    """
    detail = detail[:DETAIL_LENGTH]
    dead = (
        update(jobs)
        .where(is_held(claim.job_id, claim.token))
        .values(
            state=JobState.DEAD,
            lease_token=None,
            lease_until_s=None,
            finished_at=db_now(),
            reason=reason,
            detail=detail,
        )
    )
    with engine.begin() as connection:
        if connection.execute(dead).rowcount != 1:
            return False
        close_attempt(
            connection, claim, Outcome.DEAD, reason=reason, detail=detail, wall_ms=wall_ms, peak_rss_kib=peak_rss_kib
        )
        return True


def release(engine: Engine, claim: Claim) -> bool:
    """Hand the job back at once, as a worker that is asked to stop does; it counts as no failure.

    Returns:
        False when the job is no longer this claim's.
    """
    back = (
        update(jobs)
        .where(is_held(claim.job_id, claim.token))
        .values(state=JobState.PENDING, lease_token=None, lease_until_s=None, next_run_at_s=db_now_s())
    )
    with engine.begin() as connection:
        if connection.execute(back).rowcount != 1:
            return False
        close_attempt(connection, claim, Outcome.RELEASED)
        return True


def is_held(job_id: int, token: str) -> ColumnElement[bool]:
    """Give the condition that a job still belongs to the claim with this token."""
    return and_(jobs.c.id == job_id, jobs.c.lease_token == token, jobs.c.state == JobState.RUNNING)


def close_attempt(
    connection: Connection,
    claim: Claim,
    outcome: Outcome,
    *,
    reason: Reason | None = None,
    detail: str | None = None,
    wall_ms: int | None = None,
    peak_rss_kib: int | None = None,
) -> None:
    """Write how an attempt ended into the history, inside the transaction that ends it."""
    ended = {"ended_at": db_now(), "outcome": outcome, "reason": reason, "detail": detail}
    measured = {"wall_ms": wall_ms, "peak_rss_kib": peak_rss_kib}
    connection.execute(update(attempts).where(attempts.c.token == claim.token).values(**ended, **measured))
