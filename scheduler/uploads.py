"""Turn uploads whose bytes are there into recordings with a job, seconds after they came."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from db import Engine, models, upload_jobs, uploads
from db.reasons import Reason
from db.uploads import Upload
from scheduler.naming import Naming
from storage.errors import StorageError
from storage.intake import Identified
from storage.protocol import ObjectStore
from storage.uploads import make_key

_log = logging.getLogger(__name__)
BATCH = 100
_PATIENCE = 10  # times as long between looks while something is in the way


@dataclass(frozen=True)
class Taken:
    """How many recordings were made of uploads, and how many uploads wait because their store could not be read."""

    n_made: int = 0
    n_waiting: int = 0


def register_uploads(engine: Engine, store: ObjectStore, *, prefix: str = "", naming: Naming) -> Taken:
    """Register what was uploaded, with who and when as a scan would read them, and make interactive jobs.

    An upload whose store is not available now waits for the next call; one whose object is gone ends as failed. So does
    one that is elsewhere than where scans look: who may only write uploads down must not have other files read.

    Args:
        engine: the database.
        store: where recordings are.
        prefix: which of them.
        naming: the rules of scans.

    Raises:
        DatabaseError: the database cannot be reached, or stores subjects under another key.
    """
    waiting = uploads.list_received(engine, limit=BATCH)
    if not waiting:
        return Taken()
    model = models.active_model(engine)
    fingerprint = naming.subjects.fingerprint
    n_made = n_waiting = 0
    for upload in waiting:
        if (upload.store, upload.bucket, upload.key) != _place_of(upload, store, prefix):
            uploads.fail(engine, upload.id, Reason.STORAGE_DENIED)
            continue
        try:
            found = _identify(store, upload, naming=naming)
        except StorageError as error:
            _log.warning("upload waits", extra={"upload_id": upload.id, "error": type(error).__name__})
            n_waiting += 1
            continue
        if found is None:
            uploads.fail(engine, upload.id, Reason.OBJECT_MISSING)
            continue
        new = naming.describe(store, found)
        model_id = None if model is None else model.id
        made = upload_jobs.register(engine, upload.id, new, model_id=model_id, subject_key=fingerprint)
        n_made += made is not None
    return Taken(n_made, n_waiting)


def _place_of(upload: Upload, store: ObjectStore, prefix: str) -> tuple[str, str, str]:
    ending = upload.key.rpartition(".")[2]
    return store.name, store.bucket, make_key(prefix, upload.id, ending)


def _identify(store: ObjectStore, upload: Upload, *, naming: Naming) -> Identified | None:
    intake = naming.intake(store, upload.key, looks_beside=False)
    listed = (item for page in intake.pages() for item in page if item.stored.key == upload.key)
    found = next(listed, None)
    return None if found is None else intake.identify(found)


class UploadLoop:
    """A thread that looks for new objects every so often, since a scan may keep the scheduler's own threads for hours."""

    def __init__(self, step: Callable[[], Taken], *, every_s: float, name: str = "uploads") -> None:
        self._step = step
        self._name = name
        self._every_s = every_s
        self._is_over = threading.Event()

    def start(self) -> None:
        """Begin, and go on until the process ends."""
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()

    def _run(self) -> None:
        pause_s = self._every_s
        while not self._is_over.wait(pause_s):
            pause_s = self._every_s * (1 if self._is_well() else _PATIENCE)

    def _is_well(self) -> bool:
        try:
            return self._step().n_waiting == 0
        except Exception as error:  # noqa: BLE001 - the thread goes on, whatever one look met
            _log.warning(f"{self._name} wait", extra={"error": type(error).__name__})  # its text may name people
            return False
