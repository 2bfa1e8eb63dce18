"""One server process of a test run: start, stop, kill, freeze, restart; never outlives the run that started it."""

import atexit
import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import ClassVar

from servers.machine import (
    PORTS_FILE,
    die_with_parent,
    environment,
    find_free_ports,
    group_of,
    new_folder,
    remove_folder,
    remove_own_folders,
)

START_TIMEOUT_S = 60.0  # a cold SeaweedFS on two busy cores needs about ten
STOP_TIMEOUT_S = 15.0

_running: list["Server"] = []
_owner = os.getpid()


class ServerStartError(Exception):
    """The server did not answer in time; the message ends with the last lines of its log."""


class Server:
    """A server program with its own folder and its own loopback ports.

    Subclasses say which command to run and when it is ready. `start` after `kill` uses the same ports and the same
    data, so a client sees what it would see when a supervisor restarts a crashed server. Start servers from the main
    thread: the kernel ends them with the thread that started them.
    """

    name: ClassVar[str] = "server"
    parent_death_signal: ClassVar[signal.Signals] = signal.SIGKILL
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, *, n_ports: int = 1) -> None:
        self.folder = new_folder(self.name)
        self.ports = find_free_ports(n_ports)
        (self.folder / PORTS_FILE).write_text(" ".join(map(str, self.ports)))
        self.user_id: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The port that clients use."""
        return self.ports[0]

    @property
    def pid(self) -> int:
        """Process id of the running server; raises RuntimeError when it is not running."""
        if self._process is None:
            message = f"{self.name} is not running"
            raise RuntimeError(message)
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """Where the server's own output goes, over all its lives."""
        return self.folder / "server.log"

    def is_running(self) -> bool:
        """Whether the process is alive (a frozen one is)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process and return once it answers; does nothing when it is running.

        Raises:
            ServerStartError: it ended, or did not answer within START_TIMEOUT_S.
        """
        if self.is_running():
            return
        deadline_s = time.monotonic() + START_TIMEOUT_S
        self._launch()
        while not self._is_ready():
            if time.monotonic() > deadline_s:
                self.kill()
                raise ServerStartError(self._explain("did not answer in time"))
            if not self.is_running():
                # A server that was killed a moment ago may still hold a lock or a port: trying again is what a
                # supervisor does.
                time.sleep(0.2)
                if time.monotonic() > deadline_s - START_TIMEOUT_S / 2:
                    raise ServerStartError(self._explain("ended while starting"))
                self._launch()
            time.sleep(0.03)

    def stop(self) -> None:
        """Ask the server to end and wait; kills it after STOP_TIMEOUT_S."""
        self._signal_and_wait(self.stop_signal)

    def kill(self) -> None:
        """End the server at once, as a crash would (SIGKILL)."""
        self._signal_and_wait(signal.SIGKILL)

    def restart(self) -> None:
        """Stop, then start on the same ports and the same data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the process (SIGSTOP): connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill the server and remove its folder; safe to call twice."""
        self.kill()
        remove_folder(self.folder)

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return environment()

    def _launch(self) -> None:
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C in the test run must not end it before the fixtures do
                user=self.user_id,
                group=self.user_id and group_of(self.user_id),
                extra_groups=None if self.user_id is None else [],
                preexec_fn=die_with_parent(self.parent_death_signal),  # noqa: PLW1509 - one C call, no lock
            )
        if self not in _running:
            _running.append(self)

    def _signal_and_wait(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if self in _running:
            _running.remove(self)
        if process is None or process.poll() is not None:
            return
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)  # a frozen process acts on nothing but SIGKILL
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
        if process.poll() is None:
            process.kill()
            process.wait()

    def _explain(self, what: str) -> str:
        tail = self.log_path.read_text(errors="replace").splitlines()[-20:]
        return "\n".join([f"{self.name} {what}: {' '.join(self._command())}", *tail])


@atexit.register
def remove_all() -> None:
    """Kill what is still running and remove this run's folders when the interpreter ends (not in its forks)."""
    if os.getpid() != _owner:
        return
    while _running:
        _running[0].close()
    remove_own_folders()
