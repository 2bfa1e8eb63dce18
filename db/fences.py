"""Keeps registering and erasing apart, so that no old listing brings back what was erased; it does neither itself."""

from collections.abc import Iterable

from sqlalchemy import Connection, Engine, func, select

from db.columns import is_among
from db.engine import reading
from db.reasons import UploadState
from db.request_schema import uploads
from db.schema import erasure_objects, erasures

_REGISTER_LOCK = 7_420_001  # any number that no other advisory lock of this program uses


def lock_registration(connection: Connection) -> None:
    """Wait until nobody else registers, makes jobs or erases, until this transaction ends. SQLite has one writer.

    Two scanners that register two versions of one key at once would both find no older one; a job made while its
    recording is erased would be missed by the erasure.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_REGISTER_LOCK)))


def erasure_mark(engine: Engine) -> int:
    """Read a number that grows whenever an erasure begins or an object of one is gone.

    A listing that began before the number grew may show objects that are gone since.
    """
    with reading(engine) as connection:
        return read_mark(connection)


def read_mark(connection: Connection) -> int:
    """Read the mark (see `erasure_mark`) inside a transaction."""
    return connection.execute(select(func.count() + func.coalesce(func.sum(erasures.c.n_objects), 0))).scalar_one()


def keys_being_erased(connection: Connection, store: str, bucket: str, *, keys: Iterable[str]) -> set[str]:
    """Say which of these keys an unfinished erasure has still to remove from storage, or were of an upload that was erased."""
    c, u = erasure_objects.c, uploads.c
    listed = list(keys)
    of_erasures, of_uploads = (is_among(key, listed, connection.dialect) for key in (c.key, u.key))
    wanted = select(c.key).where(c.store == store, c.bucket == bucket, of_erasures)
    erased = select(u.key).where(u.store == store, u.bucket == bucket, of_uploads, u.state == UploadState.ERASED)
    return set(connection.scalars(wanted.union(erased)))
