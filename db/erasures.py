"""Takes people out of the database and remembers which objects are still to be removed; it never touches storage.

An erasure begins as one transaction. From then on nobody can read or write anything about its recordings: their rows
stay behind empty, as ERASED, so that a late attempt or a repeated message finds an ended job. What is left to do is in
`erasure_objects` until it is gone. The row in `erasures` stays, and says when and how much, never whose.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    String,
    and_,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    union,
    update,
)

from db import hints, upload_erasures
from db.aliases import present_name
from db.api_schema import erasure_requests
from db.columns import db_now
from db.corrections import forget_person
from db.engine import reading
from db.export_jobs import forget_of_tenants
from db.fences import lock_registration
from db.outbox import add_erasure
from db.people_moves import forget_erased
from db.reasons import ErasureScope, JobState, Outcome, Reason, RecordingState
from db.rows import DEFAULT_TENANT
from db.schema import (
    attempts,
    erasure_objects,
    erasures,
    identity_changes,
    jobs,
    recordings,
    removed_audio,
    results,
    segments,
)
from db.tenancy import every_tenant

_c = recordings.c
_IDENTITY: dict[str, Any] = {
    "bucket": "",
    "key": "",
    "version_tag": literal("erased-") + cast(_c.id, String),  # the tag is a hash of the audio, and has to be unique
    "size_bytes": 0,
    "subject": None,
    "subject_source": "unknown",
    "recorded_at": None,
    "recorded_at_precision": None,
    "recorded_at_source": "unknown",
    "tenant": DEFAULT_TENANT,
    "tenant_source": "default",
    "utc_offset_min": None,
    "recorded_at_zone": None,
    "local_day": None,
    "identity_tag": None,
    "uploaded_at": _c.registered_at,
    "state": RecordingState.ERASED,
}


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which recordings to erase: those of one person, one by its id, or those older than a moment.

    Of a person, uploads that are no recordings yet go too.

    Exactly one of the four is given; `subject` is a present or former name of somebody of `tenant`. Older than `before` is what was recorded before it, or registered before it
    where the time of recording is unknown; `registered_before` asks for nothing but the registration. Every version of
    a chosen recording's key goes with it.
    """

    subject: str | None = None
    tenant: str = DEFAULT_TENANT
    recording_id: int | None = None
    before: datetime | None = None
    registered_before: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much an erasure would take away."""

    n_recordings: int
    n_results: int
    n_objects: int
    n_running: int


@dataclass(frozen=True, kw_only=True)
class OldRecording:
    """A recording that a retention would take; who speaks is left out, so that a list may be kept."""

    id: int
    recorded_at: datetime | None
    registered_at: datetime


def measure(engine: Engine, chosen: Chosen, *, scope: ErasureScope) -> Extent:
    """Count what an erasure would take away, and change nothing."""
    with reading(engine) as connection:
        chosen = _under_present_name(connection, chosen)
        ids = _same_keys(_places(chosen, scope=scope).subquery("places").c)
        return Extent(
            n_recordings=_count(connection, select(recordings.c.id).where(recordings.c.id.in_(ids))),
            n_results=_count(connection, _results_of(ids, scope)),
            n_objects=_count(connection, _places(chosen, scope=scope)),
            n_running=_count(
                connection, select(jobs.c.id).where(jobs.c.recording_id.in_(ids), jobs.c.state == JobState.RUNNING)
            ),
        )


def begin(engine: Engine, chosen: Chosen, *, scope: ErasureScope, key_id: int | None = None) -> int | None:
    """Erase from the database and remember the objects to remove, in one transaction.

    Jobs end as CANCELLED with the reason ERASED and lose their token, so that an attempt that is under way writes
    nothing. With scope AUDIO results and identity stay; finished jobs stay as they are.

    Args:
        engine: the database.
        chosen: whose recordings, or which.
        scope: what is taken away.
        key_id: the key of the HTTP API that asked; keys of its tenant may then look at the erasure.

    Returns:
        The id of the erasure; None where nothing fits `chosen`.
    """
    with every_tenant(), engine.begin() as connection:  # a row that is emptied is of no tenant any more
        lock_registration(connection)
        chosen = _under_present_name(connection, chosen)
        if _count(connection, _places(chosen, scope=scope)) == 0:
            return None
        empty = {"scope": scope, "requested_at": db_now(), "n_recordings": 0, "n_results": 0}
        begun = insert(erasures).values(empty).returning(erasures.c.id)
        erasure_id: int = connection.execute(begun).scalar_one()
        if key_id is not None:
            asked = {"erasure_id": erasure_id, "tenant": chosen.tenant, "key_id": key_id}
            connection.execute(insert(erasure_requests).values(asked))
        places = _places(chosen, scope=scope).add_columns(literal(erasure_id))
        columns = ["store", "bucket", "key", "erasure_id"]
        connection.execute(insert(erasure_objects).from_select(columns, places))
        places_left = select(erasure_objects).where(erasure_objects.c.erasure_id == erasure_id).subquery("places_left")
        ids = _same_keys(places_left.c)
        n_recordings = _count(connection, ids)
        _fence(connection, ids, scope)
        upload_erasures.fence(connection, places_left.c)
        hints.forget_all(connection)
        # Counted behind the fence: an attempt that finished just before it has written a result.
        n_results = _count(connection, _results_of(ids, scope))
        if scope is ErasureScope.AUDIO:
            _note_removal(connection, ids, erasure_id)
        else:
            _empty_rows(connection, ids, erasure_id)
            if chosen.subject is not None:
                upload_erasures.forget_answers(connection, chosen.tenant, chosen.subject)
        audit = {"n_recordings": n_recordings, "n_results": n_results}
        connection.execute(update(erasures).where(erasures.c.id == erasure_id).values(audit))
        return erasure_id


def list_old(engine: Engine, chosen: Chosen, *, scope: ErasureScope, limit: int) -> list[OldRecording]:
    """List what a retention would take, oldest first; see `Chosen`."""
    columns = [_c[name] for name in OldRecording.__dataclass_fields__]
    statement = select(*columns).where(_fits(chosen, scope)).order_by(_age(), _c.id).limit(limit)
    with reading(engine) as connection:
        return [OldRecording(**row._asdict()) for row in connection.execute(statement)]


def _under_present_name(connection: Connection, chosen: Chosen) -> Chosen:
    # In the erasure's own transaction: a rename between question and erasure must not hide anybody.
    if chosen.subject is None:
        return chosen
    return replace(chosen, subject=present_name(connection, chosen.tenant, chosen.subject))


def _age() -> ColumnElement[datetime]:
    return func.coalesce(_c.recorded_at, _c.registered_at)


def _fits(chosen: Chosen, scope: ErasureScope) -> ColumnElement[bool]:
    fits: list[ColumnElement[bool]] = [_c.state != RecordingState.ERASED]
    if chosen.subject is not None:
        fits += [_c.tenant == chosen.tenant, _c.subject == chosen.subject]
    if chosen.recording_id is not None:
        fits.append(_c.id == chosen.recording_id)
    if chosen.before is not None:
        # What the key holds now decides: an old version must not take a new one with it.
        fits += [_c.state == RecordingState.LIVE, _age() < chosen.before]
    if chosen.registered_before is not None:
        fits += [_c.state == RecordingState.LIVE, _c.registered_at < chosen.registered_before]
    if scope is ErasureScope.AUDIO:
        fits.append(~exists().where(removed_audio.c.recording_id == _c.id))
    return and_(*fits)


def _places(chosen: Chosen, *, scope: ErasureScope) -> Select[Any]:
    of_recordings = select(_c.store, _c.bucket, _c.key).where(_fits(chosen, scope))
    if chosen.subject is None or scope is ErasureScope.AUDIO:
        return of_recordings.distinct()
    of_uploads = upload_erasures.places_of(chosen.tenant, chosen.subject)
    return select(union(of_recordings, of_uploads).subquery())


def _same_keys(places: Any) -> Select[Any]:
    is_same = and_(_c.store == places.store, _c.bucket == places.bucket, _c.key == places.key)
    # Never correlated: found once by its index, not once for every recording there is.
    return select(_c.id).where(is_same, _c.state != RecordingState.ERASED).correlate(None)


def _results_of(ids: Select[Any], scope: ErasureScope) -> Select[Any]:
    is_kept = scope is ErasureScope.AUDIO
    return select(results.c.recording_id).where(results.c.recording_id.in_(ids), literal(not is_kept))


def _count(connection: Connection, statement: Select[Any]) -> int:
    return connection.scalar(select(func.count()).select_from(statement.subquery())) or 0


def _fence(connection: Connection, ids: Select[Any], scope: ErasureScope) -> None:
    # Jobs come first, as in `ledger.finish`: in the other order two transactions could wait for each other.
    of_job = jobs.c.recording_id.in_(ids)
    is_open = jobs.c.state.in_((JobState.PENDING, JobState.QUEUED, JobState.RUNNING))
    cut_short = and_(attempts.c.ended_at.is_(None), attempts.c.job_id.in_(select(jobs.c.id).where(of_job)))
    cleared = dict.fromkeys(("lease_token", "lease_until_s", "queued_at_s", "detail"))
    ended = {"state": JobState.CANCELLED, "reason": Reason.ERASED, "finished_at": db_now()}
    chosen = of_job if scope is ErasureScope.ALL else and_(of_job, is_open)
    connection.execute(update(jobs).where(chosen).values(**cleared, **ended))
    outcome = {"ended_at": db_now(), "outcome": Outcome.ERASED, "reason": Reason.ERASED}
    connection.execute(update(attempts).where(cut_short).values(outcome))


def _note_removal(connection: Connection, ids: Select[Any], erasure_id: int) -> None:
    is_new = ~exists().where(removed_audio.c.recording_id == _c.id)
    columns = ["recording_id", "erasure_id"]
    new = ids.where(is_new).add_columns(literal(erasure_id))
    connection.execute(insert(removed_audio).from_select(columns, new))


def _empty_rows(connection: Connection, ids: Select[Any], erasure_id: int) -> None:
    whose = select(_c.tenant, _c.subject, _c.id).where(_c.id.in_(ids), _c.subject.is_not(None)).order_by(_c.id)
    named: dict[tuple[str, str], list[int]] = {}
    for row in connection.execute(whose):
        named.setdefault((row.tenant, row.subject), []).append(row.id)
    forget_erased(connection, ids)
    tenants = connection.scalars(select(_c.tenant).where(_c.id.in_(ids)).distinct()).all()
    forget_of_tenants(connection, tenants)
    for table in (segments, results, removed_audio, identity_changes):
        connection.execute(delete(table).where(table.c.recording_id.in_(ids)))
    of_job = attempts.c.job_id.in_(select(jobs.c.id).where(jobs.c.recording_id.in_(ids)))
    connection.execute(update(attempts).where(of_job).values(detail=None))
    # Last, since it takes away the keys by which the recordings were found.
    connection.execute(update(recordings).where(_c.id.in_(ids)).values(_IDENTITY))
    for (tenant, subject), note_ids in named.items():
        forget_person(connection, tenant, subject)
        add_erasure(connection, tenant, subject, erasure_id=erasure_id, note_ids=note_ids)
