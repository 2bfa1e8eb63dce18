"""Writes the audit: no answer leaves before its row is committed, and answers that wait together share a transaction."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from db.api_audit import Access

_MAX_BATCH = 500
_Entry = tuple[Access, "Future[None]"]


class AuditWriter:
    """One thread that writes rows for all others."""

    def __init__(self, record: Callable[[Sequence[Access]], None]) -> None:
        self._record = record
        self._entries: queue.Queue[_Entry | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="audit", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._entries.put(None)
        self._thread.join()

    def write(self, access: Access) -> "Future[None]":
        """Have a row written; the future ends when it is committed, or with the error that it met."""
        done: Future[None] = Future()
        self._entries.put((access, done))
        return done

    def _work(self) -> None:
        while True:
            batch, is_last = self._next_batch()
            self._write(batch)
            if is_last:
                return

    def _next_batch(self) -> tuple[list[_Entry], bool]:
        batch: list[_Entry] = []
        entry = self._entries.get()
        while entry is not None:
            batch.append(entry)
            if len(batch) >= _MAX_BATCH:
                return batch, False
            try:
                entry = self._entries.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _write(self, batch: list[_Entry]) -> None:
        try:
            self._record([access for access, _ in batch])
        except Exception as error:  # noqa: BLE001 - whoever waits gets it, and the thread goes on
            for _, done in batch:
                done.set_exception(error)
        else:
            for _, done in batch:
                done.set_result(None)
