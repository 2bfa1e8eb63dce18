"""Databases of a PostgreSQL server that tests use one after the other: emptied after each, which costs a third of making one."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from servers import PostgresServer

# What of the catalogs no statement on rows and no TRUNCATE changes: the xmin of a row tells who wrote it last.
_CATALOGS = "pg_attrdef pg_attribute pg_constraint pg_default_acl pg_event_trigger pg_namespace pg_policy pg_proc pg_rewrite pg_trigger pg_type"
_WRITTEN = "SELECT '{name}', count(*), sum(xmin::text::bigint) FROM {name} UNION ALL "
_SCHEMA = "".join(_WRITTEN.format(name=name) for name in _CATALOGS.split())
_SCHEMA += """
SELECT 'tables', count(*), sum(hashtext(concat_ws(
    '|', oid, relname, relkind, relowner, relacl, reloptions, relrowsecurity, relforcerowsecurity
))) FROM pg_class
UNION ALL
SELECT 'database', count(*), sum(hashtext(concat_ws('|', datdba, datacl, datconnlimit)))
FROM pg_database WHERE datname = current_database()
UNION ALL
SELECT 'settings', count(*), sum(hashtext(concat_ws('|', setrole, setconfig)))
FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()
"""
_TABLES = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
_END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_BEGIN_SEQUENCES = (
    "SELECT setval(format('%I.%I', schemaname, sequencename), start_value, false) FROM pg_sequences "
    "WHERE last_value IS NOT NULL"
)
_FIRST_OF_USERS = 16_384  # object ids below are of PostgreSQL itself

Rows = list[tuple[object, ...]]
Prepare = Callable[[PostgresServer, str], None]


@dataclass(frozen=True)
class Kept:
    """A database, and what is to be found in it again after a test."""

    name: str
    schema: Rows
    rows: dict[str, Rows]


_free: dict[tuple[PostgresServer, str, Prepare | None], list[Kept]] = defaultdict(list)


@contextmanager
def lend_database(server: PostgresServer, template: str, *, prepare: Prepare | None = None) -> Iterator[str]:
    """The name of a database as `template` is, once `prepare` was called with it.

    Afterwards it is emptied for the next test, or dropped where its schema, a right or a setting is another.
    """
    free = _free[server, template, prepare]
    kept = free.pop() if free else make_database(server, template, prepare)
    yield kept.name
    if not server.is_running():
        return
    if is_restored(server, kept):
        free.append(kept)
        return
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE {kept.name} WITH (FORCE)".encode())


def make_database(server: PostgresServer, template: str, prepare: Prepare | None) -> Kept:
    """Make a database of a template, and read what it has."""
    name = f"test_{uuid.uuid4().hex}"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    if prepare is not None:
        prepare(server, name)
    with server.connect(name) as connection:
        tables = [str(table) for (table,) in connection.execute(_TABLES)]
        rows = {table: connection.execute(f"SELECT * FROM {table}".encode()).fetchall() for table in tables}
        return Kept(name, read_schema(connection), {table: found for table, found in rows.items() if found})


def read_schema(connection: psycopg.Connection[tuple[object, ...]]) -> Rows:
    """What is another as soon as anything but the rows of a database is."""
    return connection.execute(_SCHEMA.encode()).fetchall()


def is_restored(server: PostgresServer, kept: Kept) -> bool:
    """Give a database its rows again; False where its schema, rights or settings are others."""
    with server.connect(kept.name) as connection, connection.transaction():
        connection.execute(_END_OTHERS)
        if read_schema(connection) != kept.schema:
            return False
        connection.execute("SET LOCAL session_replication_role = replica")  # no trigger
        filled = connection.execute(f"{_TABLES} AND pg_relation_size(oid) > 0".encode())
        if names := ", ".join(str(table) for (table,) in filled):
            connection.execute(f"TRUNCATE {names} CASCADE".encode())
        connection.execute(_BEGIN_SEQUENCES)
        connection.execute(
            f"DELETE FROM pg_statistic WHERE starelid >= {_FIRST_OF_USERS}".encode()
        )  # plans depend on it
        for table, rows in kept.rows.items():
            places = ", ".join(["%s"] * len(rows[0]))
            connection.cursor().executemany(f"INSERT INTO {table} VALUES ({places})".encode(), rows)
    return True
