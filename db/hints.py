"""Keeps objects that a notification named until somebody has looked them up; a hint that is lost costs nothing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from db.columns import db_now
from db.engine import reading
from db.errors import DatabaseError
from db.hint_schema import object_hints

_c = object_hints.c
MAX_KEPT = 100_000
KEEP = timedelta(days=1)  # a nightly scan has been since
_AGAIN = timedelta(seconds=30)  # after the first look; doubled with each
_MAX_DOUBLED = 6


class TooManyHints(DatabaseError):
    """As many hints wait as are kept; nightly scans find what further ones are about."""


@dataclass(frozen=True, kw_only=True)
class Hint:
    """An object to look up; `n_looks` were in vain."""

    id: int
    bucket: str
    key: str
    n_looks: int


def add(engine: Engine, places: Sequence[tuple[str, str]]) -> None:
    """Write hints down; one that is there already is written again, since the object may have been replaced.

    Args:
        engine: the database.
        places: bucket and key of each object.

    Raises:
        TooManyHints: `MAX_KEPT` would wait.
    """
    if not places:
        return
    with engine.begin() as connection:
        now = connection.execute(select(db_now())).scalar_one()
        n_kept = connection.execute(select(func.count(_c.id))).scalar_one()
        if n_kept + len(places) > MAX_KEPT:
            raise TooManyHints(f"{n_kept} hints wait to be looked up; {MAX_KEPT} are kept at once")
        times = {"created_at": now, "due_at": now, "n_looks": 0}
        connection.execute(insert(object_hints), [{"bucket": bucket, "key": key, **times} for bucket, key in places])


def list_due(engine: Engine, *, limit: int) -> list[Hint]:
    """List what is to be looked up now, in the order in which it fell due."""
    wanted = select(_c.id, _c.bucket, _c.key, _c.n_looks).where(_c.due_at <= db_now())
    with reading(engine) as connection:
        rows = connection.execute(wanted.order_by(_c.due_at, _c.id).limit(limit))
        return [Hint(**row._asdict()) for row in rows]


def settle(engine: Engine, done: Collection[int], *, waiting: Sequence[Hint] = ()) -> None:
    """Delete hints that were looked up, and have others looked up again later."""
    with engine.begin() as connection:
        if done:
            connection.execute(delete(object_hints).where(_c.id.in_(done)))
        now = connection.execute(select(db_now())).scalar_one()
        for hint in waiting:
            due_at = now + _AGAIN * 2 ** min(hint.n_looks, _MAX_DOUBLED)
            later = update(object_hints).where(_c.id == hint.id)
            connection.execute(later.values(due_at=due_at, n_looks=hint.n_looks + 1))


def expire(engine: Engine) -> int:
    """Delete hints that nobody could look up within a day; gives how many."""
    with engine.begin() as connection:
        now = connection.execute(select(db_now())).scalar_one()
        return connection.execute(delete(object_hints).where(_c.created_at < now - KEEP)).rowcount


def forget_all(connection: Connection) -> None:
    """Delete every hint, in the transaction that begins an erasure: their keys may name whom it is about."""
    connection.execute(delete(object_hints))
