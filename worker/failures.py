"""Write a failed attempt into the ledger, as its failure says."""

from __future__ import annotations

import logging
import random
import resource
import time

from config.settings import Settings
from db import Engine, ledger
from db.backoff import retry_later
from db.errors import DatabaseError
from db.rows import Claim
from worker.outcomes import Failure, Fate

_log = logging.getLogger(__name__)


def record(engine: Engine, settings: Settings, claim: Claim, failure: Failure, *, started: float) -> None:
    """Write a failed attempt into the ledger; if even that fails, the lease runs out and the sweep heals.

    Args:
        engine: the database.
        settings: with the first wait.
        claim: the attempt.
        failure: what went wrong.
        started: when the attempt began, by `time.monotonic`.
    """
    extra = {"job_id": claim.job_id, "reason": failure.reason}
    _log.warning("attempt failed", extra=extra, exc_info=failure.is_surprise)
    cost = {"wall_ms": round((time.monotonic() - started) * 1000), "peak_rss_kib": peak_rss_kib()}
    try:
        if failure.fate is Fate.DEAD:
            ledger.fail_dead(engine, claim, failure.reason, detail=failure.detail, **cost)
        else:
            retry_later(
                engine,
                claim,
                failure.reason,
                detail=failure.detail,
                is_transient=failure.fate is Fate.WAIT,
                backoff_s=settings.backoff_s,
                jitter=random.uniform(0.5, 1.0),  # noqa: S311 - spreads retries, guards nothing
                **cost,
            )
    except (DatabaseError, MemoryError) as error:
        _log.warning("outcome not recorded", extra={"job_id": claim.job_id, "error": str(error)})


def peak_rss_kib() -> int:
    """Return the most memory this process has held, in KiB (getrusage counts bytes on macOS)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
