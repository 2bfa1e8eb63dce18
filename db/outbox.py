"""The outbox of webhooks: what happened, until deliveries have been made of it.

Triggers write what happens to notes and models (migration 0014); `add` writes what no single row shows: a person's day,
trend or erasure. Both happen in the transaction of the change, so that an event is there exactly if its change is.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, exists, func, insert, select

from db.columns import db_now, db_now_s
from db.engine import reading
from db.reasons import DeliveryState, EventKind, RecordingState
from db.schema import recordings
from db.webhook_schema import webhook_deliveries, webhook_endpoints, webhook_events

FAN_OUT_BATCH = 500
MAX_NOTE_IDS = 100
_e, _w = webhook_events.c, webhook_endpoints.c
_CARRIED = ("tenant", "kind", "recording_id", "day", "data", "at")


def add(
    connection: Connection,
    tenant: str,
    kind: EventKind,
    *,
    subject: str | None = None,
    day: date | None = None,
    data: Mapping[str, Any] | None = None,
) -> bool:
    """Write what happened, in the caller's transaction; nothing where the tenant has no endpoint that is enabled.

    Args:
        connection: the transaction of the change.
        tenant: whose event it is.
        kind: what happened.
        subject: the person whom it is about, by the present name. It is not written: the row points to the person's
            newest recording, and the sender reads the name there, so that it sends the name of then, or nothing.
        day: the local day that it is about.
        data: further members of the payload; no names of people and no scores.

    Returns:
        Whether a row was written. None is where the person has no recording.
    """
    # By these two columns: whoever adds may read no other.
    if not connection.scalar(select(exists(select(_w.tenant).where(_w.tenant == tenant, _w.disabled_at.is_(None))))):
        return False
    recording_id = None
    if subject is not None:
        c = recordings.c
        of_person = (c.tenant == tenant, c.subject == subject, c.state == RecordingState.LIVE)
        recording_id = connection.scalar(select(func.max(c.id)).where(*of_person))
        if recording_id is None:
            return False
    values = {"tenant": tenant, "kind": kind, "recording_id": recording_id, "day": day}
    # Inline: whoever adds may write here and read nothing.
    connection.execute(insert(webhook_events).inline().values(**values, data=dict(data or {}), at=db_now()))
    return True


def list_tenants(connection: Connection) -> list[str]:
    """List the tenants that have an endpoint which is enabled."""
    return list(connection.scalars(select(_w.tenant).where(_w.disabled_at.is_(None)).distinct().order_by(_w.tenant)))


def add_erasure(connection: Connection, tenant: str, subject: str, *, erasure_id: int, note_ids: Sequence[int]) -> bool:
    """Write that somebody was erased, unless recordings of the person are left.

    An app learns whom to forget without a name that we would have to keep: it knows the erasure if it asked for it, and
    else whose the notes were.

    Args:
        connection: the erasure's transaction, after it has emptied the recordings.
        tenant: the person's.
        subject: the name that the person had; it is not written.
        erasure_id: the erasure.
        note_ids: the person's recordings; the first 100 are written.

    Returns:
        Whether a row was written.
    """
    c = recordings.c
    of_person = (c.tenant == tenant, c.subject == subject, c.state != RecordingState.ERASED)
    if connection.scalar(select(exists().where(*of_person))):
        return False
    data = {"erasure_id": erasure_id, "n_notes": len(note_ids), "note_ids": list(note_ids[:MAX_NOTE_IDS])}
    return add(connection, tenant, EventKind.SUBJECT_ERASED, data=data)


def fan_out(engine: Engine) -> int:
    """Make deliveries of the oldest 500 events, in one transaction; gives how many events they were.

    Whatever number of senders do this at once, each event is taken by one.
    """
    with reading(engine) as connection:
        if not connection.scalar(select(exists().where(_e.id.is_not(None)))):
            return 0
    with engine.begin() as connection:
        oldest = select(_e.id).order_by(_e.id).limit(FAN_OUT_BATCH)
        taken = connection.execute(delete(webhook_events).where(_e.id.in_(oldest)).returning(*_e)).all()
        asked = select(_w.id, _w.tenant, _w.events).where(
            _w.tenant.in_({event.tenant for event in taken}), _w.disabled_at.is_(None)
        )
        endpoints = connection.execute(asked).all()
        rows = []
        for event in sorted(taken, key=lambda event: event.id):
            message = {name: getattr(event, name) for name in _CARRIED} | {"message_id": new_message_id()}
            rows += [
                {**message, "endpoint_id": endpoint.id}
                for endpoint in endpoints
                if endpoint.tenant == event.tenant and event.kind in endpoint.events
            ]
        if rows:
            new = {"state": DeliveryState.PENDING, "n_attempts": 0, "created_at": db_now(), "next_at_s": db_now_s()}
            connection.execute(insert(webhook_deliveries).values(new), rows)
    return len(taken)


def expire(engine: Engine, *, keep: timedelta) -> int:
    """Delete events that no sender took for this long, since none is running; gives how many."""
    with engine.begin() as connection:
        now: datetime = connection.execute(select(db_now())).scalar_one()
        return connection.execute(delete(webhook_events).where(_e.at < now - keep)).rowcount


def new_message_id() -> str:
    """Give a message its id: random, because a number of the database may come again after its row is deleted."""
    return f"msg_{uuid.uuid4().hex}"
