"""Registers object versions, corrects who speaks in them and when, and finds them again.

A key holds one version at a time. What was registered last is what the key holds: a scan that read an old listing is
put right by the next scan.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, case, exists, func, or_, select

from db import corrections
from db.aliases import under_present_names
from db.columns import is_among
from db.engine import reading
from db.fences import keys_being_erased, lock_registration, read_mark
from db.reasons import ChangeCause, RecordingState
from db.rows import NewRecording, Recording
from db.schema import recordings, removed_audio
from db.subject_keys import settle
from db.versions import register_batch

BATCH = 1_000  # a page of a listing: one transaction, whose locks others wait for


@dataclass(frozen=True)
class Registered:
    """How a registration went: versions new to the database, and versions it knew."""

    n_new: int
    n_known: int


@dataclass(frozen=True, kw_only=True)
class KnownVersion:
    """A live version as it was registered; `identity_tag` None: an older release read who and when."""

    recording_id: int
    uploaded_at: datetime
    identity_tag: str | None


def register(
    engine: Engine, found: Sequence[NewRecording], *, mark: int | None = None, subject_key: str | None = None
) -> Registered:
    """Register object versions; one transaction for every 1,000.

    A new version of a key makes the older one SUPERSEDED: its results stay, its jobs that nobody has begun are
    CANCELLED. A version that comes back (the object was put back as it was) is LIVE again, and so are the jobs that
    ended because it had been replaced or removed. Keys that are being erased are left out.

    Args:
        engine: the database.
        found: versions in the order in which they were seen; the last one of a key is what the key holds.
        mark: what `fences.erasure_mark` said before they were listed. Nothing is registered once it has grown, since
            the listing may show what was erased meanwhile; the next scan finds the rest.
        subject_key: fingerprint of the key that their subjects are stored under; None: they are plain text.

    Raises:
        SubjectKeyMismatch: the subjects in the database are stored otherwise.
    """
    n_new = 0
    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        with engine.begin() as connection:
            lock_registration(connection)
            if mark is not None and mark != read_mark(connection):
                break
            n_new += register_in(connection, batch, subject_key=subject_key)
    return Registered(n_new=n_new, n_known=len(found) - n_new)


def register_in(connection: Connection, batch: Sequence[NewRecording], *, subject_key: str | None) -> int:
    """Register versions as `register` does, in a transaction that holds its lock; gives how many are new.

    Raises:
        SubjectKeyMismatch: the subjects in the database are stored otherwise.
    """
    settle(connection, subject_key)
    allowed = _not_being_erased(connection, batch)
    return register_batch(connection, under_present_names(connection, allowed))


def correct(
    engine: Engine,
    found: Sequence[NewRecording],
    *,
    cause: str,
    mark: int | None = None,
    subject_key: str | None = None,
) -> int:
    """Give registered versions the person, tenant and time that were read now, in one transaction.

    Whatever differs is written down in `identity_changes`. `identity_tag` and `uploaded_at` follow in any case. Results
    and jobs stay as they are. Versions that nobody registered, that are erased or being erased are left out.

    Args:
        engine: the database.
        found: versions with what was read of them; the last one of a version counts.
        cause: a word of `reasons.ChangeCause`.
        mark: what `fences.erasure_mark` said before they were read. Nothing is changed once it has grown.
        subject_key: as for `register`.

    Returns:
        How many recordings have another person, tenant or time now.

    Raises:
        SubjectKeyMismatch: the subjects in the database are stored otherwise.
        ValueError: the cause is unknown.
    """
    word = ChangeCause(cause)
    n_changed = 0
    with engine.begin() as connection:
        lock_registration(connection)
        if mark is not None and mark != read_mark(connection):
            return 0
        settle(connection, subject_key)
        for start in range(0, len(found), BATCH):
            batch = _not_being_erased(connection, found[start : start + BATCH])
            n_changed += corrections.apply(connection, under_present_names(connection, batch), cause=word)
    return n_changed


def known_versions(
    engine: Engine, store: str, bucket: str, *, keys: Iterable[str]
) -> dict[tuple[str, str], KnownVersion]:
    """Say which versions of these keys need no registration, and what their person and time were read from.

    Neither superseded versions nor those whose audio was removed are among them: if a listing shows one again, it has
    to be registered again.

    Returns:
        Every live version by (key, version_tag).
    """
    wanted = list(keys)
    known: dict[tuple[str, str], KnownVersion] = {}
    c = recordings.c
    with reading(engine) as connection:
        for start in range(0, len(wanted), BATCH):
            statement = select(c.key, c.version_tag, c.id, c.uploaded_at, c.identity_tag).where(
                c.store == store,
                c.bucket == bucket,
                is_among(c.key, wanted[start : start + BATCH], connection.dialect),
                c.state == RecordingState.LIVE,
                ~exists().where(removed_audio.c.recording_id == c.id),
            )
            for row in connection.execute(statement):
                known[row.key, row.version_tag] = KnownVersion(
                    recording_id=row.id, uploaded_at=row.uploaded_at, identity_tag=row.identity_tag
                )
    return known


def count_without_offset(engine: Engine) -> tuple[int, int]:
    """Count recordings whose time is known and whose local time is not: all, and those whose audio is no longer there."""
    c = recordings.c
    is_gone = or_(c.state != RecordingState.LIVE, exists().where(removed_audio.c.recording_id == c.id))
    counted = func.count(), func.coalesce(func.sum(case((is_gone, 1), else_=0)), 0)
    wanted = c.recorded_at.is_not(None), c.utc_offset_min.is_(None), c.state != RecordingState.ERASED
    with reading(engine) as connection:
        n_all, n_gone = connection.execute(select(*counted).where(*wanted)).one()
    return n_all, n_gone


def get(engine: Engine, recording_id: int) -> Recording | None:
    """Read one recording; None where there is none of this id."""
    with reading(engine) as connection:
        return read_recording(connection, recording_id)


def find(engine: Engine, wanted: str) -> list[Recording]:
    """Find recordings by id, by key, or by the end of a key after a slash.

    Returns:
        Live versions first, newest registration first; empty where nothing fits.
    """
    matches = [recordings.c.key == wanted, recordings.c.key.endswith(f"/{wanted}", autoescape=True)]
    if wanted.isdecimal() and len(wanted) < len(str(2**63)):
        matches.append(recordings.c.id == int(wanted))
    is_live = recordings.c.state == RecordingState.LIVE
    statement = select(recordings).where(or_(*matches)).order_by(is_live.desc(), recordings.c.id.desc())
    with reading(engine) as connection:
        return [as_recording(row._asdict()) for row in connection.execute(statement)]


def read_recording(connection: Connection, recording_id: int) -> Recording | None:
    """Read one recording inside a transaction."""
    row = connection.execute(select(recordings).where(recordings.c.id == recording_id)).one_or_none()
    return None if row is None else as_recording(row._asdict())


def as_recording(values: dict[str, Any]) -> Recording:
    """Make the dataclass of a whole row."""
    return Recording(**{**values, "state": RecordingState(values["state"])})


def _not_being_erased(connection: Connection, batch: Sequence[NewRecording]) -> list[NewRecording]:
    by_bucket: dict[tuple[str, str], list[str]] = {}
    for new in batch:
        by_bucket.setdefault((new.store, new.bucket), []).append(new.key)
    erased = {place: keys_being_erased(connection, *place, keys=keys) for place, keys in by_bucket.items()}
    return [new for new in batch if new.key not in erased[new.store, new.bucket]]
