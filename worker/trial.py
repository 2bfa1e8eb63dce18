"""Try a bundle that nobody knows yet in a confined process, which it may bring down or hold up as it likes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from config.plain_text import printable
from worker.scoring.bundle_files import BundleError
from worker.solitary import describe_end

TIME_S = 60
"""The shipped model takes 3 s, nearly all of it to start; with a slower model a night would take hours."""
_MAX_ANSWER_BYTES = 1 << 16
_MAX_REASON = 400
# Nothing else of the environment: it holds the passwords of stores and databases.
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONSAFEPATH", "PYTHONUTF8", "TZ")


def require_runnable(folder: Path, sha256: str, *, memory_mib: int, time_s: int = TIME_S) -> None:
    """Build and run a bundle in a process of its own, with bounded memory and time and without our environment.

    Args:
        folder: of the bundle.
        sha256: of the bundle as it was loaded here, so that what was tried is what is registered.
        memory_mib: what it may take, in MiB.
        time_s: how long it may take, whole seconds, of the clock and of the processor.

    Raises:
        BundleError: the bundle is refused there, takes more than it may, or brings its process down.
    """
    answer, status = _run_child(folder.resolve(), memory_mib=memory_mib, time_s=time_s)
    if status is None or status == -signal.SIGXCPU:
        raise BundleError(f"{folder}: the graph took more than {time_s} s for a few windows, allowed are {time_s} s")
    outcome = _parse(answer)
    if outcome is None:
        end = describe_end(status)
        raise BundleError(
            f"{folder}: the graph ended its process with {end}, allowed are graphs that run within {memory_mib} MiB"
        )
    if "error" in outcome:
        raise BundleError(f"{_spell_out(outcome['error'])} (tried with {memory_mib} MiB and {time_s} s)")
    if outcome.get("sha256") != sha256:
        raise BundleError(f"{folder} was changed while it was tried: run `tonalog models add` again")


def _run_child(folder: Path, *, memory_mib: int, time_s: int) -> tuple[bytes, int | None]:
    """Return what the child printed and how it ended, None where its time was up; it never outlives this call."""
    command = [sys.executable, "-P", "-m", "worker.scoring.trial", str(folder), str(memory_mib), str(time_s)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
        cwd="/",
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        deadline_s = time.monotonic() + time_s
        answer = _read_until(process.stdout, deadline_s)
        try:
            return answer, process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            return answer, None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def _read_until(stream: IO[bytes], deadline_s: float) -> bytes:
    answer = b""
    while len(answer) <= _MAX_ANSWER_BYTES:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or not select.select([stream], [], [], left_s)[0]:
            break
        part = os.read(stream.fileno(), _MAX_ANSWER_BYTES)
        if not part:
            break
        answer += part
    return answer


def _parse(answer: bytes) -> dict[str, str] | None:
    try:
        outcome = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(outcome, dict) and all(isinstance(value, str) for value in outcome.values())
    return outcome if is_ours else None


def _spell_out(text: str) -> str:
    r"""Return a reason in one line: names of nodes are in it, which must not command a terminal.

    >>> _spell_out("node\x1b[2J")
    'node\\x1b[2J'
    """
    spelt = printable(text[: _MAX_REASON + 1])
    return spelt if len(spelt) <= _MAX_REASON else f"{spelt[:_MAX_REASON]}..."
