"""Let a real worker score many short notes one after the other and say what its two processes hold on the way."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

try:
    from benchmarks.processes import list_tree, read_memory_mib
except ModuleNotFoundError:  # a script beside it was started by its path
    from processes import list_tree, read_memory_mib

RATE_HZ = 16_000
NOTE_S = 2.0
N_LOOKS = 20
SETTLED = 0.1
"""By then each shape of window has been scored, each statement compiled, and each page of the parent's written to that will be."""
POLL_S = 0.2
WITHIN_S = 6 * 3600.0


@dataclass(frozen=True)
class Look:
    """What the worker holds at one moment.

    Attributes:
        n_notes: that have a result.
        parent_mib: all that its first process has in memory.
        child_mib: what its pool process shares with nobody.
        child: the pool process's id.
    """

    n_notes: int
    parent_mib: float
    child_mib: float
    child: int


def measure(speech: NDArray[np.float32], *, n_notes: int) -> list[Look]:
    """Score notes of 2 s, Ogg Opus, with one pool process, on the embedded stack.

    Args:
        speech: float32 (n_samples,), 16 kHz; the notes begin one after the other within it.
        n_notes: at least 20.

    Returns:
        About 20 looks, evenly apart, the last when all had a result.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_notes(folder / "notes", speech, n_notes)
        home = folder / "home"
        run = subprocess.Popen(
            [sys.executable, "-P", "-m", "tonalog", "run", str(folder / "notes")],
            env={**os.environ, "TONALOG_HOME": str(home), "TONALOG_WORKER_CONCURRENCY": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return watch(run, home / "tonalog.db", n_notes)
        finally:
            run.terminate()
            run.wait()


def write_notes(folder: Path, speech: NDArray[np.float32], n_notes: int) -> None:
    """Write the notes, a tenth of a second of the speech apart."""
    folder.mkdir()
    n_samples, step = round(NOTE_S * RATE_HZ), RATE_HZ // 10
    starts = range(0, len(speech) - n_samples, step)
    contents = []
    for start in starts[:100]:
        path = folder / "note.ogg"
        soundfile.write(path, speech[start : start + n_samples], RATE_HZ, format="OGG", subtype="OPUS")
        contents.append(path.read_bytes())
        path.unlink()
    for number in range(n_notes):
        (folder / f"{number:06}.ogg").write_bytes(contents[number % len(contents)])


def watch(run: subprocess.Popen[bytes], database: Path, n_notes: int) -> list[Look]:
    """Look at the worker each time that a twentieth of the notes was scored."""
    looks: list[Look] = []
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        n_done = count_results(database)
        if n_done >= len(looks) * n_notes / N_LOOKS and n_done:
            tree = list_tree(run.pid)
            if len(tree) == 3:  # noqa: PLR2004 - the run, its worker's first process and the pool process
                _, parent, child = tree
                looks.append(Look(n_done, read_memory_mib(parent).resident, read_memory_mib(child).own, child))
        if n_done >= n_notes:
            return looks
        if run.poll() is not None:
            raise RuntimeError(f"tonalog run ended with {run.returncode} after {n_done} of {n_notes} notes")
        time.sleep(POLL_S)
    raise TimeoutError(f"{n_notes} notes took more than {WITHIN_S:g} s")


def count_results(database: Path) -> int:
    """Return how many notes have a result; 0 before there is a database."""
    if not database.exists():
        return 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM results").fetchone()[0])
    except sqlite3.OperationalError:  # no tables yet, or busy
        return 0
    finally:
        connection.close()


def summarise(looks: list[Look]) -> dict[str, float]:
    """Return what both processes hold at the end, and by how much that has grown since a tenth of the notes."""
    last = looks[-1]
    first = next(look for look in looks if look.n_notes >= SETTLED * last.n_notes)
    return {
        "n_notes": last.n_notes,
        "parent_mib": last.parent_mib,
        "child_mib": last.child_mib,
        "parent_growth_mib": last.parent_mib - first.parent_mib,
        "child_growth_mib": last.child_mib - first.child_mib,
        "n_children": len({look.child for look in looks}),
    }
