"""The Celery task: claim, run, and turn every error into a ledger outcome; holds the one broad except."""

from __future__ import annotations

import logging
import traceback

from celery.exceptions import SoftTimeLimitExceeded

from db import ledger
from db.reasons import Lane
from db.rows import Claim
from telemetry import traces
from worker import runtime
from worker.attempt import Attempt
from worker.failures import record
from worker.job import LeaseLost, run_claimed
from worker.model_time import ModelTime
from worker.outcomes import died, failure_of, told_to_stop
from worker.runtime import Runtime
from worker.solitary import describe_end, run_alone

_log = logging.getLogger(__name__)


def score(job_id: int) -> None:
    """Score one job; its outcome is in the ledger, none in Celery. A message for a taken job is dropped."""
    here = runtime.current()
    claim = ledger.claim(here.engine, job_id, worker=here.worker_name, lease_s=here.settings.lease_s)
    if claim is None:
        _log.debug("nothing to do", extra={"job_id": job_id})
        return
    if claim.lane is Lane.QUARANTINE:
        attempt_alone(here, claim, ModelTime())
    else:
        attempt(here, claim, ModelTime())


def attempt(here: Runtime, claim: Claim, model_time: ModelTime) -> None:
    """Score a claimed job, and record what became of it."""
    tried = Attempt(claim)
    with traces.span("attempt", job_id=claim.job_id, **tried.ids):
        _try(here, tried, model_time)


def _try(here: Runtime, tried: Attempt, model_time: ModelTime) -> None:
    try:
        result = run_claimed(here, tried, model_time)
        if result is None:
            tried.tell_lost()
        else:
            tried.tell_result(result)
    except LeaseLost:
        tried.tell_lost()
    except SoftTimeLimitExceeded:
        _record_stop(here, tried, model_time)
    except Exception as error:  # noqa: BLE001 - the one broad except of the program: it records
        traceback.clear_frames(error.__traceback__)  # they may hold the memory that recording needs
        failure = failure_of(error, is_model=model_time.is_running)
        record(here.engine, here.settings, tried, failure)


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
