"""Which model version a person is read under: the active one, or that of the canary.

A person is in the canary by a hash of tenant and name, so that the same people stay in when the share grows, or by the tenant.
Readers of the HTTP API and of reports see it; the views `v1_*` and exports show the active model of everybody.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, or_, select

from db.engine import reading
from db.model_rows import ModelKey
from db.model_schema import model_readers
from db.schema import models

_READABLE = ("model_id", "tenant", "share", "read_share", "since")
_HASH_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class Canary:
    """Whose recordings a candidate scores too: a tenant's, or a share of all people's; and which share reads it by now.

    `share` is None for a tenant, all of whose people are in; `read_share` is None while nobody reads it.
    """

    model_id: int
    tenant: str | None
    share: float | None
    read_share: float | None
    since: datetime

    def scores(self, tenant: str, subject: str | None) -> bool:
        """Say whether a person's recordings are scored by the candidate too; a share has nobody without a name in it."""
        return self._holds(tenant, subject, self.share)

    def is_read_by(self, tenant: str, subject: str | None) -> bool:
        """Say whether a person's readers get the candidate."""
        return self.read_share is not None and self._holds(tenant, subject, self.read_share)

    def _holds(self, tenant: str, subject: str | None, share: float | None) -> bool:
        if self.tenant is not None:
            return tenant == self.tenant
        return share is not None and subject is not None and place_of(tenant, subject) < share


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Which model versions there are to read: the active one (None: none is), and the canary with its own."""

    active: ModelKey | None
    canary: Canary | None
    candidate: ModelKey | None

    def key_of(self, tenant: str, subject: str | None) -> ModelKey | None:
        """Give the version that a person is read under; None where none is active."""
        is_early = self.canary is not None and self.canary.is_read_by(tenant, subject)
        return self.candidate if is_early else self.active


def place_of(tenant: str, subject: str) -> float:
    """Give a person's place in [0, 1), the same on every machine and in every release.

    >>> place_of("default", "ana") == place_of("default", "ana") != place_of("clinic", "ana")
    True
    """
    digest = hashlib.sha256(f"{len(tenant)}:{tenant}{subject}".encode(errors="surrogateescape")).digest()
    # 53 bits, which a float holds exactly, so that it is never 1.
    return (int.from_bytes(digest[:_HASH_BYTES], "big") >> 11) / 2**53


def read_canary(engine: Engine) -> Canary | None:
    """Read whose recordings a candidate scores too; None where there is no canary."""
    with reading(engine) as connection:
        return find_canary(connection)


def find_canary(connection: Connection) -> Canary | None:
    """Read the canary on an open connection."""
    row = connection.execute(select(*(model_readers.c[name] for name in _READABLE))).one_or_none()
    return None if row is None else Canary(**row._asdict())


def read_reading(engine: Engine) -> Reading:
    """Read which model versions people are read under."""
    with reading(engine) as connection:
        return find_reading(connection)


def find_reading(connection: Connection) -> Reading:
    """Read which model versions people are read under, on an open connection."""
    canary = find_canary(connection)
    wanted = models.c.is_active if canary is None else or_(models.c.is_active, models.c.id == canary.model_id)
    columns = (models.c.id, models.c.name, models.c.version, models.c.is_active)
    active = candidate = None
    for row in connection.execute(select(*columns).where(wanted)):
        key = ModelKey(id=row.id, name=row.name, version=row.version)
        active = key if row.is_active else active
        candidate = key if canary is not None and row.id == canary.model_id else candidate
    return Reading(active=active, canary=canary, candidate=candidate)
