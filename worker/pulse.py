"""Tell the database every few seconds that this worker is alive, with which lanes and which bundle."""

from __future__ import annotations

import logging
import mmap
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from config.settings import Settings
from db import Engine, migrate, models, pulses
from db.errors import DatabaseError
from db.pulses import BundleLook, NewPulse
from db.reasons import Lane
from db.rows import Model
from storage.errors import StorageError
from worker.registered import find_bundle
from worker.scoring.bundle import BundleError

_log = logging.getLogger(__name__)
_LAST_JOB = struct.Struct("=qd")  # id and seconds since 1970


class LastJob:
    """The job that a process of this worker ended last, in memory that parent and children share.

    >>> last = LastJob()
    >>> last.read() is None
    True
    >>> last.write(7, at_s=12.5)
    >>> last.read()
    (7, 12.5)
    """

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _LAST_JOB.size)

    def write(self, job_id: int, *, at_s: float) -> None:
        """Note a job that has ended just now."""
        self._shared[:] = _LAST_JOB.pack(job_id, at_s)

    def read(self) -> tuple[int, float] | None:
        """Return the id of the last job and when it ended; None before the first."""
        job_id, at_s = _LAST_JOB.unpack(self._shared[:])
        return (job_id, at_s) if job_id else None


class BundleWatch:
    """Looks whether the active model's bundle is here as it was registered; reads its files only when they have changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen: tuple[object, ...] | None = None
        self._look = BundleLook()

    def look(self, model: Model | None) -> BundleLook:
        """Say what is here of the active model's bundle."""
        if model is None:
            return BundleLook()
        signature = (model.id, model.bundle_sha256, model.folder, *_list_files(self._settings, model))
        if signature != self._seen:
            self._look = _read(self._settings, model)
            # What is missing may come by way of the store, which is no file here: it is looked for again.
            self._seen = signature if self._look.error is None else None
        return self._look


def _read(settings: Settings, model: Model) -> BundleLook:
    name = f"{model.name}-{model.version}"
    try:
        bundle = find_bundle(settings, model)
    except (BundleError, StorageError) as error:
        return BundleLook(model=name, error=str(error))
    return BundleLook(model=name, sha256=bundle.sha256)


def _list_files(settings: Settings, model: Model) -> list[tuple[str, int, int]]:
    found = []
    for folder in (Path(model.folder), settings.models_dir / f"{model.name}-{model.version}"):
        with suppress(OSError):
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.path):
                stat = entry.stat()
                found.append((entry.path, stat.st_size, stat.st_mtime_ns))
    return found


@dataclass(frozen=True)
class Identity:
    """What stays the same of a worker process as long as it runs."""

    lanes: Sequence[Lane]
    n_processes: int
    host: str
    pid: int
    version: str
    revision: str
    started_at: datetime

    @classmethod
    def of_this_process(cls, *, lanes: Sequence[Lane], n_processes: int) -> Identity:
        """Describe the process that calls."""
        return cls(
            lanes=lanes,
            n_processes=n_processes,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=version("tonalog"),
            revision=migrate.head(),
            started_at=datetime.now(UTC),
        )


class Pulse:
    """A thread of the worker's main process that writes its row; the row goes when the worker stops."""

    def __init__(
        self,
        engine: Engine,
        watch: BundleWatch,
        identity: Identity,
        *,
        last_job: LastJob,
        every_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Get ready.

        Args:
            engine: the database.
            watch: looks at the bundle.
            identity: who this is.
            last_job: what the pool's processes ended last.
            every_s: seconds between two pulses.
            clock: seconds since 1970 as this host has them.
        """
        self._engine = engine
        self._watch = watch
        self._identity = identity
        self._last_job = last_job
        self._every_s = every_s
        self._clock = clock
        self._is_over = threading.Event()
        self._beating = threading.Lock()

    def start(self) -> None:
        """Begin, and go on until `stop` or the end of the process."""
        # A child that is forked in the middle of a pulse would inherit the locks that this thread holds just then.
        release = self._beating.release
        os.register_at_fork(before=self._beating.acquire, after_in_parent=release, after_in_child=release)
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def stop(self) -> None:
        """Take the row away."""
        self._is_over.set()
        with self._beating, suppress(DatabaseError):
            pulses.leave(self._engine, host=self._identity.host, pid=self._identity.pid)

    def step(self) -> None:
        """Write the row once."""
        last = self._last_job.read()
        try:
            with self._beating:
                bundle = self._watch.look(models.active_model(self._engine))
                if self._is_over.is_set():
                    return
                said = NewPulse(
                    **vars(self._identity),
                    bundle=bundle,
                    host_at_s=self._clock(),
                    last_job_id=None if last is None else last[0],
                    last_job_at=None if last is None else datetime.fromtimestamp(last[1], UTC),
                )
                pulses.beat(self._engine, said)
        except DatabaseError as error:
            _log.warning("pulse not written", extra={"error": type(error).__name__})

    def _run(self) -> None:
        while not self._is_over.is_set():
            self.step()
            self._is_over.wait(self._every_s)
