"""The feed of changes: what app backends have to fetch again or forget, in an order in which a reader misses nothing.

Triggers write a row in the transaction of each change (migration 0010). The order in which rows are made is not that in
which their transactions end, so a row's place is given afterwards, by the first reader to see it (`number`): what is
committed late comes late. No row names a person.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Row, delete, exists, func, select, update

from db.api_schema import change_feed, changes
from db.columns import db_now
from db.engine import reading
from db.errors import FeedExpired
from db.reasons import ChangeKind
from db.tenancy import every_tenant, every_tenant_in

NUMBER_BATCH = 5_000
_c, _f = changes.c, change_feed.c


@dataclass(frozen=True, kw_only=True)
class Place:
    """How far a reader has come: the position of a change, and its moment, by which another database is told apart.

    `at` is None at position 0, before every change.
    """

    position: int
    at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change; `recording_id` of notes, `model_id` of models, `reason` why a note was deleted: erased, replaced or moved."""

    position: int
    kind: ChangeKind
    recording_id: int | None
    model_id: int | None
    reason: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Page:
    """Changes in the order of the feed, where to go on, and whether there is more by now."""

    changes: tuple[Change, ...]
    next_place: Place
    has_more: bool


def number(engine: Engine) -> int:
    """Give changes whose transactions have ended their places, 5,000 at the most; gives how many.

    Whoever does it holds the feed's row until the places are committed, so that no place is seen before all earlier ones.
    """
    with every_tenant(), reading(engine) as connection:
        if not connection.scalar(select(exists().where(_c.position.is_(None)))):
            return 0
    with every_tenant(), engine.begin() as connection:
        connection.execute(select(_f.id).with_for_update())
        new = select(_c.id, func.row_number().over(order_by=_c.id).label("n")).where(_c.position.is_(None))
        first = new.order_by(_c.id).limit(NUMBER_BATCH).subquery("first")
        base = connection.execute(select(_f.numbered_to)).scalar_one()
        placed = update(changes).where(_c.id == first.c.id).values(position=base + first.c.n)
        n: int = connection.execute(placed, execution_options={"preserve_rowcount": True}).rowcount
        connection.execute(update(change_feed).values(numbered_to=base + n))
    return n


def last_place(engine: Engine) -> Place:
    """Say where the feed ends now, for a reader that begins with what there is."""
    with every_tenant(), reading(engine) as connection:
        feed = connection.execute(select(change_feed)).one()
        return _place(connection, feed.numbered_to)


def read(engine: Engine, tenant: str, *, place: Place, limit: int) -> Page:
    """Read what changed for a tenant after a place.

    Raises:
        FeedExpired: changes after this place were deleted for their age, or the place is not of this feed, as after a
            backup was put back: the reader has to begin anew.
    """
    with reading(engine) as connection:
        # First the end, then the rows: everything up to there is committed, whatever comes meanwhile lies behind it.
        with every_tenant_in(connection):  # places are of the whole feed
            feed = connection.execute(select(change_feed)).one()
            _require(connection, feed, place)
        rows = [
            row
            for of_tenant in (_c.tenant == tenant, _c.tenant.is_(None))
            for row in connection.execute(
                select(*(_c[name] for name in Change.__dataclass_fields__))
                .where(of_tenant, _c.position > place.position, _c.position <= feed.numbered_to)
                .order_by(_c.position)
                .limit(limit + 1)
            )
        ]
        with every_tenant_in(connection):
            _require(connection, connection.execute(select(change_feed)).one(), place)  # nothing was deleted meanwhile
            end = _place(connection, feed.numbered_to)
            is_new = bool(connection.scalar(select(exists().where(_c.position.is_(None)))))
    rows.sort(key=lambda row: row.position)
    found = [Change(**{**row._asdict(), "kind": ChangeKind(row.kind)}) for row in rows[:limit]]
    has_more = len(rows) > limit
    # At the end of the feed a reader goes on from there, though the last change may be another tenant's: it stays young.
    ahead = Place(position=found[-1].position, at=found[-1].at) if has_more else end
    return Page(changes=tuple(found), next_place=ahead, has_more=has_more or is_new)


def expire(engine: Engine, *, keep: timedelta) -> int:
    """Number all changes and delete those older than `keep`, in transactions of 5,000; gives how many were deleted."""
    while number(engine):
        pass
    n_deleted = 0
    while n := _expire_batch(engine, keep):
        n_deleted += n
    return n_deleted


def _expire_batch(engine: Engine, keep: timedelta) -> int:
    with engine.begin() as connection:
        feed = connection.execute(select(change_feed).with_for_update()).one()
        now: datetime = connection.execute(select(db_now())).scalar_one()
        young = select(func.min(_c.position)).where(_c.position > feed.expired_to, _c.at >= now - keep)
        last = (connection.scalar(young) or feed.numbered_to + 1) - 1
        last = min(last, feed.expired_to + NUMBER_BATCH)
        n: int = connection.execute(delete(changes).where(_c.position <= last)).rowcount
        if n:
            connection.execute(update(change_feed).values(expired_to=last))
        return n


def _require(connection: Connection, feed: Row[tuple[int, int, int]], place: Place) -> None:
    is_known = place.position == 0 or place.position <= feed.expired_to or place == _place(connection, place.position)
    if place.position < feed.expired_to or not is_known or place.position > feed.numbered_to:
        raise FeedExpired("changes after this cursor are not kept any more, or it is another database's: begin anew")


def _place(connection: Connection, position: int) -> Place:
    at = connection.scalar(select(_c.at).where(_c.position == position))
    return Place(position=position, at=at)
