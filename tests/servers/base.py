"""One server process of a test run: start, stop, kill, freeze, restart; never outlives the process that started it."""

import atexit
import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
START_TIMEOUT_S = 60.0  # a cold SeaweedFS on two busy cores needs about ten
STOP_TIMEOUT_S = 15.0
FOLDER_PREFIX = "tonalog-servers-"
# Below Linux's ephemeral range (32768 and up): while a killed server is down, no outgoing connection can be
# given its port, so that it can always come back on it.
PORT_RANGE = range(12_000, 32_000)
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_running: list["Server"] = []
_owner = os.getpid()


class MissingServerError(Exception):
    """No program for this server on PATH nor in an installed wheel; the message says what to install."""


class ServerStartError(Exception):
    """The server did not answer in time; the message ends with the last lines of its log."""


class Server:
    """A server program with its own folder and its own loopback ports.

    Subclasses say which command to run and when it is ready. `start` after `kill` uses the same ports and the same
    data, so a client sees what it would see when a supervisor restarts a crashed server.
    """

    name: ClassVar[str] = "server"
    parent_death_signal: ClassVar[signal.Signals] = signal.SIGKILL
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, *, n_ports: int = 1) -> None:
        self.folder = new_folder(self.name)
        self.ports = find_free_ports(n_ports)
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
        shutil.rmtree(self.folder, ignore_errors=True)

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _is_ready(self) -> bool:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name.lower() not in PROXY_VARIABLES}

    def _launch(self) -> None:
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own argument list, no shell
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
                preexec_fn=die_with_parent(self.parent_death_signal),
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


def new_folder(name: str) -> Path:
    """A fresh folder directly under the system's temporary folder, readable by the user that the server runs as."""
    remove_stale_folders()
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-{name}-"))
    folder.chmod(0o755)
    return folder


def remove_stale_folders() -> None:
    """Remove folders of test runs that are gone: a killed run cannot remove its own."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        owner = folder.name.removeprefix(FOLDER_PREFIX).split("-", 1)[0]
        if owner.isdigit() and not is_alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def is_alive(process_id: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def find_free_ports(n: int) -> list[int]:
    """`n` different TCP ports that nobody listens on at 127.0.0.1, outside the ephemeral range."""
    choose = random.SystemRandom()  # ports must differ between test runs, so no seed
    ports: list[int] = []
    while len(ports) < n:
        port = choose.choice(PORT_RANGE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def group_of(user_id: int) -> int:
    """Primary group of a user."""
    import pwd  # noqa: PLC0415 - POSIX only

    return pwd.getpwuid(user_id).pw_gid


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` that makes the kernel send `number` when the test run ends, however it ends (Linux only)."""
    libc = _LIBC
    if libc is None:
        return None

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)

    return ask_kernel


@atexit.register
def remove_all() -> None:
    """Kill what is still running and remove this run's folders when the interpreter ends (not in its forks)."""
    if os.getpid() != _owner:
        return
    for server in list(_running):
        server.close()
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}{_owner}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def find_program(name: str) -> str | None:
    """A program on PATH, unless TONALOG_TEST_SERVERS=wheels asks for what a machine without servers would use."""
    return None if only_wheels() else shutil.which(name)


def only_wheels() -> bool:
    """Whether the wheels' programs are to be used even where the machine has its own."""
    return os.environ.get("TONALOG_TEST_SERVERS") == "wheels"
