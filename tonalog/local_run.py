"""The whole job on one machine: scan, ledger, queue and a supervised worker; reports nothing itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

from config.settings import Settings
from db.progress import Progress, progress
from scheduler.app import make_app
from scheduler.naming import NO_OPTIONS, IntakeOptions
from scheduler.nightly import NightResult
from scheduler.service import Service
from storage.open import open_place
from tonalog.local_worker import LocalWorker
from tonalog.progress import AudioProgress
from tonalog.session import ensure_model, open_database

_POLL_S = 0.25
_PUMP_S = 1.0


@dataclass(frozen=True)
class Place:
    """Where the recordings of a run are, as the database names it."""

    store: str
    bucket: str
    prefix: str


class LocalRun:
    """One `tonalog run`: the same scan, ledger, queue and worker as in production, started from here."""

    def __init__(self, settings: Settings, url: str, *, options: IntakeOptions = NO_OPTIONS) -> None:
        store, prefix = open_place(settings, url)
        store.verify()
        self.place = Place(store.name, store.bucket, prefix)
        self.engine = open_database(settings)
        self._model = ensure_model(self.engine, settings)
        self._settings = settings
        self._url = url
        self._options = options
        self._service = Service(settings, make_app(settings))

    def register(self) -> NightResult:
        """Register what is new, correct who and when of the rest, and make jobs."""
        return self._service.scan_and_queue(self._url, options=self._options)

    def work(self) -> None:
        """Start a worker, publish what is due and wait until every recording has ended."""
        if self._progress().is_complete:
            return
        with LocalWorker(self._settings) as worker, AudioProgress() as bar:
            pump_at = 0.0
            while not (now := self._progress()).is_complete:
                bar.show(now)
                worker.keep_alive()
                if time.monotonic() >= pump_at:
                    self._service.publish()
                    pump_at = time.monotonic() + _PUMP_S
                time.sleep(_POLL_S)
            bar.show(now)

    def refresh_people(self) -> None:
        """Make anew baselines, relative scores, days and trends of everybody whose notes have changed, and let SQL readers see it."""
        self._service.refresh_people()
        self._service.prepare_reads()

    def _progress(self) -> Progress:
        place = self.place
        return progress(self.engine, self._model.id, store=place.store, bucket=place.bucket, prefix=place.prefix)
