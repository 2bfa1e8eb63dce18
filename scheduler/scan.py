"""List storage in pages and register what is new; never reads a recording's audio."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from db import Engine, recordings
from db.fences import erasure_mark
from db.rows import NewRecording
from storage.errors import ObjectMissing
from storage.identity import IdentityRules, identify
from storage.protocol import ObjectStore, StoredObject
from storage.pseudonyms import SubjectNaming

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Naming:
    """How person and time are read from a key without metadata, and how a person is written down."""

    pattern: str
    time_zone: str
    subjects: SubjectNaming = field(default_factory=SubjectNaming)


@dataclass(frozen=True)
class Scanned:
    """What one scan saw."""

    n_listed: int = 0
    n_new: int = 0


def scan(
    engine: Engine,
    store: ObjectStore,
    *,
    prefix: str,
    naming: Naming,
    on_page: Callable[[Scanned], None] | None = None,
) -> Scanned:
    """Register every object version under `prefix` that the database does not know yet.

    Memory stays flat: one page of at most 1,000 keys at a time, and only unknown versions cost a HEAD
    (S3 listings carry no metadata). Scanning again registers nothing twice. A page that was listed before an
    erasure and registered after it is left to the next scan.

    Raises:
        StorageError: The store cannot be listed.
        DatabaseError: The database cannot be reached, or stores subjects under another key.
    """
    seen = Scanned()
    mark = erasure_mark(engine)
    for page in store.list_objects(prefix):
        fresh = _unknown(engine, store, page)
        new = [
            recording
            for recording in (_describe(store, item, naming=naming) for item in fresh)
            if recording is not None
        ]
        registered = recordings.register(engine, new, mark=mark, subject_key=naming.subjects.fingerprint)
        mark = erasure_mark(engine)
        seen = Scanned(seen.n_listed + len(page), seen.n_new + registered.n_new)
        if on_page is not None:
            on_page(seen)
    return seen


def _unknown(engine: Engine, store: ObjectStore, page: list[StoredObject]) -> list[StoredObject]:
    known = recordings.known_versions(engine, store.name, store.bucket, keys=[item.key for item in page])
    return [item for item in page if (item.key, item.version_tag) not in known]


def _describe(store: ObjectStore, item: StoredObject, *, naming: Naming) -> NewRecording | None:
    try:
        item = item if item.metadata is not None else store.head(item.key)
    except ObjectMissing:
        return None  # deleted between LIST and HEAD: nothing to score
    identity = identify(item, rules=IdentityRules(naming.pattern, naming.time_zone))
    if identity.is_refused:
        _log.warning("recording identity unclear", extra={"problem": identity.problem})
    return NewRecording(
        store=store.name,
        bucket=store.bucket,
        key=item.key,
        version_tag=item.version_tag,
        size_bytes=item.size_bytes,
        uploaded_at=item.uploaded_at,
        subject=None if identity.subject is None else naming.subjects.store(identity.subject),
        subject_source=identity.subject_source,
        recorded_at=identity.recorded_at,
        recorded_at_precision=identity.recorded_at_precision,
        recorded_at_source=identity.recorded_at_source,
    )
