"""The deliveries of an endpoint, as its app sees them: listed, sent once more, and one to try the endpoint."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from db.columns import db_now, db_now_s
from db.engine import reading
from db.errors import RowNotFound
from db.outbox import new_message_id
from db.reasons import DeliveryState, EventKind
from db.webhook_schema import webhook_deliveries, webhook_endpoints

_d = webhook_deliveries.c
_COPIED = ("endpoint_id", "tenant", "message_id", "kind", "recording_id", "day", "data", "at")


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One message to one endpoint, and what came of it; `next_at` is None once it is finished."""

    id: int
    message_id: str
    kind: EventKind
    recording_id: int | None
    at: datetime
    state: DeliveryState
    n_attempts: int
    next_at: datetime | None
    attempted_at: datetime | None
    response_status: int | None
    error: str | None
    finished_at: datetime | None
    replay_of: int | None


def list_deliveries(
    engine: Engine, endpoint_id: int, *, before_id: int | None, state: DeliveryState | None, limit: int
) -> list[Delivery]:
    """Read deliveries of an endpoint, newest first."""
    chosen = [_d.endpoint_id == endpoint_id]
    chosen += [] if before_id is None else [_d.id < before_id]
    chosen += [] if state is None else [_d.state == state]
    wanted = select(webhook_deliveries).where(*chosen).order_by(_d.id.desc()).limit(limit)
    with reading(engine) as connection:
        return [_as_delivery(row._asdict()) for row in connection.execute(wanted)]


def replay(engine: Engine, endpoint_id: int, delivery_id: int) -> Delivery:
    """Send a message once more, as a delivery of its own with the same message id.

    Raises:
        RowNotFound: the endpoint has no such delivery.
    """
    wanted = select(webhook_deliveries).where(_d.id == delivery_id, _d.endpoint_id == endpoint_id)
    with engine.begin() as connection:
        row = connection.execute(wanted).one_or_none()
        if row is None:
            raise RowNotFound(f"this endpoint has no delivery {delivery_id}")
        return _add(connection, {name: getattr(row, name) for name in _COPIED} | {"replay_of": delivery_id})


def add_test(engine: Engine, endpoint_id: int) -> Delivery:
    """Have a message of the type `webhook.test` sent to an endpoint, whatever it has subscribed to.

    Raises:
        RowNotFound: there is no such endpoint any more.
    """
    values = {"endpoint_id": endpoint_id, "message_id": new_message_id(), "kind": EventKind.TEST, "at": db_now()}
    with engine.begin() as connection:
        tenant = connection.scalar(select(webhook_endpoints.c.tenant).where(webhook_endpoints.c.id == endpoint_id))
        if tenant is None:
            raise RowNotFound(f"there is no webhook endpoint {endpoint_id}")
        return _add(connection, {**values, "tenant": tenant})


def _add(connection: Connection, values: dict[str, Any]) -> Delivery:
    new = {"state": DeliveryState.PENDING, "n_attempts": 0, "created_at": db_now(), "next_at_s": db_now_s()}
    row = connection.execute(insert(webhook_deliveries).values(**values, **new).returning(*_d)).one()
    return _as_delivery(row._asdict())


def _as_delivery(values: dict[str, Any]) -> Delivery:
    same = {name: values[name] for name in set(Delivery.__dataclass_fields__) - {"kind", "state", "next_at"}}
    state = DeliveryState(values["state"])
    next_at = datetime.fromtimestamp(values["next_at_s"], UTC) if state is DeliveryState.PENDING else None
    return Delivery(kind=EventKind(values["kind"]), state=state, next_at=next_at, **same)
