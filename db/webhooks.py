"""The endpoints of webhooks and their signing secrets; every function sees one tenant."""

import base64
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from db.columns import db_now
from db.engine import reading
from db.errors import RowNotFound
from db.reasons import DisabledReason, EventKind
from db.webhook_schema import webhook_endpoints, webhook_secrets

MAX_ENDPOINTS = 20  # of a tenant
SECRET_PREFIX = "whsec_"  # noqa: S105 - what Standard Webhooks puts before a symmetric secret
_N_BYTES = 32  # the specification allows 24 to 64
_c, _s = webhook_endpoints.c, webhook_secrets.c


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where an app wants to be told what; disabled since `disabled_at`, failing without a success since `failing_since`."""

    id: int
    tenant: str
    url: str
    description: str
    events: tuple[EventKind, ...]
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None
    failing_since: datetime | None


@dataclass(frozen=True, kw_only=True)
class NewSecret:
    """A secret that was just made, and until when the one before signs beside it."""

    secret: str
    old_until: datetime


class TooManyEndpoints(ValueError):
    """A tenant has as many endpoints as it may have."""


def create(
    engine: Engine, tenant: str, *, url: str, description: str, events: Collection[EventKind]
) -> tuple[Endpoint, str]:
    """Make an endpoint; it gets what happens from now on.

    Returns:
        The endpoint and its secret.

    Raises:
        TooManyEndpoints: the tenant has 20.
    """
    values = {"tenant": tenant, "url": url, "description": description, "events": sorted(events)}
    secret = _new_secret()
    with engine.begin() as connection:
        n = connection.scalar(select(func.count()).select_from(webhook_endpoints).where(_c.tenant == tenant)) or 0
        if n >= MAX_ENDPOINTS:
            raise TooManyEndpoints(f"there are {n} endpoints, {MAX_ENDPOINTS} are allowed: delete one")
        made = insert(webhook_endpoints).values(**values, created_at=db_now()).returning(*_c)
        endpoint = _as_endpoint(connection.execute(made).one()._asdict())
        _add_secret(connection, endpoint.id, secret)
    return endpoint, secret


def list_endpoints(engine: Engine, tenant: str) -> list[Endpoint]:
    """Read the endpoints of a tenant, oldest first."""
    with reading(engine) as connection:
        rows = connection.execute(select(webhook_endpoints).where(_c.tenant == tenant).order_by(_c.id)).all()
    return [_as_endpoint(row._asdict()) for row in rows]


def get(engine: Engine, tenant: str, endpoint_id: int) -> Endpoint:
    """Read an endpoint.

    Raises:
        RowNotFound: there is none, or it is another tenant's.
    """
    with reading(engine) as connection:
        return _require(connection, tenant, endpoint_id)


def change(
    engine: Engine, tenant: str, endpoint_id: int, *, is_disabled: bool | None = None, **values: Any
) -> Endpoint:
    """Change an endpoint.

    Args:
        engine: the database.
        tenant: whose it is.
        endpoint_id: which.
        is_disabled: True: it gets nothing until it is enabled again, and what happens meanwhile is not kept for it.
            False: it is enabled, whatever disabled it. None: as it is.
        **values: `url`, `description` or `events`; what is not given stays.

    Raises:
        RowNotFound: there is no such endpoint of this tenant.
    """
    if is_disabled is False:
        values |= {"disabled_at": None, "disabled_reason": None, "failing_since": None}
    with engine.begin() as connection:
        before = _require(connection, tenant, endpoint_id)
        if is_disabled and before.disabled_at is None:
            values |= {"disabled_at": db_now(), "disabled_reason": DisabledReason.BY_APP}
        if values:
            connection.execute(update(webhook_endpoints).where(_c.id == endpoint_id).values(values))
        return _require(connection, tenant, endpoint_id)


def remove(engine: Engine, tenant: str, endpoint_id: int) -> None:
    """Delete an endpoint with its secrets and deliveries.

    Raises:
        RowNotFound: there is no such endpoint of this tenant.
    """
    with engine.begin() as connection:
        _require(connection, tenant, endpoint_id)
        connection.execute(delete(webhook_endpoints).where(_c.id == endpoint_id))


def rotate(engine: Engine, tenant: str, endpoint_id: int, *, grace: timedelta) -> NewSecret:
    """Make a new secret; messages are signed with the one before too for a while, and with no older one from now on.

    Raises:
        RowNotFound: there is no such endpoint of this tenant.
    """
    secret = _new_secret()
    with engine.begin() as connection:
        _require(connection, tenant, endpoint_id)
        now: datetime = connection.execute(select(db_now())).scalar_one()
        of_endpoint = update(webhook_secrets).where(_s.endpoint_id == endpoint_id)
        connection.execute(of_endpoint.where(_s.expires_at > now).values(expires_at=now))
        connection.execute(of_endpoint.where(_s.expires_at.is_(None)).values(expires_at=now + grace))
        _add_secret(connection, endpoint_id, secret)
    return NewSecret(secret=secret, old_until=now + grace)


def _new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_N_BYTES)).decode()


def _add_secret(connection: Connection, endpoint_id: int, secret: str) -> None:
    # Inline: the API's role writes secrets and reads none.
    row = insert(webhook_secrets).inline().values(endpoint_id=endpoint_id, secret=secret, created_at=db_now())
    connection.execute(row)


def _require(connection: Connection, tenant: str, endpoint_id: int) -> Endpoint:
    wanted = select(webhook_endpoints).where(_c.id == endpoint_id, _c.tenant == tenant)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise RowNotFound(f"there is no webhook endpoint {endpoint_id} of this tenant")
    return _as_endpoint(row._asdict())


def _as_endpoint(values: dict[str, Any]) -> Endpoint:
    reason = values["disabled_reason"]
    kinds = tuple(map(EventKind, values["events"]))
    return Endpoint(
        **{**values, "events": kinds, "disabled_reason": None if reason is None else DisabledReason(reason)}
    )
