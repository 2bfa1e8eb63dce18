"""Sends an attempt that did not succeed back to wait, or ends its job when it waited or failed enough.

It never tells passing trouble from a fault of the recording: the caller says which it was.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select, update

from db.columns import db_now, db_now_s
from db.ledger import DETAIL_LENGTH, close_attempt, is_held
from db.reasons import JobState, Outcome, Reason
from db.rows import Claim
from db.schema import jobs

BACKOFF_FIRST_S = 30.0
BACKOFF_CAP_FACTOR = 60  # 30 min where the first wait is 30 s
GIVE_UP_AFTER_S = 86_400.0
MAX_FAILURES = 3
_MAX_DOUBLINGS = 16  # far over the cap, and 2^n stays a small number


@dataclass(frozen=True, kw_only=True)
class Retry:
    """What became of a job that was sent back: PENDING with a delay, or DEAD with a reason."""

    state: JobState
    delay_s: float | None
    reason: Reason


def retry_later(
    engine: Engine,
    claim: Claim,
    reason: Reason,
    *,
    detail: str,
    is_transient: bool,
    backoff_s: float = BACKOFF_FIRST_S,
    jitter: float = 1.0,
    wall_ms: int | None = None,
    peak_rss_kib: int | None = None,
) -> Retry | None:
    """Put the job off: `backoff_s`, doubled each time, 60 times as long at the most.

    Args:
        engine: the database.
        claim: the attempt.
        reason: what went wrong.
        detail: what was found; never a name, key or transcript. Cut at 500 characters.
        is_transient: True for trouble of storage, network, database or model, which uses up time only: after 24 h of it
            without a break the job is DEAD with GAVE_UP. False for a failure of the attempt itself: the third one
            makes the job DEAD with `reason`.
        backoff_s: the first wait.
        jitter: factor on the delay, in (0, 1], drawn by the caller.
        wall_ms: how long the attempt took.
        peak_rss_kib: the most memory it held.

    Returns:
        What became of the job; None when it is no longer this claim's.
    """
    c = jobs.c
    held = is_held(claim.job_id, claim.token)
    look = select(c.failures, c.transients, c.first_transient_at_s, db_now_s().label("now_s")).where(held)
    with engine.begin() as connection:
        row = connection.execute(look.with_for_update()).one_or_none()
        if row is None:
            return None
        if is_transient:
            begun_s = row.now_s if row.first_transient_at_s is None else row.first_transient_at_s
            n, is_over = row.transients, row.now_s - begun_s >= GIVE_UP_AFTER_S
            counters: dict[str, Any] = {"transients": n + 1, "first_transient_at_s": begun_s}
            last_reason = Reason.GAVE_UP
            last_detail = f"{reason}: {detail}"
        else:
            n, is_over = row.failures, row.failures + 1 >= MAX_FAILURES
            counters = {"failures": n + 1, "transients": 0, "first_transient_at_s": None}
            last_reason, last_detail = reason, detail
        delay_s = backoff_s * min(2 ** min(n, _MAX_DOUBLINGS), BACKOFF_CAP_FACTOR) * jitter
        if is_over:
            outcome = Retry(state=JobState.DEAD, delay_s=None, reason=last_reason)
            ended = {"reason": last_reason, "detail": last_detail[:DETAIL_LENGTH], "finished_at": db_now()}
        else:
            outcome = Retry(state=JobState.PENDING, delay_s=delay_s, reason=reason)
            ended = {"next_run_at_s": db_now_s() + delay_s, "reason": reason, "detail": detail[:DETAIL_LENGTH]}
        freed = {"state": outcome.state, "lease_token": None, "lease_until_s": None}
        connection.execute(update(jobs).where(held).values(**freed, **counters, **ended))
        close_attempt(
            connection,
            claim,
            Outcome.DEAD if is_over else Outcome.RETRY,
            reason=reason,
            detail=detail[:DETAIL_LENGTH],
            wall_ms=wall_ms,
            peak_rss_kib=peak_rss_kib,
        )
    return outcome
