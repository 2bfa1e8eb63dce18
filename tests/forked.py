"""Runs `tonalog` in forks of a process that has imported it already: half a second less for each command of a test.

As a script it is that process, which is told over a socket what to run. A command has arguments, environment, folder, umask, output
and exit code of its own; what has to start as Python starts (locales, `-m`, a working folder of other people's files) is not for this.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRELOADED = (
    "tonalog.cli",
    "tonalog.screen",
    "tonalog.local_run",
    "tonalog.intake_options",
    "alembic.command",
    "redis",
    "psycopg",
)
MAX_REQUEST_BYTES = 1 << 20
WITHIN_S = 30.0


@functools.cache
def _connect() -> socket.socket:
    """Start the process that forks, once for a run of tests; it ends when this end of the socket is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, __file__, str(theirs.fileno())]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TONALOG_")}
    forking = subprocess.Popen(command, cwd=ROOT, env=clean, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    theirs.close()
    atexit.register(lambda: (ours.close(), forking.wait(WITHIN_S)))
    return ours


def run(
    arguments: Sequence[str], *, environment: dict[str, str], folder: Path, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run `tonalog` to its end and return what it printed, as `subprocess.run` does.

    Raises:
        TimeoutExpired: it took longer; it has been killed.
    """
    umask = os.umask(0)
    os.umask(umask)
    asked = {"arguments": arguments, "environment": environment, "folder": str(folder), "umask": umask}
    connection = _connect()
    pipes = [os.pipe(), os.pipe()]
    socket.send_fds(connection, [json.dumps(asked).encode()], [end for _, end in pipes])
    for _, end in pipes:
        os.close(end)
    pid = int(connection.recv(MAX_REQUEST_BYTES))
    try:
        printed = _read_to_end([end for end, _ in pipes], deadline_s=time.monotonic() + timeout_s)
    except TimeoutError:
        os.kill(pid, signal.SIGKILL)
        connection.recv(MAX_REQUEST_BYTES)
        raise subprocess.TimeoutExpired(arguments, timeout_s) from None
    finally:
        for end, _ in pipes:
            os.close(end)
    code = int(connection.recv(MAX_REQUEST_BYTES))
    return subprocess.CompletedProcess(arguments, code, *(content.decode() for content in printed))


def _read_to_end(ends: list[int], *, deadline_s: float) -> list[bytes]:
    """Read pipes until nobody holds their other ends.

    Raises:
        TimeoutError: somebody still held one.
    """
    found = dict.fromkeys(ends, b"")
    with selectors.DefaultSelector() as waiting:
        for end in ends:
            waiting.register(end, selectors.EVENT_READ)
        while waiting.get_map():
            for key, _ in waiting.select(max(0.0, deadline_s - time.monotonic())) or _raise_timeout():
                if block := os.read(key.fd, 1 << 16):
                    found[key.fd] += block
                else:
                    waiting.unregister(key.fd)
    return list(found.values())


def _raise_timeout() -> list[tuple[selectors.SelectorKey, int]]:
    raise TimeoutError


def serve(connection: socket.socket) -> None:
    """Fork for each request, and tell the process id and then the exit code; in a fork it returns to run the command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which close the socket
    while True:
        request, ends, _, _ = socket.recv_fds(connection, MAX_REQUEST_BYTES, 2)
        if not request:
            sys.exit(0)
        pid = os.fork()
        if pid == 0:
            connection.close()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            become(json.loads(request), array.array("i", ends).tolist())
            return
        for end in ends:
            os.close(end)
        connection.send(str(pid).encode())
        connection.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def become(asked: dict[str, object], ends: list[int]) -> None:
    """Make this process what was asked for."""
    for target, end in enumerate(ends, start=1):
        os.dup2(end, target)
        os.close(end)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115 - as Python's own
    os.environ.clear()
    os.environ.update(asked["environment"])  # type: ignore[call-overload]
    os.chdir(str(asked["folder"]))
    os.umask(int(str(asked["umask"])))
    sys.argv = ["tonalog", *asked["arguments"]]  # type: ignore[misc]


def run_tonalog() -> int:
    """Run the command of `sys.argv` and return its exit code; what it does not catch is shown as Python would."""
    from tonalog.__main__ import main  # noqa: PLC0415 - sees the environment of the command

    try:
        main()
    except SystemExit as told:
        return told.code if isinstance(told.code, int) else int(told.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def end_with(code: int) -> None:
    """End as an interpreter does, but without taking all apart that was imported, which takes half of the time."""
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            thread.join()
    atexit._run_exitfuncs()  # coverage writes what it has seen
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # as `python -m tonalog` has it in this folder
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    with contextlib.closing(socket.socket(fileno=int(sys.argv[1]))) as told:
        serve(told)
    end_with(run_tonalog())
