"""List storage in pages, register what is new and correct who and when of what is known; reads no recording's audio."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from db import Engine, recordings
from db.engine import keeping_connection
from db.fences import erasure_mark
from db.reasons import ChangeCause
from db.recordings import KnownVersion
from db.rows import NewRecording
from scheduler.naming import Naming
from storage.errors import StorageError
from storage.intake import BY_OPTION, MAX_FAILED, Identified, Intake, Listed
from storage.protocol import ObjectStore
from telemetry import metrics

__all__ = ["Naming", "Scanned", "scan"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scanned:
    """What one scan saw.

    Attributes:
        n_listed: recordings.
        n_new: versions that were registered.
        n_corrected: known versions that have another person, tenant or time now.
        n_without_subject: versions read in this scan of which nobody says whose voice it is.
        n_without_time: the same of the time.
        manifest_gaps: lines of the manifest that are about no recording, in words.
        error: why the first of those was left out that could not be asked for.
    """

    n_listed: int = 0
    n_new: int = 0
    n_corrected: int = 0
    n_without_subject: int = 0
    n_without_time: int = 0
    manifest_gaps: tuple[str, ...] = ()
    error: StorageError | None = None


def scan(
    engine: Engine,
    store: ObjectStore,
    *,
    prefix: str,
    naming: Naming,
    on_page: Callable[[Scanned], None] | None = None,
    now: datetime | None = None,
) -> Scanned:
    """Register every object version under `prefix` that the database does not know yet, and correct those it knows.

    A known version is read again where what its person and time are read from has changed: rules, zone, manifest,
    sidecar, or the object's metadata. What was read with options is left to options. No job or result is touched.

    Memory stays flat: a page of about 1,000 keys at a time, and only what is new or has changed costs a HEAD (S3 listings
    carry no metadata), where metadata is read at all. What was uploaded about `now` is read again by the next scan, too. A page that was listed before an erasure and registered after it is left to the next scan.

    Raises:
        StorageError: The store cannot be listed, or pattern or manifest cannot be used. Or an object could not be asked
            for: then the others are registered, unless there were several on a page, after which no further one is read.
        DatabaseError: The database cannot be reached, or stores subjects under another key.
    """
    intake = naming.intake(store, prefix, now=now)
    seen = Scanned()
    with keeping_connection(engine) as kept:
        for mark, page in _list_ahead(intake.pages(), partial(erasure_mark, kept)):
            seen = _take_page(kept, store, page, intake=intake, naming=naming, mark=mark, seen=seen)
            if on_page is not None:
                on_page(seen)
    seen = replace(seen, manifest_gaps=tuple(intake.manifest_gaps()))
    for gap in seen.manifest_gaps:
        _log.warning("manifest has lines about no recording", extra={"gap": gap})
    if seen.error is not None:
        raise seen.error
    return seen


def _list_ahead(pages: Iterator[list[Listed]], read_mark: Callable[[], int]) -> Iterator[tuple[int, list[Listed]]]:
    """Give pages with the erasure mark from before they were listed, and list each while the one before is registered."""
    with ThreadPoolExecutor(1, thread_name_prefix="listing") as thread:
        mark = next_mark = read_mark()
        coming = thread.submit(next, pages, None)
        while (page := coming.result()) is not None:
            # A page may begin with what was held back of the one before, so its mark is the one from before that was listed.
            mark_of_page, mark, next_mark = mark, next_mark, read_mark()
            coming = thread.submit(next, pages, None)
            yield mark_of_page, page


def _take_page(
    engine: Engine,
    store: ObjectStore,
    page: list[Listed],
    *,
    intake: Intake,
    naming: Naming,
    mark: int,
    seen: Scanned,
) -> Scanned:
    known = recordings.known_versions(engine, store.name, store.bucket, keys=[item.stored.key for item in page])
    due = [item for item in page if is_due(item, known.get(_version(item)), intake=intake)]
    read, errors = intake.identify_all(due)
    for found in read:
        if found.identity.is_refused:
            _log.warning("recording identity unclear", extra={"problem": found.identity.problem})
    fingerprint = naming.subjects.fingerprint
    new: list[NewRecording] = []
    again: list[NewRecording] = []
    for found in read:
        is_known = (found.stored.key, found.stored.version_tag) in known
        (again if is_known else new).append(naming.describe(store, found))
    registered = recordings.register(engine, new, mark=mark, subject_key=fingerprint)
    n_corrected = (
        recordings.correct(engine, again, cause=ChangeCause.SCAN, mark=mark, subject_key=fingerprint) if again else 0
    )
    metrics.SCAN_PAGES.inc()
    n_of = {"listed": len(page), "new": registered.n_new, "corrected": n_corrected}
    for found_as, n in n_of.items():
        metrics.SCAN_OBJECTS.labels(found_as).inc(n)
    if len(errors) >= MAX_FAILED:
        raise errors[0]
    return Scanned(
        n_listed=seen.n_listed + len(page),
        n_new=seen.n_new + registered.n_new,
        n_corrected=seen.n_corrected + n_corrected,
        n_without_subject=seen.n_without_subject + _count(read, "subject"),
        n_without_time=seen.n_without_time + _count(read, "recorded_at"),
        error=seen.error or next(iter(errors), None),
    )


def _version(item: Listed) -> tuple[str, str]:
    return item.stored.key, item.stored.version_tag


def is_due(item: Listed, known: KnownVersion | None, *, intake: Intake) -> bool:
    """Say whether who and when have to be read: the version is new, or what they are read from has changed."""
    if known is None or known.identity_tag is None:
        return True
    if known.identity_tag.startswith(BY_OPTION) and not intake.is_by_option:
        return False
    return known.identity_tag != item.tag or known.uploaded_at != item.stored.uploaded_at


def _count(read: list[Identified], field: str) -> int:
    return sum(getattr(found.identity, field) is None for found in read)
