"""Ends a scheduler that stopped sweeping, so that its supervisor starts a fresh one; never judges what a sweep did.

A sweep comes from beat, a process of its own, through the broker to this process: either may fall silent for ever while
the main process looks well (a killed beat is not started again: measured).
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

_log = logging.getLogger(__name__)
EXIT_STALLED = 70  # EX_SOFTWARE of sysexits.h, as the worker's watchdog uses it
_LOOKS = 10  # looks within the limit


class Watchdog:
    """Ends the process when no sweep has begun for `limit_s`; a sweep that fails has begun as well.

    >>> now_s, ends = [0.0], []
    >>> dog = Watchdog(limit_s=10.0, end=lambda: ends.append(now_s[0]), clock=lambda: now_s[0])
    >>> for now_s[0] in (8.0, 16.0):
    ...     dog.step()
    ...     dog.hear()
    >>> ends
    []
    >>> now_s[0] = 27.0
    >>> dog.step()
    >>> ends
    [27.0]
    """

    def __init__(self, *, limit_s: float, end: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s = limit_s
        self._end = end
        self._clock = clock
        self._heard_at_s = clock()

    def start(self) -> None:
        """Watch from a thread of its own until the process ends; the limit begins now."""
        self.hear()
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def hear(self) -> None:
        """Note that a sweep has begun."""
        self._heard_at_s = self._clock()

    def step(self) -> None:
        """Look once; end the process if it is stalled."""
        if self._clock() - self._heard_at_s > self._limit_s:
            _log.critical("scheduler does not sweep, ending it", extra={"limit_s": self._limit_s})
            self._end()

    def _run(self) -> None:
        while True:
            time.sleep(self._limit_s / _LOOKS)
            self.step()


def end_process(children: Iterable[int]) -> None:
    """Kill beat and leave at once: a stalled main loop would answer no polite request."""
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os._exit(EXIT_STALLED)
