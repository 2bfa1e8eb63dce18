"""Reads the figures of the whole database for metrics, in a thread of its own, so that no tick waits for a count.

A part that takes long is read less often: at most a twentieth of the time goes into reading it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from celery import Celery

from config.queues import LANES, lane_queue
from db import Engine, figures
from db.batch_progress import read_progress
from db.batches import list_unfinished
from db.drift import DriftNight, read_drift
from scheduler.broker import count_waiting
from scheduler.nightly import NIGHTLY
from scheduler.service import SCAN_PULSE
from telemetry import metrics
from telemetry.database import DatabaseCollector, Samples

_log = logging.getLogger(__name__)
_REST = 20.0  # times as long as reading took, until it is read again
_TOTALS_EVERY_S = 60.0
_MAX_BATCHES = 20


@dataclass
class _Part:
    """One part of the figures."""

    read: Callable[[], Samples]
    every_s: float
    due_at_s: float = field(default=0.0)


class FiguresLoop:
    """Keeps the figures of the database that this process tells as metrics."""

    def __init__(
        self,
        parts: Mapping[str, Callable[[], Samples]],
        *,
        every_s: float,
        collector: DatabaseCollector = metrics.DATABASE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Get ready.

        Args:
            parts: what reads each part, by name; `totals` is read once a minute at most.
            every_s: how often the others are read.
            collector: what tells them.
            clock: seconds that never go back.
        """
        self._every_s = every_s
        self._collector = collector
        self._clock = clock
        self._parts = {
            name: _Part(read, max(every_s, _TOTALS_EVERY_S) if name == "totals" else every_s)
            for name, read in parts.items()
        }

    def start(self) -> None:
        """Read from a thread of its own until the process ends."""
        threading.Thread(target=self._run, name="figures", daemon=True).start()

    def step(self) -> None:
        """Read each part that is due."""
        for name, part in self._parts.items():
            began_s = self._clock()
            if began_s < part.due_at_s:
                continue
            try:
                samples = part.read()
            except Exception as error:  # noqa: BLE001 - whatever it is, old figures would pass for new ones
                self._collector.forget(name)
                _log.warning("figures not read", extra={"part": name, "error": type(error).__name__})
            else:
                read_at = {"tonalog_figures_read_timestamp_seconds": [((name,), time.time())]}
                self._collector.replace(name, {**samples, **read_at})
            ended_s = self._clock()
            part.due_at_s = max(began_s + part.every_s, ended_s + _REST * (ended_s - began_s))

    def _run(self) -> None:
        while True:
            self.step()
            time.sleep(self._every_s)


def make_parts(engine: Engine, app: Celery) -> dict[str, Callable[[], Samples]]:
    """Say how each part is read; it gives values of metrics that `telemetry.metrics.DATABASE` declares."""
    return {
        "queue": lambda: of_queue(figures.read_queue(engine, scan_pulse=SCAN_PULSE, nightly=NIGHTLY)),
        "totals": lambda: of_totals(figures.read_totals(engine)),
        "broker": lambda: of_broker(count_waiting(app, [lane_queue(lane) for lane in LANES])),
        "batches": lambda: of_batches(engine),
        "drift": lambda: of_drift(read_drift(engine, n_nights=1)),
    }


def of_queue(read: figures.QueueFigures) -> Samples:
    """Make samples of what is under way."""
    done_at_s = None if read.nightly_done_at is None else read.nightly_done_at.timestamp()
    moments = {
        "tonalog_scan_timestamp_seconds": read.scan_at_s,
        "tonalog_nightly_done_timestamp_seconds": done_at_s,
    }
    return {
        "tonalog_queue_jobs": [((lane.value,), queue.n) for lane, queue in read.lanes.items()],
        "tonalog_queue_age_seconds": [((lane.value,), queue.age_s) for lane, queue in read.lanes.items()],
        "tonalog_jobs": [((lane.value, state.value), n) for (lane, state), n in read.n_jobs.items()],
        "tonalog_erasures_pending": [((), read.n_erasures)],
        "tonalog_erasure_objects_pending": [((), read.n_erasure_objects)],
        "tonalog_people_marked": [((), read.n_people_marked)],
        **{name: [((), at_s)] for name, at_s in moments.items() if at_s is not None},
    }


def of_totals(read: figures.TotalFigures) -> Samples:
    """Make samples of what there is."""
    return {
        "tonalog_jobs": [((lane.value, state.value), n) for (lane, state), n in read.n_ended.items()],
        "tonalog_dead_jobs": [((reason,), n) for reason, n in read.n_dead.items()],
        "tonalog_recordings": [((state.value,), n) for state, n in read.n_recordings.items()],
        "tonalog_results": [
            ((model.name, status.value), n) for model in read.models for status, n in model.n_results.items()
        ],
        "tonalog_results_audio_seconds": [
            ((model.name, status.value), ms / 1000) for model in read.models for status, ms in model.audio_ms.items()
        ],
        "tonalog_model_info": [((model.name, model.state.value), 1) for model in read.models],
    }


def of_broker(n_waiting: Mapping[str, int]) -> Samples:
    """Make samples of what waits in the broker."""
    return {"tonalog_broker_messages": [((lane,), n_waiting[lane_queue(lane)]) for lane in LANES]}


def of_batches(engine: Engine) -> Samples:
    """Make samples of the batches that are not finished, the oldest of them."""
    recordings, audio = [], []
    for batch in list_unfinished(engine)[:_MAX_BATCHES]:
        progress = read_progress(engine, batch)
        recordings += [((str(batch.id), state.value), n) for state, n in progress.by_state.items()]
        audio.append(((str(batch.id), "done"), progress.done_ms / 1000))
        if progress.audio_ms is not None:
            audio.append(((str(batch.id), "expected"), progress.audio_ms / 1000))
    return {"tonalog_batch_recordings": recordings, "tonalog_batch_audio_seconds": audio}


def of_drift(nights: Sequence[DriftNight]) -> Samples:
    """Make samples of the last night's drift."""
    found = [(night.model, measure) for night in nights for measure in night.measures]
    return {
        "tonalog_drift": [((model, measure.name), measure.divergence) for model, measure in found],
        "tonalog_drift_limit": [((model, measure.name), measure.limit) for model, measure in found],
    }
