"""What is sent to which endpoint: taken by one sender at a time, and ended with what came of it.

A sender that takes a delivery moves its next attempt to the end of a lease. If the sender dies, another one takes it
then: a message is delivered at least once. A token keeps a late sender from writing over what came after it.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, and_, delete, exists, literal, or_, select, update

from db.columns import db_now, db_now_s
from db.engine import reading
from db.reasons import DeliveryState, DisabledReason, EventKind, RecordingState
from db.schema import recordings
from db.webhook_schema import webhook_deliveries, webhook_endpoints, webhook_secrets

DISABLE_AFTER = timedelta(days=5)  # without one success
EXPIRE_BATCH = 5_000
_d, _w, _s = webhook_deliveries.c, webhook_endpoints.c, webhook_secrets.c


@dataclass(frozen=True, kw_only=True)
class DueEndpoint:
    """An endpoint for which something is due."""

    id: int
    tenant: str
    is_failing: bool


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A delivery that a sender has taken: the token proves it until the lease ends."""

    id: int
    token: str
    endpoint_id: int
    message_id: str
    kind: EventKind
    recording_id: int | None
    day: date | None
    data: dict[str, Any]
    at: datetime
    n_attempts: int


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """Where a delivery goes now, with the secrets that sign it, newest first.

    `is_there`: whether the recording that it is about belongs to the tenant and is live; `subject`: who speaks in it.
    """

    url: str
    secrets: tuple[str, ...]
    is_there: bool
    subject: str | None


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How an attempt ended.

    Attributes:
        state: DELIVERED, CANCELLED, FAILED where no attempt follows, or PENDING where one does.
        status: the HTTP status, if there was one.
        error: why it did not succeed, in our words.
        retry_in_s: after how long the next attempt is due; of PENDING.
        is_gone: whether the endpoint said that it wants nothing more.
    """

    state: DeliveryState
    status: int | None = None
    error: str | None = None
    retry_in_s: float = 0.0
    is_gone: bool = False


def due_endpoints(engine: Engine) -> list[DueEndpoint]:
    """Find the enabled endpoints for which a delivery is due that nobody has taken."""
    due = exists().where(_d.endpoint_id == _w.id, *_is_due())
    wanted = select(_w.id, _w.tenant, _w.failing_since).where(_w.disabled_at.is_(None), due).order_by(_w.id)
    with reading(engine) as connection:
        rows = connection.execute(wanted).all()
    return [DueEndpoint(id=row.id, tenant=row.tenant, is_failing=row.failing_since is not None) for row in rows]


def take(engine: Engine, endpoint_id: int, *, limit: int, lease_s: float) -> list[Taken]:
    """Take the deliveries of an endpoint that have been due for the longest time, for the length of a lease."""
    oldest = select(_d.id).where(_d.endpoint_id == endpoint_id, *_is_due()).order_by(_d.next_at_s, _d.id).limit(limit)
    token = uuid.uuid4().hex
    # Asked again in the update itself: on PostgreSQL it waits for a sender that has just taken the same row.
    taken = update(webhook_deliveries).where(_d.id.in_(oldest), *_is_due())
    values = {"next_at_s": db_now_s() + lease_s, "lease_token": token}
    with engine.begin() as connection:
        rows = connection.execute(taken.values(values).returning(*_d)).all()
    names = set(Taken.__dataclass_fields__) - {"token", "kind", "data"}
    found = [
        Taken(
            token=token,
            kind=EventKind(row.kind),
            data=dict(row.data or {}),
            **{name: getattr(row, name) for name in names},
        )
        for row in rows
    ]
    return sorted(found, key=lambda delivery: delivery.id)


def find_recipient(engine: Engine, taken: Taken) -> Recipient | None:
    """Say where a delivery goes now; None where its endpoint is disabled or deleted."""
    r = recordings.c
    is_valid = or_(_s.expires_at.is_(None), _s.expires_at > db_now())
    of_endpoint = select(_s.secret).where(_s.endpoint_id == taken.endpoint_id, is_valid).order_by(_s.id.desc())
    with reading(engine) as connection:
        wanted = select(_w.url, _w.tenant).where(_w.id == taken.endpoint_id, _w.disabled_at.is_(None))
        endpoint = connection.execute(wanted).one_or_none()
        if endpoint is None:
            return None
        of_tenant = and_(r.id == taken.recording_id, r.tenant == endpoint.tenant, r.state == RecordingState.LIVE)
        recording = connection.execute(select(r.subject).where(of_tenant)).one_or_none()
        return Recipient(
            url=endpoint.url,
            secrets=tuple(connection.scalars(of_endpoint)),
            is_there=recording is not None,
            subject=None if recording is None else recording.subject,
        )


def end(engine: Engine, taken: Taken, attempt: Attempt) -> bool:
    """Write what came of an attempt, and what it says about the endpoint.

    Returns:
        Whether it was still ours: False where the lease had ended and somebody else took it, or it was deleted.
    """
    is_over = attempt.state is not DeliveryState.PENDING
    is_sent = attempt.state is not DeliveryState.CANCELLED
    values = {
        "state": attempt.state,
        "n_attempts": _d.n_attempts + int(is_sent),
        "lease_token": None,
        "next_at_s": db_now_s() + attempt.retry_in_s,
        "response_status": attempt.status,
        "error": attempt.error,
        "finished_at": db_now() if is_over else None,
    } | ({"attempted_at": db_now()} if is_sent else {})
    with engine.begin() as connection:
        held = update(webhook_deliveries).where(_d.id == taken.id, _d.lease_token == taken.token)
        if connection.execute(held.values(values)).rowcount == 0:
            return False
        of_endpoint = update(webhook_endpoints).where(_w.id == taken.endpoint_id)
        if attempt.state is DeliveryState.DELIVERED:
            connection.execute(of_endpoint.where(_w.failing_since.is_not(None)).values(failing_since=None))
        elif is_sent:
            now: datetime = connection.execute(select(db_now())).scalar_one()
            connection.execute(of_endpoint.where(_w.failing_since.is_(None)).values(failing_since=now))
            is_enabled = of_endpoint.where(_w.disabled_at.is_(None))
            why = DisabledReason.GONE if attempt.is_gone else DisabledReason.FAILING
            fails_long = literal(attempt.is_gone) | (_w.failing_since <= now - DISABLE_AFTER)
            connection.execute(is_enabled.where(fails_long).values(disabled_at=now, disabled_reason=why))
    return True


def expire(engine: Engine, *, keep: timedelta) -> int:
    """Delete deliveries that were made longer ago than `keep`, and secrets that sign no more; gives how many deliveries."""
    n_deleted = 0
    while True:
        with engine.begin() as connection:
            now: datetime = connection.execute(select(db_now())).scalar_one()
            connection.execute(delete(webhook_secrets).where(_s.expires_at <= now))
            old = select(_d.id).where(_d.created_at < now - keep).order_by(_d.created_at).limit(EXPIRE_BATCH)
            n = connection.execute(delete(webhook_deliveries).where(_d.id.in_(old))).rowcount
        n_deleted += n
        if n < EXPIRE_BATCH:
            return n_deleted


def _is_due() -> list[Any]:
    return [_d.state == DeliveryState.PENDING, _d.next_at_s <= db_now_s()]
