"""Take notifications of the object store, from a queue and from the HTTP API, and have their jobs published."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from config.settings import Settings
from db import Engine, hints
from db.reasons import Lane
from scheduler.hints import HintOutcome, Place, take_hints
from scheduler.naming import Naming
from scheduler.uploads import Taken
from storage.events import EventError, ObjectHint, read_event
from storage.intake import Intake
from storage.open import S3Access, open_place
from telemetry import metrics

if TYPE_CHECKING:
    from storage.event_queue import EventQueue, QueueMessage

_log = logging.getLogger(__name__)
BATCH = 100
_INTAKE_S = 60.0  # a manifest is read again after this; what was read by an old one the next scan corrects


class EventIntake:
    """What a scheduler process does with notifications; its two methods may run in two threads."""

    def __init__(self, settings: Settings, engine: Callable[[], Engine], *, publish: Callable[[], object]) -> None:
        """Contact nothing yet.

        Args:
            settings: of this process.
            engine: gives the database.
            publish: has new jobs published.
        """
        self._settings = settings
        self._engine = engine
        self._publish = publish
        self._queue: EventQueue | None = None
        self._lock = threading.Lock()
        self._opened: tuple[float, Place, Intake] | None = None
        self._counts: Counter[HintOutcome] = Counter()

    def counts(self) -> dict[str, int]:
        """Say how many hints of this process came to what, from its start; every outcome is named."""
        with self._lock:
            return {outcome.value: self._counts[outcome] for outcome in HintOutcome}

    def take_queue(self) -> Taken:
        """Wait for messages of `TONALOG_EVENTS_QUEUE`, and take what they name.

        A message goes from the queue once everything it names was looked up; what is no notification goes at once.

        Raises:
            StorageError: queue, store or manifest cannot be used.
            DatabaseError: the database cannot be used.
        """
        settings = self._settings
        if settings.events_queue is None or settings.storage_url is None:
            return Taken()
        if self._queue is None:
            from storage.event_queue import EventQueue  # noqa: PLC0415 - boto3, a sixth of the start

            s3 = S3Access.of(settings)
            self._queue = EventQueue(
                settings.events_queue,
                region=s3.region,
                access_key=s3.access_key,
                secret_key=s3.secret_key,
                ca_bundle=s3.ca_bundle,
            )
        messages = self._queue.receive()
        named = [(message, self._read(message)) for message in messages]
        outcomes = self._take(hint for _, read in named for hint in read)
        done = [message for message, read in named if not _wait(read, outcomes)]
        self._queue.delete(done)
        return _conclude(outcomes)

    def take_rows(self) -> Taken:
        """Take what notifications to the HTTP API named.

        Raises:
            StorageError: store or manifest cannot be used.
            DatabaseError: the database cannot be used.
        """
        if self._settings.storage_url is None:
            return Taken()
        due = hints.list_due(self._engine(), limit=BATCH)
        if not due:
            return Taken()
        outcomes = self._take(ObjectHint(hint.bucket, hint.key) for hint in due)
        waiting = [hint for hint in due if _wait([ObjectHint(hint.bucket, hint.key)], outcomes)]
        left = {hint.id for hint in waiting}
        hints.settle(self._engine(), [hint.id for hint in due if hint.id not in left], waiting=waiting)
        return _conclude(outcomes, waits=False)  # each row has its own time to be looked up again

    @property
    def place(self) -> Place:
        """Where scans look, by this process's settings.

        Raises:
            StorageError: it or its manifest cannot be used.
        """
        return self._open()[0]

    def _read(self, message: QueueMessage) -> list[ObjectHint]:
        try:
            return read_event(message.body)
        except EventError as error:
            _log.warning("message is no notification", extra={"problem": str(error)})
            with self._lock:
                self._counts[HintOutcome.UNREADABLE] += 1
            metrics.HINTS.labels(HintOutcome.UNREADABLE.value).inc()
            return []

    def _take(self, wanted: Iterable[ObjectHint]) -> dict[ObjectHint, HintOutcome]:
        asked = list(wanted)
        if not asked:
            return {}
        place, intake = self._open()
        lane = Lane(self._settings.events_lane)
        outcomes = take_hints(self._engine(), place, asked, intake=intake, lane=lane)
        with self._lock:
            self._counts.update(outcomes.values())
        for outcome in outcomes.values():
            metrics.HINTS.labels(outcome.value).inc()
        if HintOutcome.REGISTERED in outcomes.values():
            self._publish()
        return outcomes

    def _open(self) -> tuple[Place, Intake]:
        now_s = time.monotonic()
        opened = self._opened
        if opened is None or now_s - opened[0] > _INTAKE_S:
            store, prefix = open_place(self._settings, self._settings.storage_url or "")
            place = Place(store, prefix, Naming.of(self._settings))
            opened = self._opened = now_s, place, place.intake(datetime.now(UTC))
        return opened[1], opened[2]


def _wait(read: list[ObjectHint], outcomes: dict[ObjectHint, HintOutcome]) -> bool:
    return any(outcomes[hint] is HintOutcome.WAITING for hint in read)


def _conclude(outcomes: dict[ObjectHint, HintOutcome], *, waits: bool = True) -> Taken:
    found = Counter(outcomes.values())
    return Taken(found[HintOutcome.REGISTERED], found[HintOutcome.WAITING] if waits else 0)
