"""Processes that are started again whenever they end, as `restart: unless-stopped` does; they die as containers do."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESTART_AFTER_S = 0.2
STOP_GRACE_S = 30.0
READY = b" ready."  # the end of what Celery says then


class Supervised:
    """One long-running command in a session of its own.

    When its main process ends, whatever it leaves behind is killed before the next one starts: in a container nothing
    outlives the first process.
    """

    def __init__(self, name: str, command: list[str], *, variables: dict[str, str], log: Path) -> None:
        self.name = name
        self.exit_codes: Counter[int] = Counter()
        self._command = command
        self._variables = variables
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._ended_at_s: float | None = None
        self._kill_at_s: float | None = None
        self._log_start = 0
        self._is_ready = False

    def start(self) -> None:
        """Start the command."""
        # Without coverage, which makes processes of ours take some 40 % more processor time; the floor holds without these.
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TONALOG_", "COVERAGE_"))}
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._command,
                env={**clean, **self._variables},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._ended_at_s = self._kill_at_s = None
        self._is_ready = False

    def keep_alive(self) -> None:
        """Start the command again if it is gone; kill it if it was asked to stop and takes too long."""
        process = self._process
        assert process is not None
        now_s = time.monotonic()
        if process.poll() is None:
            if self._kill_at_s is not None and now_s > self._kill_at_s:
                self.kill_tree()
            return
        if self._ended_at_s is None:
            self._ended_at_s = now_s
            self.exit_codes[process.returncode] += 1
            self.kill_tree()
        elif now_s - self._ended_at_s > RESTART_AFTER_S:
            self.start()

    def kill_tree(self) -> None:
        """Kill every process of the session at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)

    def ask(self, number: signal.Signals) -> None:
        """Ask the main process to stop, as `docker stop` or Ctrl-C does; `keep_alive` kills it after the grace period."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)
        self._kill_at_s = time.monotonic() + STOP_GRACE_S

    def wait(self, limit_s: float) -> int:
        """Wait for the main process to end and return its exit code.

        Raises:
            TimeoutExpired: it still runs.
        """
        assert self._process is not None
        return self._process.wait(limit_s)

    def signal_child(self, number: signal.Signals, rng: random.Random) -> int | None:
        """Send a signal to one child of the main process; return its pid, None where there is none."""
        children = self.children()
        if not children:
            return None
        victim = rng.choice(children)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, number)
        return victim

    @property
    def pid(self) -> int:
        """The main process; after it was started again, another one."""
        return self._pid

    @property
    def is_alive(self) -> bool:
        """Whether the main process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether the process that runs now has said that it takes work."""
        if not self._is_ready and self._process is not None and self._process.poll() is None:
            with self._log.open("rb") as log:
                log.seek(self._log_start)
                self._is_ready = READY in log.read()
        return self._is_ready and self._ended_at_s is None

    def children(self) -> list[int]:
        """Process ids of the main process's children, whichever of its threads started them."""
        found: list[int] = []
        for thread in Path(f"/proc/{self._pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, thread.read_text().split())
        return sorted(found)

    def close(self) -> None:
        """Kill whatever is left and wait for the main process."""
        if self._process is not None:
            self.kill_tree()
            self._process.wait()

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid
