"""Takes people out of uploads and of kept answers, and keeps what a signed URL may still bring back from coming back."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    delete,
    exists,
    literal,
    select,
    tuple_,
    union_all,
    update,
)

from db.aliases import former_names
from db.columns import db_now
from db.reasons import UploadState
from db.request_schema import idempotent_requests, uploads
from db.schema import subject_aliases

_c = uploads.c


def of_person(tenant: str, subject: str) -> ColumnElement[bool]:
    """Say which uploads are of a person, by the present name or a former one, and no recording yet."""
    a = subject_aliases.c
    former = select(a.alias).where(a.tenant == tenant, a.subject == subject)
    # Both in one list: with an OR between them neither database goes by the index.
    names = union_all(select(literal(subject, String)), former)
    return (_c.tenant == tenant) & _c.subject.in_(names)


def places_of(tenant: str, subject: str) -> Select[Any]:
    """Give the statement for the places of a person's uploads that are no recordings yet."""
    return select(_c.store, _c.bucket, _c.key).where(of_person(tenant, subject))


def fence(connection: Connection, places: Any) -> None:
    """Let these places take no upload any more, and forget who was to speak there.

    The rows stay until their URLs have long been over: whoever holds one can still store an object, and no scan is to
    register it.

    Args:
        connection: of the transaction in which the erasure begins.
        places: columns `store`, `bucket` and `key`.
    """
    is_there = tuple_(_c.store, _c.bucket, _c.key).in_(select(places.store, places.bucket, places.key))
    connection.execute(update(uploads).where(is_there).values(state=UploadState.ERASED, subject=None, reason=None))


def forget_answers(connection: Connection, tenant: str, subject: str) -> None:
    """Delete what is kept of answers about a person."""
    c = idempotent_requests.c
    names = [subject, *former_names(connection, tenant, subject)]
    connection.execute(delete(idempotent_requests).where(c.tenant == tenant, c.subject.in_(names)))


def may_come_back(places: Any) -> ColumnElement[bool]:
    """Say whether somebody may hold a URL with which an object can still be stored at these places.

    Into a folder bytes come through the HTTP API only, which asks the row first.
    """
    is_same = (_c.store == places.store) & (_c.bucket == places.bucket) & (_c.key == places.key)
    is_signed = and_(_c.store != "local", _c.state == UploadState.ERASED, _c.expires_at > db_now())
    return exists().where(is_same, is_signed)
