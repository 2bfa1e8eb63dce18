"""Publishes between ticks: as soon as workers have taken a part of what waits in the queue, as often as they need it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from db.pump import Outstanding
from scheduler.publish import PublishResult

_log = logging.getLogger(__name__)
REFILL_SHARE = 0.25
"""The queue is filled up again once so much of the cap was taken: few transactions, and never an empty queue."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0
REFUSED_WAIT_S = 10.0
"""After an error, and where the broker takes nothing."""
_GROWTH = 1.5


class PumpLoop:
    """A thread that looks how much of the queue was taken and publishes again; without work it sleeps until a tick finds some.

    A look is one count by an index. When the next one is follows from how fast jobs were taken since the last publishing.
    """

    def __init__(
        self,
        look: Callable[[], Outstanding],
        publish: Callable[[], PublishResult],
        *,
        queue_cap: int,
        has_work: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the loop; `start` begins it.

        Args:
            look: counts what is published and has not ended.
            publish: fills the queue up.
            queue_cap: how many jobs may be outstanding.
            has_work: is set by whoever found something due; the loop takes it back once nothing is.
            clock: seconds that only go on.
        """
        self._look = look
        self._publish = publish
        self._cap = queue_cap
        self._n_refill = max(1, int(queue_cap * REFILL_SHARE))
        self._has_work = has_work
        self._clock = clock
        self._n_filled = 0
        self._filled_at_s = clock()
        self._wait_s = SHORTEST_WAIT_S

    def start(self) -> None:
        """Begin, and go on until the process ends."""
        threading.Thread(target=self._run, name="pump", daemon=True).start()

    def step(self) -> float:
        """Look once, publish where that is due, and give the seconds until the next look."""
        now = self._look()
        n_taken = self._n_filled - now.n_queued
        if now.n_queued > 0 and n_taken < self._n_refill:
            return self._wait_for(n_taken, n_left=min(self._n_refill - n_taken, now.n_queued / 2))
        self._has_work.clear()  # before it is asked, so that what a tick finds meanwhile is not forgotten
        published = self._publish()
        after = self._look()
        self._n_filled, self._filled_at_s = after.n_queued, self._clock()
        if published.n_due or after.n_queued or after.n_outstanding >= self._cap:
            self._has_work.set()
        if published.n_due and not published.n_sent:
            return REFUSED_WAIT_S
        self._wait_s = SHORTEST_WAIT_S if published.n_due else min(self._wait_s * _GROWTH, LONGEST_WAIT_S)
        return self._wait_s

    def _wait_for(self, n_taken: int, *, n_left: float) -> float:
        self._wait_s = min(self._wait_s * _GROWTH, LONGEST_WAIT_S)
        if n_taken <= 0:
            return self._wait_s
        s_per_job = (self._clock() - self._filled_at_s) / n_taken
        return min(max(s_per_job * n_left, SHORTEST_WAIT_S), LONGEST_WAIT_S)

    def _run(self) -> None:
        while True:
            self._has_work.wait()
            try:
                wait_s = self.step()
            except Exception as error:  # noqa: BLE001 - the thread goes on, whatever one look met
                _log.warning("pump waits", extra={"error": type(error).__name__})
                self._has_work.set()
                wait_s = REFUSED_WAIT_S
            time.sleep(wait_s)
