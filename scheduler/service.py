"""What a scheduler process does, with its connections: each tick, the nightly run, and a scan on demand."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from threading import Event

from celery import Celery

from config.periods import read_period
from config.settings import Settings
from db import Engine, api_audit, changes, hints, idempotency, models, outbox, pump, slots, subject_keys, uploads
from db.drift_counts import Days
from db.engine import make_engine
from db.errors import DatabaseError
from db.leases import expire_leases
from db.statistics import refresh_statistics
from people import Refreshed, refresh
from scheduler.batches import carry_on
from scheduler.drifting import measure_night
from scheduler.events import EventIntake
from scheduler.job_maker import JobMaker
from scheduler.naming import NO_OPTIONS, IntakeOptions, Naming
from scheduler.nightly import NightResult, run_due_night
from scheduler.publish import PublishResult, publish_due
from scheduler.pumping import PumpLoop
from scheduler.retention import run_due_retention
from scheduler.scan import scan
from scheduler.troubles import PEOPLE_PULSE, STOPPED, SWEEP_PULSE
from scheduler.uploads import Taken, register_uploads
from storage.errors import StorageError
from storage.open import open_bucket, open_inventory, open_place
from telemetry import metrics, traces
from trends import TrendSettings

_log = logging.getLogger(__name__)
SCAN_PULSE = "scan"
_SLOT_LEASE_S = 900.0
_PUBLISH_AGAIN_S = (0.0, 0.2, 0.5)
_N_PASSING = 16  # connections for a moment: more than there are threads, each of which may hold two
_PEOPLE_S = 5.0  # of a tick: some hundreds of people
_BATCHES_S = 5.0  # of a tick: some ten thousand jobs


class SchedulerError(Exception):
    """The scheduler is asked for something that its settings do not allow."""


class Service:
    """What a scheduler process can do; holds an engine, a Celery client, and whether there was something to publish."""

    def __init__(self, settings: Settings, app: Celery, *, n_kept: int | None = None) -> None:
        """Open nothing yet.

        Args:
            settings: of the process.
            app: sends the messages.
            n_kept: how many connections to PostgreSQL stay open between statements, as a process that goes on for long
                wants it; None: each transaction opens its own.
        """
        self._settings = settings
        self._app = app
        self._n_kept = n_kept
        self._has_work = Event()

    @cached_property
    def _engine(self) -> Engine:
        database = self._settings.database
        if self._n_kept is None or isinstance(database, Path) or database.startswith("sqlite"):
            return make_engine(database)
        return make_engine(database, n_pooled=self._n_kept, n_passing=_N_PASSING)

    def tick(self) -> None:
        """Do all that is due: a nightly slot, leases, jobs to publish, batches, what to erase or forget, people; and leave a pulse.

        The pulse says that a scheduler is running, so nothing else leaves it.
        """
        self.nightly()
        self.publish()
        slots.pulse(self._engine, SWEEP_PULSE)
        self.carry_batches()
        self.retention()
        self.forget()
        refreshed = self.refresh_people(budget_s=min(_PEOPLE_S, self._settings.sweep_s / 3))
        if refreshed.is_done and not refreshed.n_failed:
            slots.pulse(self._engine, PEOPLE_PULSE)
        self.prepare_reads()

    def end(self) -> None:
        """Note that this scheduler was told to end, so that nobody misses one that was stopped for good."""
        with suppress(DatabaseError):
            slots.pulse(self._engine, SWEEP_PULSE, detail=STOPPED)

    def publish(self) -> PublishResult:
        """Take back expired leases and publish due jobs."""
        expired = expire_leases(self._engine)
        metrics.LEASES_EXPIRED.labels("requeued").inc(expired.n_requeued)
        metrics.LEASES_EXPIRED.labels("quarantined").inc(expired.n_quarantined)
        metrics.LEASES_EXPIRED.labels("dead").inc(expired.n_dead)
        return self._publish_due()

    def make_pump_loop(self) -> PumpLoop:
        """Make the thread that publishes between ticks, as soon as workers have taken a part of the queue."""
        cap = self._settings.queue_cap
        look = lambda: pump.read_outstanding(self._engine)  # noqa: E731 - no engine before the thread begins
        return PumpLoop(look, self._publish_due, queue_cap=cap, has_work=self._has_work)

    def _publish_due(self) -> PublishResult:
        settings = self._settings
        published = publish_due(self._engine, self._app, queue_cap=settings.queue_cap, redeliver_s=settings.redeliver_s)
        if published.n_due:
            self._has_work.set()
        return published

    def nightly(self) -> None:
        """Run the nightly slot if one is due and nobody else holds it."""
        if self._settings.storage_url is None:
            return
        run_due_night(
            self._engine,
            self._run_night,
            crontab_line=self._settings.nightly_crontab,
            now=datetime.now(UTC),
            lease_s=_SLOT_LEASE_S,
        )

    def _run_night(self) -> NightResult:
        registered = self.scan_and_queue()
        try:
            self.measure_drift()
        except DatabaseError as error:  # The scan is done: a night without this measure is none that has failed.
            _log.warning("drift not measured", extra={"error": str(error)})
        return registered

    def measure_drift(self) -> None:
        """Measure how far every model's scores have drifted, and keep it as this night's."""
        days = self._settings.drift_reference
        reference = None
        if days is not None:
            first, last = read_period(days)
            reference = Days(since=first, until=last)
        measure_night(self._engine, datetime.now(UTC).date(), reference=reference)

    def carry_batches(self) -> None:
        """Plan batches of reprocessing further, end the jobs of cancelled ones, and close those that are through."""
        carry_on(self._engine, budget_s=min(_BATCHES_S, self._settings.sweep_s / 3))

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

    def forget(self) -> None:
        """Delete what the feed of changes, audit, uploads, kept answers and webhooks of the HTTP API keep no longer."""
        changes.expire(self._engine, keep=timedelta(days=self._settings.changes_days))
        api_audit.expire(self._engine, keep=timedelta(days=self._settings.api_audit_days))
        outbox.expire(self._engine, keep=timedelta(days=self._settings.webhook_days))
        uploads.expire(self._engine)
        hints.expire(self._engine)
        idempotency.expire(self._engine)

    def take_uploads(self) -> Taken:
        """Register what was uploaded over the HTTP API, and publish its jobs."""
        if self._settings.storage_url is None or not uploads.list_received(self._engine, limit=1):
            return Taken()
        store, prefix = open_place(self._settings, self._settings.storage_url)
        naming = Naming.of(self._settings)
        taken = register_uploads(self._engine, store, prefix=prefix, naming=naming)
        if taken.n_made:
            self._publish_new()
        return taken

    @cached_property
    def events(self) -> EventIntake:
        """What takes notifications of the object store."""
        return EventIntake(self._settings, lambda: self._engine, publish=self._publish_new)

    def _publish_new(self) -> None:
        # Another process that is publishing just now may have chosen its jobs before these were made.
        for wait_s in _PUBLISH_AGAIN_S:
            time.sleep(wait_s)
            if self.publish().n_due:
                break

    def refresh_people(self, *, budget_s: float | None = None) -> Refreshed:
        """Make anew what is kept of people whose notes have changed.

        Args:
            budget_s: how long, so that a sweep is not held up by an import; the next one goes on. None: to the end.
        """
        settings = TrendSettings(baseline_days=self._settings.trend_baseline_days)
        return refresh(self._engine, settings=settings, budget_s=budget_s)

    def prepare_reads(self) -> None:
        """Give new changes their positions, so that whoever reads the feed by SQL sees them, and keep reads fast on SQLite."""
        while changes.number(self._engine):
            pass
        refresh_statistics(self._engine)

    def scan_and_queue(
        self, url: str | None = None, *, options: IntakeOptions = NO_OPTIONS, inventory: str | None = None
    ) -> NightResult:
        """Register what is new under `url`, correct who and when of the rest, and make jobs for the active model.

        Args:
            url: a folder, a file or an s3:// URL; None: `TONALOG_STORAGE_URL`.
            options: what is said about the recordings for this time.
            inventory: manifest of an S3 Inventory, whose list is read in place of listing; None: the store is listed.

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
        if inventory is not None:
            store = open_inventory(self._settings, inventory, store)
        naming = Naming.of(self._settings, options)
        subject_keys.require(self._engine, naming.subjects.fingerprint)
        maker = JobMaker(self._engine, model.id)
        now = datetime.now(UTC)
        try:
            with traces.span("scan"):
                seen = scan(self._engine, store, prefix=prefix, naming=naming, on_page=maker.on_page, now=now)
                traces.note(n_listed=seen.n_listed, n_new=seen.n_new, n_corrected=seen.n_corrected)
        except StorageError:  # What was registered before the listing broke off is scored all the same.
            maker.make()
            raise
        maker.make()
        corrected = f", {seen.n_corrected} corrected" if seen.n_corrected else ""
        slots.pulse(self._engine, SCAN_PULSE, detail=f"{seen.n_listed} listed, {seen.n_new} new{corrected}")
        return NightResult(
            n_listed=seen.n_listed,
            n_new=seen.n_new,
            n_jobs=maker.n_made,
            n_corrected=seen.n_corrected,
            n_without_subject=seen.n_without_subject,
            n_without_time=seen.n_without_time,
        )
