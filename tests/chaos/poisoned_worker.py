"""The `tonalog` command with one difference: a recording that carries poison does its harm when it is scored.

Only tests start it, in place of `python -m tonalog`. The product knows nothing of poison.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, BinaryIO

import worker.app
from tests.chaos.notes import POISON_MARK, POISONS, SLOW
from tonalog.__main__ import main
from worker import job
from worker.scoring.note import NoteScores

if TYPE_CHECKING:
    from celery import Celery

    from config.settings import Settings

SLOW_S = 2.5
LOST_WAIT = "CHAOS_LOST_WAIT_S"  # for how long Celery holds the place of a killed process: 10 s where this is not set
_pure = job.score_recording
_make_app = worker.app.make_app


def make_impatient_app(settings: Settings) -> Celery:
    """Make the worker's application, which forgets a killed pool process as soon as the test wants it to."""
    app = _make_app(settings)
    if wait_s := os.environ.get(LOST_WAIT):
        app.conf.worker_lost_wait = float(wait_s)
    return app


def score_poisoned(file: BinaryIO, *arguments: object, **options: object) -> NoteScores:
    """Do what the mark says, then score as always."""
    kind = read_poison(file)
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif kind == "memory":
        raise MemoryError("as the poison wants it")
    elif kind == SLOW:
        time.sleep(SLOW_S)
    while kind == "hang":
        time.sleep(0.1)
    return _pure(file, *arguments, **options)  # type: ignore[arg-type]


def read_poison(file: BinaryIO) -> str | None:
    """Find the mark in a recording, None in most; the file is at its start again then."""
    content = file.read()
    file.seek(0)
    _, found, rest = content.partition(POISON_MARK)
    return next((kind for kind in (*POISONS, SLOW) if rest.startswith(kind.encode())), None) if found else None


if __name__ == "__main__":
    job.score_recording = score_poisoned
    worker.app.make_app = make_impatient_app
    main()
