"""Remembers which objects erasures have still to remove from storage, and wipes their names once they are gone.

It never removes an object itself, and begins no erasure (`db.erasures` does).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, and_, delete, exists, func, select, update

from db.api_schema import erasure_requests
from db.columns import db_now
from db.engine import reading
from db.fences import lock_registration
from db.reasons import ErasureScope
from db.schema import erasure_objects, erasures
from db.upload_erasures import may_come_back


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """The audit of one erasure; `n_objects` are gone from storage, `n_left` are not yet."""

    id: int
    scope: ErasureScope
    requested_at: datetime
    finished_at: datetime | None
    n_recordings: int
    n_results: int
    n_objects: int
    n_left: int


@dataclass(frozen=True, kw_only=True)
class ObjectToRemove:
    """An object that is still to be removed from storage."""

    id: int
    erasure_id: int
    store: str
    bucket: str
    key: str


def unfinished(engine: Engine) -> list[Erasure]:
    """Read the erasures that have been begun and not finished, oldest first."""
    return _read(engine, erasures.c.finished_at.is_(None))


def read_erasure(engine: Engine, erasure_id: int) -> Erasure | None:
    """Read the audit of one erasure; None where there is none of this id."""
    return next(iter(_read(engine, erasures.c.id == erasure_id)), None)


def list_of_tenant(engine: Engine, tenant: str, *, before_id: int | None = None, limit: int = 500) -> list[Erasure]:
    """Read the erasures that keys of a tenant asked for, newest first, from the one before `before_id` on."""
    wanted = _is_of(tenant)
    if before_id is not None:
        wanted = and_(wanted, erasures.c.id < before_id)
    return _read(engine, wanted, limit=limit)


def read_of_tenant(engine: Engine, tenant: str, erasure_id: int) -> Erasure | None:
    """Read one erasure that a key of a tenant asked for; None where there is none of this id."""
    return next(iter(_read(engine, and_(_is_of(tenant), erasures.c.id == erasure_id))), None)


def objects_to_remove(engine: Engine, *, after_id: int = 0, limit: int = 500) -> list[ObjectToRemove]:
    """Read the objects that are still to be removed, in order of their id, from the one after `after_id` on."""
    c = erasure_objects.c
    columns = [c[name] for name in ObjectToRemove.__dataclass_fields__]
    with reading(engine) as connection:
        rows = connection.execute(select(*columns).where(c.id > after_id).order_by(c.id).limit(limit)).all()
    return [ObjectToRemove(**row._asdict()) for row in rows]


def forget_objects(engine: Engine, gone: Sequence[ObjectToRemove]) -> int:
    """Wipe the names of objects that are gone from storage, and count them in their erasures; gives how many.

    A place at which somebody may still store an object, by a URL that was signed before, is kept until that is over.
    """
    with engine.begin() as connection:
        lock_registration(connection)
        c = erasure_objects.c
        is_gone = and_(c.id.in_([item.id for item in gone]), ~may_come_back(c))
        wiped = delete(erasure_objects).where(is_gone).returning(c.erasure_id)
        n_of = Counter(connection.scalars(wiped))
        for erasure_id, n_gone in n_of.items():
            counted = update(erasures).where(erasures.c.id == erasure_id)
            connection.execute(counted.values(n_objects=erasures.c.n_objects + n_gone))
        return n_of.total()


def finish(engine: Engine) -> None:
    """Note every erasure as finished that has nothing left to remove."""
    has_left = exists().where(erasure_objects.c.erasure_id == erasures.c.id)
    done = update(erasures).where(erasures.c.finished_at.is_(None), ~has_left)
    with engine.begin() as connection:
        connection.execute(done.values(finished_at=db_now()))


def _is_of(tenant: str) -> ColumnElement[bool]:
    c = erasure_requests.c
    return erasures.c.id.in_(select(c.erasure_id).where(c.tenant == tenant))


def _read(engine: Engine, wanted: ColumnElement[bool], *, limit: int | None = None) -> list[Erasure]:
    n_left = select(func.count()).where(erasure_objects.c.erasure_id == erasures.c.id).scalar_subquery()
    names = [name for name in Erasure.__dataclass_fields__ if name != "n_left"]
    statement = select(*(erasures.c[name] for name in names), n_left.label("n_left")).where(wanted)
    order = erasures.c.id if limit is None else erasures.c.id.desc()
    with reading(engine) as connection:
        rows = [row._asdict() for row in connection.execute(statement.order_by(order).limit(limit))]
    return [Erasure(**{**row, "scope": ErasureScope(row["scope"])}) for row in rows]
