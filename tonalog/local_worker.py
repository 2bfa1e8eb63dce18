"""Run a worker process beside this one and start it again when it dies; the supervisor of `tonalog run`."""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType
from typing import Self

from config.settings import Settings
from tonalog.errors import TonalogError

_STOP_S = 20.0
_MAX_RESTARTS = 20


class WorkerKeepsDying(TonalogError):
    """The worker process exited more often than bad luck explains; its log says why."""


class LocalWorker:
    """A supervised `tonalog worker`; its log is `worker.log` in the home folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log_path = settings.home.resolve() / "worker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._n_restarts = 0

    def __enter__(self) -> Self:
        self._process = self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def keep_alive(self) -> bool:
        """Start the worker again if it is gone; say whether that happened.

        Raises:
            WorkerKeepsDying: It has been started 20 times.
        """
        if self._process is None or self._process.poll() is None:
            return False
        self._n_restarts += 1
        if self._n_restarts > _MAX_RESTARTS:
            raise WorkerKeepsDying(
                f"The worker exited {self._n_restarts} times (last code {self._process.returncode}); see {self._log_path}."
            )
        self._process = self._start()
        return True

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log_path.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tonalog", "worker", "--exit-with-parent"],
                env={**os.environ, **self._settings.as_environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
