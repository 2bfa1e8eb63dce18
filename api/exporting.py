"""Writes the exports that were asked for, in the background, and removes the files that nobody may have any more."""

import logging
import os
import shutil
import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from config.settings import Settings
from db import Engine, export_jobs, people
from db.errors import DatabaseUnavailable, ErasedMeanwhile, RightMissing, RowNotFound
from db.export_jobs import ExportJob
from db.snapshot import Selection
from db.tenancy import asking, every_tenant
from exports.errors import ExportError
from exports.person import Keeping
from exports.write import Format, Options, write_export
from storage.pseudonyms import SubjectNaming

LOOK_S = 30.0  # how often files are held against the database, where nobody wakes the thread
_STOP_S = 10.0
_MAX_TRIES = 3  # of an export during which people are erased
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ExportPlace:
    """Where files of exports are, and how they are made.

    Attributes:
        folder: for this process and others that share it.
        keep: how long each is kept.
        options: how they are written.
        naming: how subjects are written in the database.
    """

    folder: Path
    keep: timedelta
    options: Options
    naming: SubjectNaming

    @classmethod
    def of(cls, settings: Settings, *, version: str) -> "ExportPlace":
        """Take the settings of this process."""
        keeping = Keeping(retention_days=settings.retention_days, api_audit_days=settings.api_audit_days)
        return cls(
            folder=settings.home / "exports",
            keep=timedelta(days=settings.exports_days),
            options=Options(version=version, keeping=keeping),
            naming=SubjectNaming.of(settings),
        )

    def file_of(self, job: ExportJob) -> Path:
        """Say where the file of an export is, or will be."""
        return self.folder / f"{job.id}-{job.file_token}.zip"


class Exporter:
    """One thread that writes one export after the other."""

    def __init__(self, engine: Engine, place: ExportPlace, *, look_s: float = LOOK_S) -> None:
        """Take the database and where files go.

        Args:
            engine: the database.
            place: where files go, and how they are written.
            look_s: how often files are held against the database.
        """
        self.place = place
        self._engine = engine
        self._look_s = look_s
        self._has_work = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="exporter", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier process has left."""
        self._has_work.set()
        self._thread.start()

    def stop(self) -> None:
        """End after the export that is being written, or leave it to the next process where it takes long."""
        self._is_over.set()
        self._has_work.set()
        self._thread.join(_STOP_S)

    def wake(self) -> None:
        """Say that an export was asked for or deleted, or somebody erased."""
        self._has_work.set()

    def _work(self) -> None:
        is_first = True
        while not self._is_over.is_set():
            self._has_work.wait(self._look_s)
            self._has_work.clear()
            try:
                self._look(is_first=is_first)
                is_first = False
            except Exception as error:  # noqa: BLE001 - a database or disk that fails now may work the next time
                _log.warning("exports wait", extra={"error": type(error).__name__, "retry_s": self._look_s})

    def _look(self, *, is_first: bool) -> None:
        with every_tenant():
            if is_first:
                self.place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                export_jobs.put_back(self._engine)
            self._remove_files(is_first=is_first)
        while not self._is_over.is_set() and (job := self._claim()) is not None:
            self._write(job)
            with every_tenant():
                self._remove_files(is_first=False)

    def _claim(self) -> ExportJob | None:
        with every_tenant():
            return export_jobs.claim(self._engine)

    def _write(self, job: ExportJob) -> None:
        try:
            n_rows = self._try_to_write(job)
        except DatabaseUnavailable:
            with every_tenant():
                export_jobs.put_back(self._engine)
            raise
        except Exception as error:  # noqa: BLE001 - whoever asked for it is told, and the thread goes on
            _log.warning("export failed", extra={"export_id": job.id, "error": type(error).__name__})
            with every_tenant():
                export_jobs.fail(self._engine, job, reason=_reason(error))
            return
        file = self.place.file_of(job)
        with every_tenant():
            if not export_jobs.finish(self._engine, job, n_rows=n_rows, size_bytes=file.stat().st_size):
                file.unlink(missing_ok=True)

    def _try_to_write(self, job: ExportJob) -> int:
        for n_left in reversed(range(_MAX_TRIES)):
            try:
                return self._write_once(job)
            except ErasedMeanwhile:
                if not n_left:
                    raise
        raise AssertionError

    def _write_once(self, job: ExportJob) -> int:
        subject = job.subject
        if subject is not None:  # who was renamed since it was asked for is still the same person
            fingerprint = self.place.naming.fingerprint
            subject = people.find_present_name(self._engine, job.tenant, subject, subject_key=fingerprint)
        chosen = Selection(tenant=job.tenant, subject=subject, since=job.since, until=job.until)
        options = replace(self.place.options, model=job.model)
        with asking(job.tenant):
            written = write_export(
                self._engine, chosen, self.place.file_of(job), form=Format(job.format), options=options
            )
        return sum(written.n_rows.values())

    def _remove_files(self, *, is_first: bool) -> None:
        export_jobs.expire(self._engine)
        known = export_jobs.file_tokens(self._engine)
        for entry in os.scandir(self.place.folder):
            if entry.name.startswith("."):
                if is_first:  # what a killed process was writing; another one that shares the folder starts over
                    shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name.removesuffix(".zip").rpartition("-")[2] not in known:
                Path(entry.path).unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    if isinstance(error, RightMissing):
        return "The server's database role may not read what this format holds."
    if isinstance(error, ErasedMeanwhile):
        return "People were erased each time that it was being written: ask again."
    # What these two say is for whoever asked; others may name a place on the server.
    return str(error) if isinstance(error, ExportError | RowNotFound) else "It could not be written: ask the operator."
