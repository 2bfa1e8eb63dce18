"""Hold the leases of the jobs that this process has claimed, and end the process where one of them is stuck."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from db import Engine, ledger
from db.errors import DatabaseError
from db.rows import Claim

_log = logging.getLogger(__name__)
EXIT_STUCK = 70  # EX_SOFTWARE of sysexits.h


class LeaseLost(Exception):
    """Another worker owns the job by now; this attempt must write nothing."""


class Lease(AbstractContextManager["Lease"]):
    """Renews claims in the background, all in one statement, and says whether one is still held; ends a process that is stuck.

    Celery starts another one, and its neighbours notice nothing. A decoder, or an operator of a graph, that is busy inside
    native code hears no time limit. So processor time without progress is counted, which neither a machine that sleeps nor
    slow storage spends.
    """

    def __init__(
        self,
        engine: Engine,
        claims: Sequence[Claim],
        *,
        lease_s: float,
        heartbeat_s: float,
        stuck_s: float,
        record_stuck: Callable[[float], None],
    ) -> None:
        self._engine = engine
        self._tokens = {claim.job_id: claim.token for claim in claims}
        self._job_id = claims[0].job_id
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._stuck_s = stuck_s
        self._record_stuck = record_stuck
        self._progress_at_s = time.process_time()
        self._stop = threading.Event()
        self._lost: set[int] = set()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def turn_to(self, job_id: int) -> None:
        """Note which of the jobs is worked on from now on."""
        self._job_id = job_id
        self._progress_at_s = time.process_time()

    def drop(self, job_ids: Collection[int]) -> None:
        """Renew no more what has ended or was handed back."""
        self._tokens = {job_id: token for job_id, token in self._tokens.items() if job_id not in job_ids}

    def check(self) -> None:
        """Note that there was progress; raise `LeaseLost` if a heartbeat found the job in other hands."""
        self._progress_at_s = time.process_time()
        if self._job_id in self._lost:
            raise LeaseLost(f"job {self._job_id} is no longer ours")

    def _renew(self) -> None:
        while not self._stop.wait(self._heartbeat_s):
            busy_s = time.process_time() - self._progress_at_s
            if busy_s > self._stuck_s:
                _log.error("job is stuck, ending its process", extra={"job_id": self._job_id})
                self._record_stuck(busy_s)
                os._exit(EXIT_STUCK)
            tokens = self._tokens
            if not tokens:
                continue
            try:
                held = ledger.heartbeat_together(self._engine, tokens, lease_s=self._lease_s)
            except (DatabaseError, MemoryError) as error:
                # The lease may outlive a short outage; if it does not, `finish` finds the token gone.
                _log.warning("heartbeat failed", extra={"job_id": self._job_id, "error": str(error)})
                continue
            gone = set(tokens) - held
            self._lost |= gone
            self.drop(gone)
