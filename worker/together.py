"""Score several claimed jobs one after the other, and write their results in one transaction.

What befalls one recording befalls no other: a result that is refused, a lost lease, an erasure. If the process dies, the leases
of all of them run out, and what has not been written is scored again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from db import ledger, waiting
from db.errors import DatabaseError
from db.reasons import Lane
from db.rows import Claim
from telemetry import traces
from worker.attempt import Attempt
from worker.job import fetch, hold, record_stuck, score_opened
from worker.lease import Lease
from worker.model_time import ModelTime
from worker.prefetch import Prefetch
from worker.runtime import Runtime
from worker.scored import Scored

_log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.1
"""How often it is asked, between two bulk jobs, whether nightly work waits."""

Guard = Callable[[Runtime, Attempt, ModelTime, Callable[[], None]], bool]
"""Runs one attempt and records what it raises; gives False where the process was told to stop."""


@dataclass
class Together:
    """Claimed jobs that a process scores in one go.

    Attributes:
        here: of this process.
        left: the claims that have not been begun, in order.
        guard: runs each attempt.
        new_model_time: makes what counts the model's time of an attempt.
        scored: results that wait for their transaction.
    """

    here: Runtime
    left: list[Claim]
    guard: Guard
    new_model_time: Callable[[], ModelTime]
    scored: Scored = field(init=False)
    _present: tuple[Attempt, ModelTime] | None = None
    _look_at_s: float = 0.0

    def __post_init__(self) -> None:
        self.scored = Scored(self.here)

    def score_until(self, stop_at_s: float) -> None:
        """Score them, the first one in any case.

        Those that are not begun at a moment of `time.monotonic` are handed back; of bulk jobs also those that are not begun
        when an upload or a nightly job waits in the queue.
        """
        claims = list(self.left)
        with (
            Prefetch(claims, partial(fetch, self.here)) as prefetch,
            hold(self.here, claims, record_stuck=self._end_stuck) as lease,
        ):
            try:
                while self.left and (len(self.left) == len(claims) or self._may_begin(stop_at_s)):
                    if not self._try(self.left.pop(0), prefetch, lease):
                        break
                    if self.scored.is_due:
                        lease.drop(self.scored.write())
            finally:
                lease.drop(self.scored.write())
                self._hand_back()

    def _may_begin(self, stop_at_s: float) -> bool:
        now_s = time.monotonic()
        if self.left[0].lane is not Lane.BULK or now_s < self._look_at_s:
            return now_s < stop_at_s
        self._look_at_s = now_s + LOOK_EVERY_S
        try:
            return now_s < stop_at_s and not waiting.is_before_bulk(self.here.engine)
        except DatabaseError:  # whoever writes next records it
            return True

    def _try(self, claim: Claim, prefetch: Prefetch, lease: Lease) -> bool:
        tried, model_time = Attempt(claim), self.new_model_time()
        self._present = tried, model_time
        lease.turn_to(claim.job_id)
        with traces.span("attempt", job_id=claim.job_id, **tried.ids):
            may_go_on = self.guard(
                self.here, tried, model_time, lambda: self._score(tried, model_time, prefetch, lease)
            )
        if not self.scored.has(claim.job_id):
            lease.drop([claim.job_id])
        return may_go_on

    def _score(self, tried: Attempt, model_time: ModelTime, prefetch: Prefetch, lease: Lease) -> None:
        with tried.measure("load"), model_time.spend():
            scorer = self.here.scorer_of(tried.claim.model)
        with tried.measure("fetch"):
            opened = prefetch.take(tried.claim.job_id)
        with opened:
            result = score_opened(self.here, tried, model_time, scorer=scorer, opened=opened, lease=lease)
        lease.check()
        self.scored.add(tried, result)

    def _end_stuck(self, busy_s: float) -> None:
        """Record that the present job is stuck; the others are written or handed back before the process ends."""
        if self._present is not None:
            record_stuck(self.here, *self._present, busy_s=busy_s)
        self.scored.write()
        self._hand_back()

    def _hand_back(self) -> None:
        claims, self.left = self.left, []
        if claims:
            try:
                ledger.release_together(self.here.engine, claims)
            except DatabaseError as error:
                _log.warning("jobs not handed back", extra={"n_jobs": len(claims), "error": str(error)})
