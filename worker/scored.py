"""Results that wait to be written together: one transaction, and each alone where that fails."""

from __future__ import annotations

import logging
import threading
import time

from db import ledger
from db.errors import DatabaseError, DatabaseUnavailable
from db.ledger import Ending
from db.reasons import Outcome, Reason
from db.rows import NewResult
from worker.attempt import Attempt
from worker.failures import peak_rss_kib, record
from worker.outcomes import failure_of
from worker.runtime import Runtime

_log = logging.getLogger(__name__)
WRITE_AFTER_S = 1.0
"""A result waits this long, and for the end of the job after it."""


class Scored:
    """The results of one process that are not written yet."""

    def __init__(self, here: Runtime) -> None:
        """Begin with none."""
        self._here = here
        self._waiting: dict[int, tuple[Attempt, Ending]] = {}
        self._since_s = 0.0
        self._writing = threading.Lock()

    def add(self, attempt: Attempt, result: NewResult) -> None:
        """Keep a result until it is written."""
        if not self._waiting:
            self._since_s = time.monotonic()
        attempt.stop_clock()
        ending = Ending(claim=attempt.claim, result=result, wall_ms=attempt.wall_ms, peak_rss_kib=peak_rss_kib())
        self._waiting[attempt.claim.job_id] = attempt, ending

    def has(self, job_id: int) -> bool:
        """Say whether a job's result waits here."""
        return job_id in self._waiting

    @property
    def is_due(self) -> bool:
        """Whether the oldest result has waited long enough."""
        return bool(self._waiting) and time.monotonic() - self._since_s >= WRITE_AFTER_S

    def write(self) -> list[int]:
        """Write what waits, and tell what became of each; gives the ids of the jobs that wait no more."""
        with self._writing:
            waiting = list(self._waiting.values())
            if waiting and not self._write_all(waiting):
                self._write_each(waiting)
            for attempt, _ in waiting:
                self._waiting.pop(attempt.claim.job_id, None)
        return [attempt.claim.job_id for attempt, _ in waiting]

    def _write_all(self, waiting: list[tuple[Attempt, Ending]]) -> bool:
        began_s = time.monotonic()
        try:
            ours = ledger.finish_together(self._here.engine, [ending for _, ending in waiting])
        except (DatabaseError, MemoryError) as error:
            _log.warning("results are written one by one", extra={"n_jobs": len(waiting), "error": str(error)})
            return False
        share_s = (time.monotonic() - began_s) / len(waiting)
        for attempt, ending in waiting:
            attempt.watch.seconds["finish"] = share_s
            _tell(attempt, ending, is_ours=attempt.claim.job_id in ours)
        return True

    def _write_each(self, waiting: list[tuple[Attempt, Ending]]) -> None:
        is_away = False
        for attempt, ending in waiting:
            if is_away:  # each try would wait for the server; the leases run out as after any outage
                attempt.tell_failure(Outcome.RETRY, Reason.DATABASE_UNAVAILABLE)
                continue
            try:
                with attempt.measure("finish"):
                    ours = ledger.finish_together(self._here.engine, [ending])
            except (DatabaseError, MemoryError) as error:
                record(self._here.engine, self._here.settings, attempt, failure_of(error))
                is_away = isinstance(error, DatabaseUnavailable)
            else:
                _tell(attempt, ending, is_ours=bool(ours))


def _tell(attempt: Attempt, ending: Ending, *, is_ours: bool) -> None:
    if is_ours:
        attempt.tell_result(ending.result)
    else:
        attempt.tell_lost()
