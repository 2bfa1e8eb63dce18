"""Keeps one person from becoming two: all subjects of a database are stored under one key, or all in plain text.

It never sees a key, only the fingerprint of one.
"""

from collections.abc import Callable

from sqlalchemy import Column, ColumnElement, Connection, Engine, exists, insert, select, update

from db import people_moves
from db.api_schema import api_audit
from db.columns import db_now
from db.engine import reading
from db.errors import SubjectKeyMismatch
from db.export_schema import exports
from db.fences import lock_registration
from db.people_schema import subject_marks
from db.request_schema import idempotent_requests, uploads
from db.schema import identity_changes, recordings, subject_aliases, subject_keys

_OTHER_KEY = "subjects in this database are stored under another key: set TONALOG_SUBJECT_KEY to the key it began with"
_NO_KEY = "subjects in this database are stored under a key: set TONALOG_SUBJECT_KEY"
_PLAIN = (
    "subjects in this database are stored in plain text: unset TONALOG_SUBJECT_KEY, or run `tonalog subjects rehash` "
    "once to store them under the key"
)


def require(engine: Engine, fingerprint: str | None) -> None:
    """Check that subjects are stored under this key, or that there are none yet.

    Args:
        engine: the database.
        fingerprint: of the key; None: plain text.

    Raises:
        SubjectKeyMismatch: they are stored otherwise; the message names the remedy.
    """
    with reading(engine) as connection:
        _compare(connection, fingerprint)


def require_in(connection: Connection, fingerprint: str | None) -> None:
    """Check as `require` does inside a transaction.

    Raises:
        SubjectKeyMismatch: subjects are stored otherwise; the message names the fix.
    """
    _compare(connection, fingerprint)


def settle(connection: Connection, fingerprint: str | None) -> None:
    """Check as `require` does inside a transaction that registers, and note a key at its first use.

    Raises:
        SubjectKeyMismatch: subjects are stored otherwise; the message names the remedy.
    """
    if _compare(connection, fingerprint) is None and fingerprint is not None:
        _note(connection, fingerprint)


def rehash(engine: Engine, fingerprint: str, *, store: Callable[[str], str]) -> int:
    """Store every name that is in plain text under a key, former ones too, in one transaction; again does nothing.

    Args:
        engine: the database.
        fingerprint: of the key.
        store: from a person's name to what is stored.

    Returns:
        How many people were renamed.

    Raises:
        SubjectKeyMismatch: subjects are stored under another key.
    """
    with engine.begin() as connection:
        lock_registration(connection)
        stored = _read(connection)
        if stored is not None and stored != fingerprint:
            raise SubjectKeyMismatch(_OTHER_KEY)
        if stored is not None:
            return 0
        since = people_moves.last_mark(connection)
        people = _rewrite(connection, recordings.c.subject, store=store)
        people_moves.forget_corrections(connection, since=since)
        for table in (*people_moves.OF_PEOPLE, subject_marks):
            _rewrite(connection, table.c.subject, store=store)
        _rewrite(connection, subject_aliases.c.alias, store=store)
        _rewrite(connection, subject_aliases.c.subject, store=store)
        _rewrite(connection, api_audit.c.subject, store=store)
        _rewrite(connection, uploads.c.subject, store=store)
        _rewrite(connection, idempotent_requests.c.subject, store=store)
        _rewrite(connection, exports.c.subject, store=store)
        for column in (identity_changes.c.old_value, identity_changes.c.new_value):
            _rewrite(connection, column, identity_changes.c.field == "subject", store=store)
        _note(connection, fingerprint)
        return len(people)


def _rewrite(
    connection: Connection, column: Column[str], *chosen: ColumnElement[bool], store: Callable[[str], str]
) -> set[str]:
    names = set(connection.scalars(select(column).where(column.is_not(None), *chosen).distinct()))
    for name in names:
        renamed = update(column.table).where(column == name, *chosen)
        connection.execute(renamed.values({column.name: store(name)}))
    return names


def _compare(connection: Connection, fingerprint: str | None) -> str | None:
    stored = _read(connection)
    if stored == fingerprint:
        return stored
    if stored is not None:
        raise SubjectKeyMismatch(_NO_KEY if fingerprint is None else _OTHER_KEY)
    if connection.scalar(select(exists(select(recordings.c.id).where(recordings.c.subject.is_not(None))))):
        raise SubjectKeyMismatch(_PLAIN)
    return None


def _read(connection: Connection) -> str | None:
    stored: str | None = connection.scalar(select(subject_keys.c.fingerprint))
    return stored


def _note(connection: Connection, fingerprint: str) -> None:
    connection.execute(insert(subject_keys).values(id=1, fingerprint=fingerprint, used_since=db_now()))
