"""Finishes erasures in the background: a request begins one, and removing objects may take longer than an app waits."""

import logging
import threading
from collections.abc import Callable

from db.tenancy import every_tenant

_log = logging.getLogger(__name__)
RETRY_S = 60.0


class Eraser:
    """One thread that carries out what erasures have begun, again every minute until nothing is left."""

    def __init__(self, carry_out: Callable[[], int], *, retry_s: float = RETRY_S) -> None:
        """Take what removes objects.

        Args:
            carry_out: removes the objects of all erasures that were begun and gives how many are left.
            retry_s: how long to wait where some were left.
        """
        self._carry_out = carry_out
        self._retry_s = retry_s
        self._has_work = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="eraser", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier process may have left."""
        self._has_work.set()
        self._thread.start()

    def stop(self) -> None:
        """End after the erasure that is under way; what is left is finished by the next process or by `tonalog erase`."""
        self._is_over.set()
        self._has_work.set()
        self._thread.join()

    def wake(self) -> None:
        """Say that an erasure was begun."""
        self._has_work.set()

    def _work(self) -> None:
        is_done = True
        while True:
            self._has_work.wait(None if is_done else self._retry_s)
            self._has_work.clear()
            if self._is_over.is_set():
                return
            is_done = self._is_done()

    def _is_done(self) -> bool:
        try:
            with every_tenant():
                return self._carry_out() == 0
        except Exception as error:  # noqa: BLE001 - a store or database that is down now may be up in a minute
            _log.warning("erasures wait", extra={"error": type(error).__name__, "retry_s": self._retry_s})
            return False
