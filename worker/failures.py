"""Write a failed attempt into the ledger, as its failure says."""

from __future__ import annotations

import logging
import random
import resource

from config.settings import Settings
from db import Engine, ledger
from db.backoff import retry_later
from db.errors import DatabaseError
from db.reasons import JobState, Outcome, Reason
from worker.attempt import Attempt
from worker.outcomes import Disposition, Failure

_log = logging.getLogger(__name__)


def record(engine: Engine, settings: Settings, attempt: Attempt, failure: Failure) -> None:
    """Write a failed attempt into the ledger and tell it; if that fails, the lease runs out and the scheduler takes the job back.

    Args:
        engine: the database.
        settings: with the first wait.
        attempt: that failed.
        failure: what went wrong.
    """
    try:
        ended = _write(engine, settings, attempt, failure)
    except (DatabaseError, MemoryError) as error:
        attempt.tell_failure(Outcome.RETRY, failure.reason, is_surprise=failure.is_surprise)
        _log.warning("outcome not recorded", extra={"job_id": attempt.claim.job_id, "error": str(error)})
        return
    if ended is None:
        attempt.tell_lost()
    else:
        attempt.tell_failure(*ended, is_surprise=failure.is_surprise)


def _write(engine: Engine, settings: Settings, attempt: Attempt, failure: Failure) -> tuple[Outcome, Reason] | None:
    """Write it down; gives how the job stands by it, None where the job is no longer this attempt's."""
    cost = {"wall_ms": attempt.wall_ms, "peak_rss_kib": peak_rss_kib()}
    if failure.disposition is Disposition.DEAD:
        is_ours = ledger.fail_dead(engine, attempt.claim, failure.reason, detail=failure.detail, **cost)
        return (Outcome.DEAD, failure.reason) if is_ours else None
    retry = retry_later(
        engine,
        attempt.claim,
        failure.reason,
        detail=failure.detail,
        is_transient=failure.disposition is Disposition.WAIT,
        backoff_s=settings.backoff_s,
        jitter=random.uniform(0.5, 1.0),  # noqa: S311 - spreads retries, guards nothing
        **cost,
    )
    if retry is None:
        return None
    return (Outcome.DEAD if retry.state is JobState.DEAD else Outcome.RETRY), retry.reason


def peak_rss_kib() -> int:
    """Return the most memory this process has held, in KiB (getrusage counts bytes on macOS)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
