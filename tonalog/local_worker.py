"""Run a worker process beside this one and start it again when it dies; the supervisor of `tonalog run`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from config.settings import Settings
from tonalog.errors import TonalogError

_STOP_S = 20.0
_MAX_RESTARTS = 20
_TAIL_BYTES = 4096
# From outside: a worker that was killed while it started may well start the next time.
_KILLED = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)


class WorkerCannotStart(TonalogError):
    """The worker process ended by itself before it was ready for its first job, and would do so again."""


class WorkerKeepsDying(TonalogError):
    """The worker process exited more often than bad luck explains; its log says why."""


class LocalWorker:
    """A supervised `tonalog worker`; its log is `worker.log` in the home folder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log_path = settings.home.resolve() / "worker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._n_restarts = 0
        self._ready: FileIO | None = None
        self._log_starts_at = 0

    def __enter__(self) -> Self:
        self._process = self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._ready is not None
        if self._process.poll() is None:
            self._process.terminate()
        try:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)
        finally:  # a second Ctrl-C waits no longer
            self._process.kill()
            self._process.wait()
            self._ready.close()

    def keep_alive(self) -> bool:
        """Start the worker again if it is gone; say whether that happened.

        Raises:
            WorkerCannotStart: It ended by itself without having been ready for work.
            WorkerKeepsDying: It has been started 20 times.
        """
        if self._process is None or self._process.poll() is None:
            return False
        code = self._process.returncode
        if not self._was_ready() and code not in _KILLED:
            reason = _last_line(self._log_path, self._log_starts_at)
            raise WorkerCannotStart(f"The worker cannot start (code {code}): {reason} Its log is {self._log_path}.")
        self._n_restarts += 1
        if self._n_restarts > _MAX_RESTARTS:
            raise WorkerKeepsDying(
                f"The worker exited {self._n_restarts} times (last code {code}); see {self._log_path}."
            )
        self._process = self._start()
        return True

    def _start(self) -> subprocess.Popen[bytes]:
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        self._ready = FileIO(read_end)
        with _open_log(self._log_path) as log:
            self._log_starts_at = log.tell() if log.seekable() else 0
            try:
                return subprocess.Popen(
                    # -P: the working folder may hold other people's files, and `-m` would import from it.
                    [sys.executable, "-P", "-m", "tonalog", "worker", f"--supervised={write_end}"],
                    env={**os.environ, **self._settings.as_environment()},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[write_end],
                )
            finally:
                os.close(write_end)

    def _was_ready(self) -> bool:
        assert self._ready is not None
        with self._ready as pipe:
            return bool(pipe.read(1))


def _open_log(path: Path) -> FileIO:
    """Open the log for its owner only, and without waiting, should there be a pipe.

    Raises:
        TonalogError: it cannot be written.
    """
    try:
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise TonalogError(f"The worker's log {path} cannot be written ({error.strerror}): remove it.") from error
    os.set_blocking(log, True)
    return FileIO(log, "ab")


def _last_line(log: Path, start: int) -> str:
    """Return the last line that was written to a log after a position, as a sentence."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(start, size - _TAIL_BYTES))
        lines = file.read(_TAIL_BYTES).decode(errors="backslashreplace").split("\n")
    line = next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")
    return line if line.endswith(".") else f"{line}."
