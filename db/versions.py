"""Keeps what a key holds: of its versions one is LIVE, and the jobs of the others end or come back with it."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, update

from db.columns import db_now, db_now_s, is_among, unnest_rows
from db.reasons import JobState, Reason, RecordingState
from db.rows import NewRecording
from db.schema import jobs, recordings, removed_audio

_Key = tuple[str, str, str]
_NAMES = tuple(field.name for field in fields(NewRecording))


def register_batch(connection: Connection, batch: Sequence[NewRecording]) -> int:
    """Register versions inside a transaction; gives how many are new. The last one of a key is what the key holds."""
    last = {(new.store, new.bucket, new.key): new for new in batch}
    stored = _stored_versions(connection, last)
    known = {(*key, tag) for key, versions in stored.items() for tag in versions}
    fresh = {(new.store, new.bucket, new.key, new.version_tag): new for new in batch}
    fresh = {identity: new for identity, new in fresh.items() if identity not in known}
    replaced, restored, seen = [], [], []
    for key, new in last.items():
        for tag, (recording_id, state) in stored.get(key, {}).items():
            if tag == new.version_tag:
                seen.append(recording_id)
            if tag == new.version_tag and state == RecordingState.SUPERSEDED:
                restored.append(recording_id)
            elif tag != new.version_tag and state == RecordingState.LIVE:
                replaced.append(recording_id)
    _supersede(connection, replaced)
    _restore(connection, restored)
    _note_audio(connection, seen)
    if fresh:
        _insert(connection, [_row(new, last) for new in fresh.values()])
    return len(fresh)


def _insert(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Insert rows in their order, on PostgreSQL in one statement, since there each one costs a message and a plan."""
    if connection.dialect.name == "postgresql":
        names = (*_NAMES, "state")
        given = unnest_rows([recordings.c[name] for name in names], rows)
        wanted = select(*given, db_now())
        connection.execute(insert(recordings).from_select([*names, "registered_at"], wanted))
    else:
        connection.execute(insert(recordings).values(registered_at=db_now()), rows)


def _row(new: NewRecording, last: dict[_Key, NewRecording]) -> dict[str, Any]:
    is_last = last[(new.store, new.bucket, new.key)].version_tag == new.version_tag
    values = {name: getattr(new, name) for name in _NAMES}  # `asdict` copies each value, which takes ten times as long
    return {**values, "state": RecordingState.LIVE if is_last else RecordingState.SUPERSEDED}


def _stored_versions(connection: Connection, keys: Iterable[_Key]) -> dict[_Key, dict[str, tuple[int, str]]]:
    by_bucket: dict[tuple[str, str], list[str]] = {}
    for store, bucket, key in keys:
        by_bucket.setdefault((store, bucket), []).append(key)
    versions: dict[_Key, dict[str, tuple[int, str]]] = {}
    c = recordings.c
    for (store, bucket), names in by_bucket.items():
        place = and_(c.store == store, c.bucket == bucket, is_among(c.key, names, connection.dialect))
        for row in connection.execute(select(c.key, c.version_tag, c.id, c.state).where(place)):
            versions.setdefault((store, bucket, row.key), {})[row.version_tag] = (row.id, row.state)
    return versions


def _supersede(connection: Connection, ids: list[int]) -> None:
    if not ids:
        return
    connection.execute(update(recordings).where(recordings.c.id.in_(ids)).values(state=RecordingState.SUPERSEDED))
    connection.execute(
        update(jobs)
        .where(jobs.c.recording_id.in_(ids), jobs.c.state.in_((JobState.PENDING, JobState.QUEUED)))
        .values(
            state=JobState.CANCELLED,
            reason=Reason.OBJECT_CHANGED,
            detail="a newer version of this object was registered",
            finished_at=db_now(),
        )
    )


def _restore(connection: Connection, ids: list[int]) -> None:
    if not ids:
        return
    connection.execute(update(recordings).where(recordings.c.id.in_(ids)).values(state=RecordingState.LIVE))
    _revive(connection, ids, Reason.OBJECT_CHANGED)


def _note_audio(connection: Connection, ids: list[int]) -> None:
    """Take back the note that the audio of these recordings was removed: it is there again."""
    gone = delete(removed_audio).where(removed_audio.c.recording_id.in_(ids)).returning(removed_audio.c.recording_id)
    back = list(connection.scalars(gone)) if ids else []
    if back:
        _revive(connection, back, Reason.ERASED, Reason.OBJECT_MISSING)


def _revive(connection: Connection, ids: list[int], *reasons: Reason) -> None:
    ended = jobs.c.state.in_((JobState.DEAD, JobState.CANCELLED))
    connection.execute(
        update(jobs)
        .where(jobs.c.recording_id.in_(ids), ended, jobs.c.reason.in_(reasons))
        .values(state=JobState.PENDING, reason=None, detail=None, finished_at=None, next_run_at_s=db_now_s())
    )
