"""Removes what deleted rows leave behind in a database: their old versions, statistics of them, bytes in its files."""

import time
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, TextClause, text

from db.api_schema import api_audit
from db.engine import reading, without_transaction
from db.errors import DatabaseError, DatabaseUnavailable
from db.export_schema import exports
from db.hint_schema import object_hints
from db.people_schema import (
    baseline_notes,
    relative_results,
    subject_baselines,
    subject_days,
    subject_marks,
    subject_trends,
)
from db.request_schema import idempotent_requests, uploads
from db.schema import (
    attempts,
    erasure_objects,
    identity_changes,
    jobs,
    recordings,
    removed_audio,
    results,
    segments,
    subject_aliases,
)

OLD_READERS_TIMEOUT_S = 30.0
_POLL_S = 0.1
_TABLES = tuple(
    table.name
    for table in (
        recordings,
        identity_changes,
        subject_aliases,
        erasure_objects,
        removed_audio,
        results,
        segments,
        jobs,
        attempts,
        api_audit,
        uploads,
        object_hints,
        idempotent_requests,
        exports,
        subject_baselines,
        baseline_notes,
        relative_results,
        subject_days,
        subject_trends,
        subject_marks,
    )
)
_STATISTICS = "pg_statistic"  # where PostgreSQL keeps values that were common in a column
_MAINTAIN_SINCE = 17
# A superuser asks too: names are qualified, so that nothing in `public` comes before PostgreSQL's own.
# A table's owner and the database's may clean it; whoever has the right MAINTAIN too, where there is one.
_MAY_CLEAN = """
    SELECT c.relname FROM pg_catalog.pg_class c, pg_catalog.pg_database d
    WHERE d.datname = pg_catalog.current_database() AND c.oid = CAST(pg_catalog.to_regclass(:table) AS oid)
        AND (pg_catalog.pg_has_role(c.relowner, 'USAGE') OR pg_catalog.pg_has_role(d.datdba, 'USAGE'){maintain})
"""
_OR_MAINTAIN = " OR pg_catalog.has_table_privilege(c.oid, 'MAINTAIN')"
# Sessions that look at the database as it was before a mark; the server's own, which do no such thing, have no user.
_OLD_READERS = text("""
    SELECT 'session of', a.usename, CAST(a.pid AS text) FROM pg_catalog.pg_stat_activity a
    WHERE (a.datname = pg_catalog.current_database() OR a.datname IS NULL) AND a.usename IS NOT NULL
        AND a.pid <> pg_catalog.pg_backend_pid()
        AND pg_catalog.age(a.backend_xmin) > pg_catalog.age(CAST(CAST(:mark AS text) AS xid))
""")
# Whatever else has VACUUM FULL write rows into the new file that nobody can read any more, in other databases too.
_OLD_TRANSACTIONS = text("""
    SELECT 'session of', a.usename, CAST(a.pid AS text) FROM pg_catalog.pg_stat_activity a
    WHERE pg_catalog.age(a.backend_xid) > pg_catalog.age(CAST(CAST(:mark AS text) AS xid))
    UNION ALL SELECT 'replication slot', s.slot_name, NULL FROM pg_catalog.pg_replication_slots s
    WHERE pg_catalog.age(s.xmin) > pg_catalog.age(CAST(CAST(:mark AS text) AS xid))
    UNION ALL SELECT 'prepared transaction of', p.owner, p.gid FROM pg_catalog.pg_prepared_xacts p
    WHERE pg_catalog.age(p.transaction) > pg_catalog.age(CAST(CAST(:mark AS text) AS xid))
""")


@dataclass(frozen=True, kw_only=True)
class Residue:
    """What is left of deleted rows.

    Attributes:
        uncleaned_tables: those that this role may not clean; statistics of them still hold deleted values.
        has_bytes: whether free space of the database's files still holds bytes of deleted rows, which no query finds.
    """

    uncleaned_tables: tuple[str, ...] = ()
    has_bytes: bool = False


def scrub(engine: Engine) -> Residue:
    """Clean the tables that an erasure empties, so that no query and no statistic finds anything of deleted rows.

    SQLite's file is rewritten. PostgreSQL goes on working meanwhile; it keeps the bytes in free space of its files,
    until it writes over them or `rewrite` removes them.

    Raises:
        DatabaseUnavailable: somebody still reads the rows as they were, or keeps a table or the file busy.
    """
    if engine.dialect.name == "sqlite":
        return _rewrite_file(engine)
    _wait_until_none_is_left(engine, [_OLD_READERS])
    uncleaned = _clean(engine, _TABLES, "VACUUM (ANALYZE)")
    return Residue(uncleaned_tables=uncleaned, has_bytes=True)


def rewrite(engine: Engine) -> Residue:
    """Write the tables that an erasure empties anew, so that their files hold no byte of deleted rows.

    On PostgreSQL nobody can read or write a table while it is written, and it takes as much disk again. Its
    write-ahead log and backups are not touched.

    Returns:
        What is left: only the catalogue of statistics, where this role owns the tables and not the database.

    Raises:
        DatabaseError: this role may not do it; the message names who may.
        DatabaseUnavailable: somebody still reads the rows as they were, or keeps a table or the file busy.
    """
    if engine.dialect.name == "sqlite":
        return _rewrite_file(engine)
    with reading(engine) as connection:
        forbidden = [table for table in _TABLES if not _may_clean(connection, table)]
    if forbidden:
        raise DatabaseError(
            f"{engine.url.username} may not rewrite {', '.join(forbidden)}: connect as their owner or as the database's"
        )
    _wait_until_none_is_left(engine, [_OLD_READERS, _OLD_TRANSACTIONS])
    _clean(engine, _TABLES, "VACUUM (FULL, ANALYZE)")
    # After them, since each of them has just left old statistics behind.
    _wait_until_none_is_left(engine, [_OLD_READERS, _OLD_TRANSACTIONS])
    uncleaned = _clean(engine, (_STATISTICS,), "VACUUM (FULL)")
    return Residue(uncleaned_tables=uncleaned, has_bytes=bool(uncleaned))


def _rewrite_file(engine: Engine) -> Residue:
    with without_transaction(engine) as connection:
        connection.exec_driver_sql("VACUUM")
        is_busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
    if is_busy:
        raise DatabaseUnavailable("another process keeps the database busy, so deleted rows may still be in its files")
    return Residue()


def _clean(engine: Engine, tables: tuple[str, ...], command: str) -> tuple[str, ...]:
    """Run a VACUUM on each table that this role may clean, and give the others."""
    uncleaned = []
    with without_transaction(engine) as connection:
        for table in tables:
            if _may_clean(connection, table):
                connection.exec_driver_sql(f"{command} {table}")
            else:
                uncleaned.append(table)
    return tuple(uncleaned)


def _may_clean(connection: Connection, table: str) -> bool:
    version = connection.dialect.server_version_info or (0,)
    has_maintain = int(version[0]) >= _MAINTAIN_SINCE
    asked = _MAY_CLEAN.format(maintain=_OR_MAINTAIN if has_maintain else "")
    return connection.scalar(text(asked), {"table": table}) is not None


def _wait_until_none_is_left(engine: Engine, questions: list[TextClause]) -> None:
    """Wait until nobody is left who began before now: VACUUM keeps whatever somebody may still read.

    Args:
        engine: the database.
        questions: each asks who is older than a mark.

    Raises:
        DatabaseUnavailable: somebody is left after `OLD_READERS_TIMEOUT_S`; the message names the session.
    """
    deadline = time.monotonic() + OLD_READERS_TIMEOUT_S
    with engine.begin() as connection:
        mark = str(connection.scalar(text("SELECT CAST(pg_catalog.pg_current_xact_id() AS xid)")))
    while True:
        with reading(engine) as connection:
            answers = [connection.execute(question, {"mark": mark}).first() for question in questions]
        somebody = next((row for row in answers if row is not None), None)
        if somebody is None:
            return
        if time.monotonic() > deadline:
            who = " ".join(str(word) for word in somebody if word is not None)
            raise DatabaseUnavailable(
                f"{who} began before now and keeps deleted rows: let it end, or end it, and run the same command again"
            )
        time.sleep(_POLL_S)
