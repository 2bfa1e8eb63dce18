"""Copies a SQLite database while it is used, and keeps the list of erased recordings that a restored backup has to follow."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Engine, func, select

from db import erasures
from db.engine import SQLITE_BUSY_TIMEOUT_S, reading
from db.erasures import Chosen
from db.errors import DatabaseError
from db.reasons import ErasureScope, RecordingState
from db.schema import recordings

_PAGES = 2_000  # that are copied at once; in between others may write
_BATCH = 500
_c = recordings.c


@dataclass(frozen=True, kw_only=True)
class ErasedRecording:
    """A recording that was erased: its id, and when it was registered, which tells it from a later one of the same id."""

    id: int
    registered_at: datetime


def is_empty(engine: Engine) -> bool:
    """Say whether a database holds no table at all."""
    names = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'public'"
    if engine.dialect.name == "sqlite":
        names = "SELECT count(*) FROM sqlite_master"
    with reading(engine) as connection:
        return bool(connection.exec_driver_sql(names).scalar_one() == 0)


def server_version(engine: Engine) -> int:
    """Read which release of PostgreSQL a server is, such as 18."""
    with reading(engine) as connection:
        return int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite database as it is at one moment into a new file, which is checked and written out to the disk.

    Others may read and write meanwhile.

    Raises:
        DatabaseError: the source is no sound SQLite database, or the target is there or cannot be written.
    """
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            _copy(source, target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DatabaseError(f"{target} cannot be written: {error.strerror}") from error


def replace_sqlite(source: Path, target: Path) -> None:
    """Put the content of one SQLite database in place of another's, in one transaction; the files stay as they are.

    Raises:
        DatabaseError: somebody else uses the target, or it cannot be written.
    """
    try:
        with closing(_open(source)) as old, closing(_open(target)) as new:
            old.backup(new)
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise DatabaseError(f"{target} could not be replaced ({error}): stop every process that uses it") from error


def list_erased(engine: Engine) -> Iterator[ErasedRecording]:
    """Go through all recordings that were erased, by their ids; nothing of them tells whose they were."""
    after_id = 0
    while True:
        wanted = select(_c.id, _c.registered_at).where(_c.state == RecordingState.ERASED, _c.id > after_id)
        with reading(engine) as connection:
            rows = connection.execute(wanted.order_by(_c.id).limit(_BATCH)).all()
        yield from (ErasedRecording(id=row.id, registered_at=row.registered_at) for row in rows)
        if len(rows) < _BATCH:
            return
        after_id = rows[-1].id


def erase_again(engine: Engine, erased: Iterable[ErasedRecording]) -> int:
    """Begin the erasure of each of these recordings that a restored database has again.

    Returns:
        How many recordings were erased.
    """
    n_before = _count_erased(engine)
    left = iter(erased)
    while known := {one.id: one.registered_at for one in islice(left, _BATCH)}:
        wanted = select(_c.id, _c.registered_at).where(_c.id.in_(known), _c.state != RecordingState.ERASED)
        with reading(engine) as connection:
            rows = connection.execute(wanted).all()
        for row in rows:
            if row.registered_at == known[row.id]:
                erasures.begin(engine, Chosen(recording_id=row.id), scope=ErasureScope.ALL)
    return _count_erased(engine) - n_before


def _count_erased(engine: Engine) -> int:
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).where(_c.state == RecordingState.ERASED)) or 0


def _copy(source: Path, target: Path) -> None:
    try:
        with closing(_open(source, is_read_only=True)) as old, closing(_open(target)) as new:
            old.backup(new, pages=_PAGES)
            new.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
            problem = new.execute("PRAGMA integrity_check(1)").fetchone()[0]
            orphan = new.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        raise DatabaseError(f"{source} is no sound SQLite database: {error}") from error
    if problem != "ok" or orphan is not None:
        raise DatabaseError(
            f"{source} is damaged: {problem if problem != 'ok' else f'a row of {orphan[0]} refers to none'}"
        )
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _open(file: Path, *, is_read_only: bool = False) -> sqlite3.Connection:
    mode = "ro" if is_read_only else "rw"
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode={mode}", uri=True, timeout=SQLITE_BUSY_TIMEOUT_S)
