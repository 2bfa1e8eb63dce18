"""Makes and finds the keys of the HTTP API; of a key the database has only a hash.

A key has 256 random bits, so that nobody can try all of them, however fast the hash is: SHA-256 is enough. Slow hashes
(bcrypt, Argon2) protect passwords, which people choose and others guess, and would cost each request a tenth of a second.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from db.api_schema import api_keys
from db.columns import db_now
from db.engine import reading
from db.errors import RowNotFound
from db.reasons import Scope
from db.tenancy import every_tenant

PREFIX = "tonalog_"  # so that scanners of source code know one when they see it
_N_BYTES = 32
_c = api_keys.c


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key, without what it is: whose, what it may do, and until when; None: without end."""

    id: int
    tenant: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    rotated_from: int | None


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """A key that was just made; `secret` is stored nowhere."""

    key: ApiKey
    secret: str


def create(
    engine: Engine, tenant: str, *, name: str, scopes: Collection[Scope], lifetime: timedelta | None = None
) -> NewKey:
    """Make a key.

    Args:
        engine: the database.
        tenant: whose rows it may see.
        name: what people call it.
        scopes: what it may do.
        lifetime: how long it is taken; None: until it is revoked.

    Raises:
        ValueError: no scope is given, or the lifetime is not positive.
    """
    if not scopes or (lifetime is not None and lifetime <= timedelta()):
        raise ValueError(f"a key with scopes {sorted(scopes)} and lifetime {lifetime}: give a scope and a time to come")
    with engine.begin() as connection:
        return _insert(connection, tenant, name=name, scopes=scopes, lifetime=lifetime)


def find(engine: Engine, secret: str) -> tuple[ApiKey, bool] | None:
    """Find a key by itself.

    Returns:
        The key and whether it is taken now, by the database's clock; None where there is no such key.
    """
    wanted = select(api_keys, db_now().label("now")).where(_c.key_sha256 == _hash(secret))
    with every_tenant(), reading(engine) as connection:
        row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    key = _as_key(row._asdict())
    is_over = key.expires_at is not None and key.expires_at <= row.now
    return key, key.revoked_at is None and not is_over


def list_keys(engine: Engine, *, tenant: str | None = None) -> list[ApiKey]:
    """Read the keys of one tenant or of all, oldest first, with those that are taken no more."""
    chosen = [] if tenant is None else [_c.tenant == tenant]
    with reading(engine) as connection:
        rows = [row._asdict() for row in connection.execute(select(api_keys).where(*chosen).order_by(_c.id))]
    return [_as_key(row) for row in rows]


def revoke(engine: Engine, key_id: int) -> ApiKey:
    """Take a key no more from now on; again changes nothing.

    Raises:
        RowNotFound: there is no key of this id.
    """
    with engine.begin() as connection:
        ended = update(api_keys).where(_c.id == key_id, _c.revoked_at.is_(None))
        connection.execute(ended.values(revoked_at=db_now()))
        return _require(connection, key_id)


def rotate(engine: Engine, key_id: int, *, grace: timedelta, lifetime: timedelta | None) -> NewKey:
    """Make a key in the place of another, which goes on being taken for a while.

    Args:
        engine: the database.
        key_id: the key to replace.
        grace: how long the old one is taken beside the new one, if it does not end sooner.
        lifetime: of the new one; None: until it is revoked.

    Raises:
        RowNotFound: there is no key of this id, or it was revoked.
        ValueError: the grace is negative or the lifetime not positive.
    """
    if grace < timedelta() or (lifetime is not None and lifetime <= timedelta()):
        raise ValueError(f"a grace of {grace} and a lifetime of {lifetime}: give times to come")
    with engine.begin() as connection:
        connection.execute(select(_c.id).where(_c.id == key_id).with_for_update())
        old = _require(connection, key_id)
        if old.revoked_at is not None:
            raise RowNotFound(f"key {key_id} was revoked: make a new one with `tonalog keys create`")
        now: datetime = connection.execute(select(db_now())).scalar_one()
        ends_at = min(now + grace, old.expires_at or now + grace)
        connection.execute(update(api_keys).where(_c.id == key_id).values(expires_at=ends_at))
        return _insert(connection, old.tenant, name=old.name, scopes=old.scopes, lifetime=lifetime, rotated_from=key_id)


def _insert(
    connection: Connection,
    tenant: str,
    *,
    name: str,
    scopes: Collection[Scope],
    lifetime: timedelta | None,
    rotated_from: int | None = None,
) -> NewKey:
    secret = PREFIX + secrets.token_urlsafe(_N_BYTES)
    now: datetime = connection.execute(select(db_now())).scalar_one()
    values = {
        "tenant": tenant,
        "name": name,
        "key_sha256": _hash(secret),
        "scopes": sorted(scopes),
        "created_at": now,
        "expires_at": None if lifetime is None else now + lifetime,
        "rotated_from": rotated_from,
    }
    row = connection.execute(insert(api_keys).values(values).returning(*_c)).one()
    return NewKey(key=_as_key(row._asdict()), secret=secret)


def _require(connection: Connection, key_id: int) -> ApiKey:
    row = connection.execute(select(api_keys).where(_c.id == key_id)).one_or_none()
    if row is None:
        raise RowNotFound(f"there is no key {key_id}: `tonalog keys list` shows what there is")
    return _as_key(row._asdict())


def _as_key(values: dict[str, Any]) -> ApiKey:
    named = {name: values[name] for name in ApiKey.__dataclass_fields__}
    return ApiKey(**{**named, "scopes": frozenset(map(Scope, named["scopes"]))})


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
