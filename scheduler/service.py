"""What a scheduler process does, with its connections: each tick, the nightly run, and a scan on demand."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import cached_property, partial

from celery import Celery

from config.settings import Settings
from db import Engine, jobs, models, slots, subject_keys
from db.engine import make_engine
from db.leases import expire_leases
from db.reasons import Lane
from scheduler.nightly import NightResult, run_due_night
from scheduler.publish import PublishResult, publish_due
from scheduler.retention import run_due_retention
from scheduler.scan import Naming, scan
from storage.errors import StorageError
from storage.open import open_bucket, open_place
from storage.pseudonyms import SubjectNaming

_log = logging.getLogger(__name__)
SCAN_PULSE = "scan"
SWEEP_PULSE = "sweep"
_SLOT_LEASE_S = 900.0


class SchedulerError(Exception):
    """The scheduler is asked for something that its settings do not allow."""


class Service:
    """What a scheduler process can do; holds an engine and a Celery client, no state of its own."""

    def __init__(self, settings: Settings, app: Celery) -> None:
        self._settings = settings
        self._app = app

    @cached_property
    def _engine(self) -> Engine:
        return make_engine(self._settings.database)

    def tick(self) -> None:
        """Do all that is due: a nightly slot, expired leases, jobs to publish, what to erase; and leave a pulse.

        The pulse says that a scheduler is running, so nothing else leaves it.
        """
        self.nightly()
        self.publish()
        slots.pulse(self._engine, SWEEP_PULSE)
        self.retention()

    def publish(self) -> PublishResult:
        """Take back expired leases and publish due jobs."""
        settings = self._settings
        expire_leases(self._engine)
        return publish_due(self._engine, self._app, queue_cap=settings.queue_cap, rering_s=settings.rering_s)

    def nightly(self) -> None:
        """Run the nightly slot if one is due and nobody else holds it."""
        if self._settings.storage_url is None:
            return
        run_due_night(
            self._engine,
            self.scan_and_queue,
            crontab_line=self._settings.nightly_crontab,
            now=datetime.now(UTC),
            lease_s=_SLOT_LEASE_S,
        )

    def retention(self) -> None:
        """Erase what is older than `TONALOG_RETENTION_DAYS`, once a day; nothing where that is not set."""
        settings = self._settings
        if settings.retention_days is None:
            return
        run_due_retention(
            self._engine,
            partial(open_bucket, settings),
            n_days=settings.retention_days,
            now=datetime.now(UTC),
            lease_s=_SLOT_LEASE_S,
        )

    def scan_and_queue(self, url: str | None = None) -> NightResult:
        """Register what is new under `url` and make jobs for the active model.

        Raises:
            SchedulerError: Neither `url` nor `TONALOG_STORAGE_URL` says where recordings are, or no model is active.
            SubjectKeyMismatch: The subjects in the database are stored under another key than ours.
            StorageError: The store cannot be listed to its end; what was listed until then has its jobs.
        """
        where = url or self._settings.storage_url
        if where is None:
            raise SchedulerError("Nothing to scan: give a folder or s3:// URL, or set TONALOG_STORAGE_URL.")
        model = models.active_model(self._engine)
        if model is None:
            raise SchedulerError("No model is active: run `tonalog db upgrade` or `tonalog models activate VERSION`.")
        store, prefix = open_place(self._settings, where)
        subjects = SubjectNaming.of(self._settings)
        subject_keys.require(self._engine, subjects.fingerprint)
        naming = Naming(self._settings.key_pattern, self._settings.time_zone, subjects)
        try:
            seen = scan(self._engine, store, prefix=prefix, naming=naming)
        except StorageError:  # What was registered before the listing broke off is scored all the same.
            jobs.create_jobs(self._engine, model.id, lane=Lane.NIGHTLY)
            raise
        n_jobs = jobs.create_jobs(self._engine, model.id, lane=Lane.NIGHTLY)
        slots.pulse(self._engine, SCAN_PULSE, detail=f"{seen.n_listed} listed, {seen.n_new} new")
        return NightResult(n_listed=seen.n_listed, n_new=seen.n_new, n_jobs=n_jobs)
