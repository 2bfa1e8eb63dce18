"""Fills a ledger with many recordings and jobs at once, as if they had been registered and scored; measures nothing."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

from db.engine import without_transaction

_TABLES = ("recordings", "jobs")
_NUMBERS = {
    "postgresql": "SELECT n FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS g(n)",
    "sqlite": "WITH RECURSIVE g(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM g WHERE n < :last) SELECT n FROM g",
}
_NOW = {"postgresql": "now()", "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', 'now')"}
_RECORDINGS = """
    INSERT INTO recordings (store, bucket, key, version_tag, size_bytes, subject, subject_source, recorded_at_source,
        uploaded_at, registered_at, state)
    SELECT 'local', 'b', 'p' || (n % 50000) || '/' || n, 'v', 9000, 'p' || (n % 50000), 'key', 'unknown', {now}, {now}, 'LIVE'
    FROM ({numbers}) AS numbers
"""
_JOBS = """
    INSERT INTO jobs (recording_id, model_id, state, lane, next_run_at_s, created_at, finished_at)
    SELECT id, :model, CASE WHEN id % :share = 0 THEN 'PENDING' ELSE 'DONE' END, 'nightly', 0, {now},
        CASE WHEN id % :share = 0 THEN NULL ELSE {now} END
    FROM recordings WHERE id > :after ORDER BY id
"""
_CONSTRAINTS = """
    SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype = 'u' AND conrelid::regclass::text = ANY(:tables)
"""
_INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = ANY(:tables)
    AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""
_SQLITE_MADE = (
    "SELECT name, sql FROM sqlite_master WHERE type = :kind AND tbl_name IN ('recordings', 'jobs') AND sql IS NOT NULL"
)


def fill(engine: Engine, first: int, last: int, *, model_id: int, open_share: int) -> None:
    """Add recordings with a job each, without triggers, building the indexes afterwards, and let the planner know.

    Args:
        engine: the database.
        first: number of the first recording.
        last: number of the last.
        model_id: of the jobs.
        open_share: one job in so many is PENDING, the others are DONE.
    """
    dialect = engine.dialect.name
    with engine.begin() as connection:
        undo = _take_away_postgresql(connection) if dialect == "postgresql" else _take_away_sqlite(connection)
        after = connection.scalar(text("SELECT coalesce(max(id), 0) FROM recordings"))
        words = {"now": _NOW[dialect], "numbers": _NUMBERS[dialect]}
        connection.execute(text(_RECORDINGS.format(**words)), {"first": first, "last": last})
        connection.execute(text(_JOBS.format(**words)), {"model": model_id, "share": open_share, "after": after})
        for statement in undo:
            connection.exec_driver_sql(statement)
    with without_transaction(engine) as connection:
        connection.execute(text("VACUUM ANALYZE" if dialect == "postgresql" else "ANALYZE"))


def megabytes(engine: Engine) -> float:
    """Ask how much disk the database takes."""
    pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    is_postgresql = engine.dialect.name == "postgresql"
    with engine.connect() as connection:
        size = connection.scalar(text("SELECT pg_database_size(current_database())" if is_postgresql else pages))
    return float(size or 0) / 1e6


def _take_away_postgresql(connection: Connection) -> list[str]:
    """Drop what makes inserting slow; gives the statements that make it again."""
    connection.execute(text("SET LOCAL session_replication_role = replica"))
    connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
    undo = []
    for table, name, definition in connection.execute(text(_CONSTRAINTS), {"tables": list(_TABLES)}).all():
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        undo.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for name, definition in connection.execute(text(_INDEXES), {"tables": list(_TABLES)}).all():
        connection.exec_driver_sql(f'DROP INDEX "{name}"')
        undo.append(definition)
    return undo


def _take_away_sqlite(connection: Connection) -> list[str]:
    connection.exec_driver_sql("PRAGMA cache_size = -262144")
    undo = ["PRAGMA cache_size = -2000"]  # SQLite's own
    for kind in ("trigger", "index"):
        for name, made in connection.execute(text(_SQLITE_MADE), {"kind": kind}).all():
            connection.exec_driver_sql(f"DROP {kind} {name}")
            undo.append(made)
    return undo[::-1]
