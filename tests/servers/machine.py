"""What test servers need from the machine: folders, ports, users, programs; never starts a process."""

import contextlib
import ctypes
import os
import pwd
import random
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
FOLDER_PREFIX = "tonalog-servers-"
PORTS_FILE = "ports"
# Below Linux's ephemeral range (32768 and up): while a killed server is down, no outgoing connection can be
# given its port, so that it can always come back on it.
PORT_RANGE = range(12_000, 32_000)
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class MissingServerError(Exception):
    """No program for this server on PATH nor in an installed wheel; the message says what to install."""


def environment() -> dict[str, str]:
    """This process's environment without proxies: servers talk to themselves over loopback."""
    return {name: value for name, value in os.environ.items() if name.lower() not in PROXY_VARIABLES}


def new_folder(name: str) -> Path:
    """A fresh folder directly under the system's temporary folder, readable by the user that the server runs as."""
    remove_stale_folders()
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-{name}-"))
    folder.chmod(0o755)
    return folder


def remove_own_folders() -> None:
    """Remove every folder that this process made."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}{os.getpid()}-*"):
        remove_folder(folder)


def remove_stale_folders() -> None:
    """Remove folders of test runs that are gone: a killed run cannot remove its own."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        owner = folder.name.removeprefix(FOLDER_PREFIX).split("-", 1)[0]
        if owner.isdigit() and not is_alive(int(owner)):
            remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a server's folder, and the sockets that SeaweedFS always puts into /tmp, named by its ports."""
    with contextlib.suppress(OSError):
        for port in (folder / PORTS_FILE).read_text().split():
            for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                socket_file.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def is_alive(process_id: int) -> bool:
    """Whether a process with this id runs; one that ended and that nobody reaps (PID 1 of a container) does not."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):
        # The state follows the last parenthesis: a program's name may hold any character (proc(5)).
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
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
    return pwd.getpwuid(user_id).pw_gid


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` that makes the kernel send `number` when the test run ends, however it ends (Linux only)."""
    libc = _LIBC
    if libc is None:
        return None

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)

    return ask_kernel


def find_program(name: str) -> str | None:
    """A program on PATH, unless TONALOG_TEST_SERVERS=wheels asks for what a machine without servers would use."""
    return None if only_wheels() else shutil.which(name)


def only_wheels() -> bool:
    """Whether the wheels' programs are to be used even where the machine has its own."""
    return os.environ.get("TONALOG_TEST_SERVERS") == "wheels"
