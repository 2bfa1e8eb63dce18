"""Ends a worker that stopped taking work, so that its supervisor starts a fresh one; never judges a single job.

After a broker's restart a Celery consumer can fall silent for ever while its process looks well (measured 2026-11-22:
7 of 11 restarts with one combination of settings, and one crash in 24 with the defaults). So the verdict comes from
SQL and from the last message that this process received, not from what Celery says of itself.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from db.errors import DatabaseError
from db.waiting import Waiting

_log = logging.getLogger(__name__)
EXIT_STALLED = 70  # EX_SOFTWARE of sysexits.h: an internal fault, so start me again
_LOOKS = 10  # looks within the limit; a message may take one of these steps to be answered


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What a watchdog remembers between two looks, in seconds of one clock."""

    alive_at_s: float
    waiting_since_s: float | None = None

    def after(self, seen: Waiting, *, now_s: float, heard_at_s: float) -> Watch:
        """Return what is known after one more look.

        >>> idle = Waiting(is_working=False, n_queued=0, publish_age_s=None)
        >>> Watch(alive_at_s=1.0).after(idle, now_s=9.0, heard_at_s=5.0)
        Watch(alive_at_s=5.0, waiting_since_s=None)
        """
        alive_at_s = now_s if seen.is_working else max(self.alive_at_s, heard_at_s)
        if seen.n_queued == 0:
            return Watch(alive_at_s=alive_at_s)
        since_s = now_s if self.waiting_since_s is None else self.waiting_since_s
        return Watch(alive_at_s=alive_at_s, waiting_since_s=since_s)

    def is_stalled(self, seen: Waiting, *, now_s: float, limit_s: float) -> bool:
        """Say whether work has waited for `limit_s` and this worker neither heard nor did anything meanwhile.

        One message must have been published within that time and not have come: where the scheduler is down or the broker refuses
        its messages nothing is published, and a fresh worker would hear no more than this one.
        """
        if self.waiting_since_s is None or seen.publish_age_s is None:
            return False
        quiet_s = now_s - max(self.alive_at_s, self.waiting_since_s)
        return quiet_s >= limit_s and seen.publish_age_s < quiet_s


class Watchdog:
    """Looks ten times within its limit, and ends the process when it is stalled."""

    def __init__(
        self,
        look: Callable[[float], Waiting],
        *,
        limit_s: float,
        end: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Get ready; the limit begins now.

        Args:
            look: reads the ledger; takes how many seconds a message may go unanswered.
            limit_s: how long work may wait without a sign of life.
            end: ends the process.
            clock: seconds that never go back.
        """
        self._look = look
        self._limit_s = limit_s
        self._end = end
        self._clock = clock
        self._heard_at_s = clock()
        self._watch = Watch(alive_at_s=self._heard_at_s)
        self._looking = threading.Lock()

    def start(self) -> None:
        """Watch from a thread of its own until the process ends."""
        # A child that is forked in the middle of a look would inherit the locks that this thread holds just then.
        release = self._looking.release
        os.register_at_fork(before=self._looking.acquire, after_in_parent=release, after_in_child=release)
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def hear(self) -> None:
        """Note that a message has come."""
        self._heard_at_s = self._clock()

    def step(self) -> None:
        """Look once; end the process if it is stalled."""
        try:
            with self._looking:
                seen = self._look(self._limit_s / _LOOKS)
        except DatabaseError as error:
            # Nobody can work without the database, so the wait counts afresh once it is back.
            self._watch = Watch(alive_at_s=self._watch.alive_at_s)
            _log.warning("watchdog could not look", extra={"error": str(error)})
            return
        now_s = self._clock()
        self._watch = self._watch.after(seen, now_s=now_s, heard_at_s=self._heard_at_s)
        if self._watch.is_stalled(seen, now_s=now_s, limit_s=self._limit_s):
            _log.critical("worker takes no work, ending it", extra={"n_queued": seen.n_queued})
            self._end()

    def _run(self) -> None:
        while True:
            time.sleep(self._limit_s / _LOOKS)
            self.step()


def end_process(children: Iterable[int]) -> None:
    """Kill the idle pool processes and leave at once: a stalled main loop would answer no polite request."""
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os._exit(EXIT_STALLED)
