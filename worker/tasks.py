"""The Celery task: claim, run, and turn every error into a ledger outcome; holds the one broad except."""

from __future__ import annotations

import logging
import random
import time
import traceback

from celery.exceptions import SoftTimeLimitExceeded

from db import ledger
from db.backoff import retry_later
from db.errors import DatabaseError
from db.reasons import Lane, Reason
from db.rows import Claim
from worker import runtime
from worker.job import LeaseLost, peak_rss_kib, run_claimed
from worker.outcomes import Failure, Fate, failure_of
from worker.runtime import Runtime
from worker.solitary import describe_end, run_alone

_log = logging.getLogger(__name__)


def score(job_id: int) -> None:
    """Score one job; its outcome is in the ledger, none in Celery. A message for a taken job is dropped."""
    here = runtime.current()
    claim = ledger.claim(here.engine, job_id, worker=here.worker_name, lease_s=here.settings.lease_s)
    if claim is None:
        _log.info("nothing to do", extra={"job_id": job_id})
        return
    if claim.lane is Lane.QUARANTINE:
        attempt_alone(here, claim)
    else:
        attempt(here, claim)


def attempt(here: Runtime, claim: Claim) -> None:
    """Score a claimed job, and record what became of it."""
    started = time.monotonic()
    try:
        if not run_claimed(here, claim):
            _log.warning("lease lost", extra={"job_id": claim.job_id})
    except LeaseLost:
        _log.warning("lease lost", extra={"job_id": claim.job_id})
    except SoftTimeLimitExceeded:
        record(here, claim, _too_slow(here, time.monotonic() - started), started=started)
    except Exception as error:  # noqa: BLE001 - the one broad except of the program: it records
        traceback.clear_frames(error.__traceback__)  # they may hold the memory that recording needs
        record(here, claim, failure_of(error), started=started)


def attempt_alone(here: Runtime, claim: Claim) -> None:
    """Score a suspect in a process of its own, and record its death if it dies there.

    That death counts as a failure of the attempt. Where this process dies as well, nobody was there to see it: the
    lease runs out, which proves nothing against the recording.
    """

    def act() -> None:
        runtime.configure(here.settings)  # as after Celery's fork: no session and no connection is shared
        attempt(runtime.current(), claim)

    started = time.monotonic()
    try:
        status = run_alone(act)
    except SoftTimeLimitExceeded:
        record(here, claim, _too_slow(here, time.monotonic() - started), started=started)
        return
    if status != 0:
        detail = f"alone in its process, the recording ended it by {describe_end(status)}"
        record(here, claim, Failure(Fate.RETRY, Reason.WORKER_LOST, detail), started=started)


def _too_slow(here: Runtime, elapsed_s: float) -> Failure:
    """Describe a job that was told to stop; one that had not used up its time is not to blame, and tried again."""
    allowed_s = here.settings.soft_time_limit_s
    if elapsed_s < allowed_s:
        detail = f"told to stop after {elapsed_s:.1f} s, allowed are {allowed_s} s: not the recording's doing"
        return Failure(Fate.WAIT, Reason.TIME_LIMIT, detail)
    return Failure(Fate.RETRY, Reason.TIME_LIMIT, f"took more than {allowed_s} s")


def record(here: Runtime, claim: Claim, failure: Failure, *, started: float) -> None:
    """Write a failed attempt into the ledger; if even that fails, the lease runs out and the sweep heals."""
    is_surprise = failure.reason is Reason.INTERNAL
    _log.warning("attempt failed", extra={"job_id": claim.job_id, "reason": failure.reason}, exc_info=is_surprise)
    cost = {"wall_ms": round((time.monotonic() - started) * 1000), "peak_rss_kib": peak_rss_kib()}
    try:
        if failure.fate is Fate.DEAD:
            ledger.fail_dead(here.engine, claim, failure.reason, detail=failure.detail, **cost)
        else:
            retry_later(
                here.engine,
                claim,
                failure.reason,
                detail=failure.detail,
                is_transient=failure.fate is Fate.WAIT,
                backoff_s=here.settings.backoff_s,
                jitter=random.uniform(0.5, 1.0),  # noqa: S311 - spreads retries, guards nothing
                **cost,
            )
    except DatabaseError as error:
        _log.warning("outcome not recorded", extra={"job_id": claim.job_id, "error": str(error)})
