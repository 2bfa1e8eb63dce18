"""Attempts at jobs, from claim to end: every step is one transaction, fenced by the claims' tokens.

It never decides what a job does, and never trusts a worker's clock: leases are compared with the database's.

A worker whose lease ran out may still finish as long as nobody noticed (the sweep, or an erasure): its token is then
still the job's, so it is still the only one who can write. Once the sweep took the job back, nothing of it is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, and_, bindparam, update

from db.claims import choose_together, take
from db.columns import db_now, db_now_s
from db.reasons import JobState, Outcome, Reason
from db.results import insert_results
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
    with engine.begin() as connection:
        claims = take(connection, jobs.c.id == job_id, worker=worker, lease_s=lease_s)
    return claims[0] if claims else None


def claim_together(engine: Engine, job_ids: Sequence[int], *, worker: str, lease_s: float) -> list[Claim]:
    """Take those of some jobs that can be scored together, in one transaction.

    Args:
        engine: the database.
        job_ids: the ids that the message carried.
        worker: who takes them, for the history.
        lease_s: how long nobody else may take them.

    Returns:
        A claim of each in order of their ids. Left out is what `claim` would not give either, what is scored alone
        (`claims.may_share`), and what another transaction holds locked just now.
    """
    with engine.begin() as connection:
        chosen = list(connection.scalars(choose_together(job_ids)))
        return take(connection, jobs.c.id.in_(chosen), worker=worker, lease_s=lease_s) if chosen else []


def heartbeat(engine: Engine, token: str, *, job_id: int, lease_s: float) -> bool:
    """Make the lease last `lease_s` from now.

    Returns:
        False when the job is no longer this claim's: stop working, nothing of it can be written.
    """
    return job_id in heartbeat_together(engine, {job_id: token}, lease_s=lease_s)


def heartbeat_together(engine: Engine, tokens: Mapping[int, str], *, lease_s: float) -> set[int]:
    """Make the leases of several claims last `lease_s` from now, in one statement.

    Args:
        engine: the database.
        tokens: job id to the claim's token.
        lease_s: how long.

    Returns:
        The ids of the jobs that are still their claim's; nothing can be written of the others.
    """
    held = update(jobs).where(_are_held(tokens)).values(lease_until_s=db_now_s() + lease_s).returning(jobs.c.id)
    with engine.begin() as connection:
        return set(connection.scalars(held))


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The result of one claim and what it cost: wall time, and the most memory that the process held."""

    claim: Claim
    result: NewResult
    wall_ms: int | None = None
    peak_rss_kib: int | None = None


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
    ending = Ending(claim=claim, result=result, wall_ms=wall_ms, peak_rss_kib=peak_rss_kib)
    return claim.job_id in finish_together(engine, [ending])


def finish_together(engine: Engine, endings: Sequence[Ending]) -> set[int]:
    """Write several results and end their jobs as DONE, in one transaction that begins with the tokens.

    Returns:
        The ids of the jobs that were ended. Of the others, which are no longer their claims', nothing was written.

    Raises:
        DatabaseError: nothing at all was written; one result that is refused takes the others with it.
    """
    tokens = {ending.claim.job_id: ending.claim.token for ending in endings}
    done = (
        update(jobs)
        .where(_are_held(tokens))
        .values(state=JobState.DONE, lease_until_s=None, finished_at=db_now(), reason=None, detail=None)
        .returning(jobs.c.id)
    )
    with engine.begin() as connection:
        ours = set(connection.scalars(done))
        if ours:
            held = [ending for ending in endings if ending.claim.job_id in ours]
            insert_results(connection, [(ending.claim, ending.result) for ending in held])
            _close_done(connection, held)
        return ours


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
    return bool(release_together(engine, [claim]))


def release_together(engine: Engine, claims: Sequence[Claim]) -> set[int]:
    """Hand several jobs back at once, in one transaction; gives the ids of those that were still their claims'."""
    tokens = {claim.job_id: claim.token for claim in claims}
    freed = {"state": JobState.PENDING, "lease_token": None, "lease_until_s": None, "next_run_at_s": db_now_s()}
    back = update(jobs).where(_are_held(tokens)).values(freed).returning(jobs.c.id)
    with engine.begin() as connection:
        ours = set(connection.scalars(back))
        for claim in claims:
            if claim.job_id in ours:
                close_attempt(connection, claim, Outcome.RELEASED)
        return ours


def is_held(job_id: int, token: str) -> ColumnElement[bool]:
    """Give the condition that a job still belongs to the claim with this token."""
    return and_(jobs.c.id == job_id, jobs.c.lease_token == token, jobs.c.state == JobState.RUNNING)


def _are_held(tokens: Mapping[int, str]) -> ColumnElement[bool]:
    # A token is of one claim, so that two lists say the same as a list of pairs, which no index serves as well.
    return and_(
        jobs.c.id.in_(sorted(tokens)), jobs.c.lease_token.in_(sorted(tokens.values())), jobs.c.state == JobState.RUNNING
    )


def _close_done(connection: Connection, endings: Sequence[Ending]) -> None:
    closed = update(attempts).where(attempts.c.token == bindparam("of_token"))
    closed = closed.values(
        ended_at=db_now(), outcome=Outcome.DONE, wall_ms=bindparam("ms"), peak_rss_kib=bindparam("kib")
    )
    rows = [{"of_token": ending.claim.token, "ms": ending.wall_ms, "kib": ending.peak_rss_kib} for ending in endings]
    connection.execute(closed, rows)


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
