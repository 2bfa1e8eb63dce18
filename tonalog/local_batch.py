"""A batch of reprocessing on one machine: queue and a supervised worker until every job of it has ended."""

from __future__ import annotations

import time

from config.settings import Settings
from db import batches
from db.batch_progress import BatchProgress, read_progress
from db.batches import Batch
from db.reasons import BatchState
from scheduler.app import make_app
from scheduler.service import Service
from tonalog.errors import TonalogError
from tonalog.local_worker import LocalWorker
from tonalog.progress import AudioProgress
from tonalog.session import open_database

_PUMP_S = 1.0
_LOOK_FACTOR = 20  # counting the jobs of a large batch may take no more than a twentieth of the time


class LocalBatch:
    """One `tonalog run --batch`: the ledger, queue and worker of production, started from here."""

    def __init__(self, settings: Settings, batch_id: int) -> None:
        self.engine = open_database(settings)
        self._batch_id = batch_id
        self._settings = settings
        batch = self.read()
        if batch.state is BatchState.PAUSED:
            raise TonalogError(f"Batch {batch_id} is paused: `tonalog batches resume {batch_id}` lets it go on.")
        self._service = Service(settings, make_app(settings))

    def read(self) -> Batch:
        """Read the batch as it is now."""
        return batches.find_batch(self.engine, self._batch_id)

    def read_progress(self) -> BatchProgress:
        """Count how far the batch has come."""
        return read_progress(self.engine, self.read())

    def work(self) -> Batch:
        """Carry the batch out until it has finished, or somebody has paused it.

        Returns:
            The batch as it stands then.
        """
        if self._is_over(self.read()):
            return self.read()
        with LocalWorker(self._settings) as worker, AudioProgress() as bar:
            look_at = 0.0
            while not self._is_over(batch := self.read()):
                worker.keep_alive()
                self._service.carry_batches()
                self._service.publish()
                if time.monotonic() >= look_at:
                    began = time.monotonic()
                    _show(bar, batch, self.read_progress())
                    look_at = time.monotonic() + _LOOK_FACTOR * (time.monotonic() - began)
                time.sleep(_PUMP_S)
            _show(bar, batch, self.read_progress())
        return self.read()

    def refresh_people(self) -> None:
        """Make anew what is kept of people whose notes have changed: the batch may have been of the active model."""
        self._service.refresh_people()
        self._service.prepare_reads()

    @staticmethod
    def _is_over(batch: Batch) -> bool:
        return batch.finished_at is not None or batch.state is BatchState.PAUSED


def _show(bar: AudioProgress, batch: Batch, now: BatchProgress) -> None:
    n_jobs = max(batch.n_recordings, sum(now.by_state.values()))
    bar.update(
        n_recordings=n_jobs,
        n_ended=sum(now.by_state.values()) - now.n_open,
        ended_ms=now.done_ms,
        expected_ms=now.audio_ms,
    )
