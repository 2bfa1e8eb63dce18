"""The Celery task: claim, run, and turn every error into a ledger outcome; holds the one broad except."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable

from celery.exceptions import SoftTimeLimitExceeded

from db import ledger, pump
from db.reasons import Lane
from db.rows import Claim
from telemetry import traces
from worker import runtime
from worker.attempt import Attempt
from worker.failures import record
from worker.job import run_claimed
from worker.lease import LeaseLost
from worker.model_time import ModelTime
from worker.outcomes import died, failure_of, told_to_stop
from worker.runtime import Runtime
from worker.solitary import describe_end, run_alone
from worker.together import Together

_log = logging.getLogger(__name__)
SHARE_FOR_OTHERS = 0.05
"""Share of the soft time limit in which further jobs of a message are begun."""


def score(*job_ids: int) -> None:
    """Score the jobs of one message; their outcomes are in the ledger, none in Celery. What is taken already is dropped.

    Short recordings are scored together. Celery's time limits are the whole task's: no job is begun after a twentieth of
    the limit, so that each has nearly all of it, and the scheduler publishes the rest again. Nor is one begun after a
    quarter of a lease, so that a worker that is asked to stop has soon done so.
    """
    here = runtime.current()
    settings = here.settings
    stop_at_s = time.monotonic() + min(settings.soft_time_limit_s * SHARE_FOR_OTHERS, settings.lease_s / 4)
    claims = []
    if len(job_ids) > 1:
        claims = ledger.claim_together(here.engine, job_ids, worker=here.worker_name, lease_s=settings.lease_s)
    if claims:
        Together(here, list(claims), guard, ModelTime).score_until(stop_at_s)
    taken = {claim.job_id for claim in claims}
    left = [job_id for job_id in job_ids if job_id not in taken]
    while left and (len(left) == len(job_ids) or time.monotonic() < stop_at_s):
        _score_one(here, left.pop(0))
    pump.unqueue(here.engine, left)


def _score_one(here: Runtime, job_id: int) -> None:
    claim = ledger.claim(here.engine, job_id, worker=here.worker_name, lease_s=here.settings.lease_s)
    if claim is None:
        _log.debug("nothing to do", extra={"job_id": job_id})
    elif claim.lane is Lane.QUARANTINE:
        attempt_alone(here, claim, ModelTime())
    else:
        attempt(here, claim, ModelTime())


def attempt(here: Runtime, claim: Claim, model_time: ModelTime) -> None:
    """Score a claimed job, and record what became of it."""
    tried = Attempt(claim)

    def act() -> None:
        result = run_claimed(here, tried, model_time)
        if result is None:
            tried.tell_lost()
        else:
            tried.tell_result(result)

    with traces.span("attempt", job_id=claim.job_id, **tried.ids):
        guard(here, tried, model_time, act)


def guard(here: Runtime, tried: Attempt, model_time: ModelTime, act: Callable[[], None]) -> bool:
    """Run what an attempt does, and record what it raises; gives False where the process was told to stop."""
    try:
        act()
    except LeaseLost:
        tried.tell_lost()
    except SoftTimeLimitExceeded:
        _record_stop(here, tried, model_time)
        return False
    except Exception as error:  # noqa: BLE001 - the one broad except of the program: it records
        traceback.clear_frames(error.__traceback__)  # they may hold the memory that recording needs
        failure = failure_of(error, is_model=model_time.is_running)
        record(here.engine, here.settings, tried, failure)
    return True


def attempt_alone(here: Runtime, claim: Claim, model_time: ModelTime) -> None:
    """Score a suspect in a process of its own, and record its death if it dies there.

    That death counts as a failure of the attempt, unless the model was at work. Where this process dies as well, nobody
    was there to see it: the lease runs out, which proves nothing against the recording.
    """

    def act() -> None:
        runtime.configure(here.settings)  # as after Celery's fork: no session and no connection is shared
        attempt(runtime.current(), claim, model_time)
        traces.flush()

    watched = Attempt(claim)
    here.close_connections()  # a child that ends would close them for this process too
    try:
        status = run_alone(act)
    except SoftTimeLimitExceeded:
        _record_stop(here, watched, model_time)
        return
    if status != 0:
        failure = died(describe_end(status), is_model=model_time.is_running)
        record(here.engine, here.settings, watched, failure)


def _record_stop(here: Runtime, tried: Attempt, model_time: ModelTime) -> None:
    elapsed_s, allowed_s = tried.wall_ms / 1000, here.settings.soft_time_limit_s
    failure = told_to_stop(elapsed_s, allowed_s=allowed_s, model_s=model_time.total_s)
    record(here.engine, here.settings, tried, failure)
