"""Remembers which POST requests were answered, so that one that is sent again does nothing twice.

After draft-ietf-httpapi-idempotency-key-header: the same key with the same request gets the same answer, with another
request none, and while the first one is being answered none yet. Of a key only its hash is kept. An answer that is about
somebody is kept under that name, and goes with an erasure.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from db.columns import db_now
from db.errors import DatabaseError
from db.request_schema import idempotent_requests

KEEP = timedelta(hours=24)
# Longer than any answer takes: whoever began it is gone, and the next one may try.
ABANDONED_AFTER = timedelta(minutes=10)
EXPIRE_BATCH = 10_000
_c = idempotent_requests.c


class OtherRequest(DatabaseError):
    """The key came with another request before."""


class BeingAnswered(DatabaseError):
    """The same request is being answered just now."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request that carries an idempotency key: hashes of that key and of the request, and the API key it came with."""

    key_id: int
    tenant: str
    key_sha256: str
    request_sha256: str
    token: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was answered: a document with body and headers, or the id of what it is made of again."""

    status: int
    document: dict[str, Any] | None = None
    resource: str | None = None


def begin(engine: Engine, request: Request) -> Request | Answer:
    """Begin to answer a request.

    Returns:
        The request with a token, if nobody has answered it; else what was answered.

    Raises:
        OtherRequest: the key came with another request in the last 24 hours.
        BeingAnswered: the same request is being answered.
    """
    mine = replace(request, token=secrets.token_hex(16))
    insert = postgresql_insert if engine.dialect.name == "postgresql" else sqlite_insert
    values = {**vars(mine), "created_at": db_now()}
    with engine.begin() as connection:
        new = insert(idempotent_requests).values(values).on_conflict_do_nothing()
        if connection.execute(new, execution_options={"preserve_rowcount": True}).rowcount:
            return mine
        row = connection.execute(
            select(idempotent_requests, db_now().label("now"))
            .where(_is(request))
            .with_for_update(of=idempotent_requests)
        ).one_or_none()
        if row is not None and row.now - row.created_at > (ABANDONED_AFTER if row.status is None else KEEP):
            return _take_over(connection, mine)
    if row is None:  # released or erased between the two statements
        raise BeingAnswered("the request was being answered")
    if row.request_sha256 != request.request_sha256:
        raise OtherRequest("this key came with another request")
    if row.status is None:
        raise BeingAnswered("the request is being answered")
    return Answer(status=row.status, document=row.answer, resource=row.resource)


def finish(engine: Engine, request: Request, answer: Answer, *, subject: str | None = None) -> None:
    """Keep an answer for 24 hours from the beginning of its request on.

    Args:
        engine: the database.
        request: as `begin` gave it.
        answer: what is answered.
        subject: whom it is about, as subjects are stored.
    """
    values = {"status": answer.status, "answer": answer.document, "resource": answer.resource, "subject": subject}
    with engine.begin() as connection:
        connection.execute(update(idempotent_requests).where(_is(request), _c.token == request.token).values(values))


def release(engine: Engine, request: Request) -> None:
    """Forget a request that came to nothing, so that it may be sent again."""
    with engine.begin() as connection:
        connection.execute(delete(idempotent_requests).where(_is(request), _c.token == request.token))


def expire(engine: Engine) -> int:
    """Delete what is older than 24 hours, 10,000 rows at the most; gives how many."""
    with engine.begin() as connection:
        now: datetime = connection.execute(select(db_now())).scalar_one()
        is_old = _c.created_at < now - KEEP
        old = select(_c.key_id, _c.key_sha256).where(is_old).limit(EXPIRE_BATCH)
        chosen = tuple_(_c.key_id, _c.key_sha256).in_(old)
        return connection.execute(delete(idempotent_requests).where(chosen)).rowcount


def _is(request: Request) -> ColumnElement[bool]:
    return and_(_c.key_id == request.key_id, _c.key_sha256 == request.key_sha256)


def _take_over(connection: Connection, mine: Request) -> Request:
    fresh = {"request_sha256": mine.request_sha256, "token": mine.token, "created_at": db_now()}
    cleared = dict.fromkeys(("status", "answer", "resource", "subject"))
    connection.execute(update(idempotent_requests).where(_is(mine)).values(**fresh, **cleared))
    return mine
