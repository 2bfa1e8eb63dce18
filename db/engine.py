"""Builds engines whose transactions are safe on SQLite and PostgreSQL; it never creates tables."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError as SqliteOperationalError
from typing import Any
from urllib.parse import parse_qsl

from pydantic_core import from_json  # reads a document as `json.loads` does, in a seventh of the time
from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from db.errors import DatabaseError, translate
from db.tenancy import announce

SQLITE_BUSY_TIMEOUT_S = 30.0
POSTGRES_CONNECT_TIMEOUT_S = 10
# A session that stops in the middle of a transaction would hold its row locks for ever; half-open TCP shows up late.
_POSTGRES_SESSION = "-c timezone=UTC -c lock_timeout=30000 -c idle_in_transaction_session_timeout=60000"
_POSTGRES_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_READ_ONLY = "tonalog_read_only"
_NO_TRANSACTION = "tonalog_no_transaction"
_FILE = "tonalog_file"
# What SQLite's driver takes in Python, and what SQLite itself takes in a `file:` name.
_SQLITE_OPTIONS = ("timeout", "uri", "mode", "cache", "vfs", "psow", "nolock", "immutable", "cached_statements")
_POSTGRES_NAMES = ("postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2")


def make_engine(
    place: str | Path,
    *,
    connect_timeout_s: int = POSTGRES_CONNECT_TIMEOUT_S,
    n_pooled: int | None = None,
    n_passing: int = 0,
) -> Engine:
    """Build an engine; the first connection is made by its first use.

    Connections are not pooled unless a process asks for it: an engine without open connections may be carried over a fork.
    A pooled one is tried before it is used, and opened anew where the server, or SQLite's file, is another by now.

    Args:
        place: `sqlite:///FILE`, `postgresql://...` (also `postgres://` and `postgresql+psycopg://`); or the path of a
            SQLite file, which may hold any character.
        connect_timeout_s: seconds to wait for a PostgreSQL server.
        n_pooled: how many connections to keep open; None: none is kept.
        n_passing: how many more there may be for a moment, closed after their use.

    Raises:
        DatabaseError: the URL cannot be read, names another database or an unknown option, or is an in-memory SQLite.
    """
    parsed = URL.create("sqlite", database=str(place)) if isinstance(place, Path) else _parse(place)
    return _create(parsed, connect_timeout_s=connect_timeout_s, n_pooled=n_pooled, n_passing=n_passing)


@contextmanager
def keeping_connection(engine: Engine) -> Iterator[Engine]:
    """Give an engine for the same database that keeps one connection for the block, and has no second one.

    For a long row of short transactions, each of which would else begin with a connection of its own.
    """
    if isinstance(engine.pool, QueuePool):
        yield engine
        return
    kept = _create(engine.url, connect_timeout_s=POSTGRES_CONNECT_TIMEOUT_S, n_pooled=1)
    try:
        yield kept
    finally:
        kept.dispose()


def read_only_options() -> dict[str, Any]:
    """Give the execution options of a connection that only reads."""
    return {_READ_ONLY: True, "postgresql_readonly": True}


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a connection for reading only: on SQLite it takes no write lock, on PostgreSQL it may not write."""
    with engine.connect().execution_options(**read_only_options()) as connection:
        yield connection


def verify(engine: Engine) -> str:
    """Make a real round trip.

    Returns:
        The name and version of the database server, and whether the way to it is encrypted.

    Raises:
        DatabaseUnavailable: it cannot be reached; the message names the remedy.
    """
    is_sqlite = engine.dialect.name == "sqlite"
    with reading(engine) as connection:
        version = connection.scalar(text("SELECT sqlite_version()" if is_sqlite else "SHOW server_version"))
        if is_sqlite:
            return f"SQLite {version}"
        driver: Any = connection.connection.dbapi_connection  # psycopg's own, which alone knows this
        return f"PostgreSQL {version}{' over TLS' if driver.pgconn.ssl_in_use else ''}"


@contextmanager
def without_transaction(engine: Engine) -> Iterator[Connection]:
    """Open a connection whose statements are each a transaction by itself, as VACUUM needs."""
    is_sqlite = engine.dialect.name == "sqlite"
    options: dict[str, Any] = {_NO_TRANSACTION: True} if is_sqlite else {"isolation_level": "AUTOCOMMIT"}
    with engine.connect().execution_options(**options) as connection:
        yield connection


def _create(parsed: URL, *, connect_timeout_s: int, n_pooled: int | None, n_passing: int = 0) -> Engine:
    pool: dict[str, Any] = {"poolclass": NullPool}
    if n_pooled is not None:
        pool = {"poolclass": QueuePool, "pool_size": n_pooled, "max_overflow": n_passing, "pool_pre_ping": True}
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed, **pool, json_deserializer=from_json, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_S}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "checkout", _refuse_replaced_file)
    else:
        options = {"connect_timeout": connect_timeout_s, "prepare_threshold": None, **_POSTGRES_KEEPALIVE}
        engine = create_engine(
            parsed,
            **pool,
            json_deserializer=from_json,
            isolation_level="READ COMMITTED",
            connect_args={"options": _POSTGRES_SESSION, **options},
        )
        event.listen(engine, "begin", announce)
    _translate_errors(engine)
    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError("the database URL cannot be read: give sqlite:///FILE or postgresql://...") from error
    if parsed.drivername in _POSTGRES_NAMES:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise DatabaseError(f"{parsed.drivername} is not supported: give sqlite:///FILE or postgresql://...")
    if parsed.database in (None, "", ":memory:"):
        raise DatabaseError("an in-memory SQLite cannot be shared by the workers: give sqlite:///FILE")
    _refuse_unknown_options(url)
    return parsed


def _refuse_unknown_options(url: str) -> None:
    # SQLAlchemy drops what it does not know, so that `sqlite:///notes?1/x.db` and `sqlite:///notes?2/x.db` would be one file.
    options = parse_qsl(url.partition("?")[2], keep_blank_values=True)
    unknown = next((name for name, _ in options if name not in _SQLITE_OPTIONS), None)
    if unknown is not None:
        raise DatabaseError(
            f"{unknown!r} is no option of a SQLite URL: after a '?' come {', '.join(_SQLITE_OPTIONS)}; "
            "a folder with a '?' in its name can be given with TONALOG_HOME"
        )


def _prepare_sqlite(connection: SqliteConnection, entry: ConnectionPoolEntry) -> None:
    # Without this the driver begins transactions by itself, late, and updates are lost silently
    # (measured: 336 commits moved a counter to 165).
    connection.isolation_level = None
    _turn_on_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    entry.info[_FILE] = _identify_file(connection)


def _identify_file(connection: SqliteConnection) -> tuple[str, int, int] | None:
    """Give name, device and inode of an open database's file; None where it has no name or is not there."""
    (*_, file) = connection.execute("PRAGMA database_list").fetchone()
    return (file, *_read_inode(file)) if file else None


def _read_inode(file: str) -> tuple[int, int]:
    try:
        found = Path(file).stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _refuse_replaced_file(_connection: SqliteConnection, entry: ConnectionPoolEntry, _proxy: object) -> None:
    # A restored backup takes the file's name: what a connection that was open before writes would be lost with the old file.
    known = entry.info.get(_FILE)
    if known is not None and known[1:] != _read_inode(known[0]):
        raise DisconnectionError("the database's file was replaced")


def _turn_on_wal(connection: SqliteConnection) -> None:
    # Switching a new file to WAL does not wait for the busy timeout, so that two first connections may collide.
    deadline = time.monotonic() + SQLITE_BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except SqliteOperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get(_NO_TRANSACTION, False):
        return
    is_read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if is_read_only else "BEGIN IMMEDIATE")


def _translate_errors(engine: Engine) -> None:
    def replace(context: ExceptionContext) -> DatabaseError | None:
        if context.is_pre_ping:  # a kept connection was tried before its use: the pool opens another one
            context.is_disconnect = True
            return None
        return translate(context, engine.url)

    event.listen(engine, "handle_error", replace, retval=True)
