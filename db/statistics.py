"""Tells SQLite's planner how much there is, so that it takes the index of a person and not that of a whole tenant.

PostgreSQL's autovacuum does so by itself.
"""

from sqlalchemy import Connection, Engine, Integer, func, literal_column, select, text

from db.engine import reading, without_transaction
from db.people_schema import relative_results, subject_days
from db.schema import jobs, recordings, results

# What grows. Of a whole table SQLite gives the highest row number at once; a count would read it.
_GROWING = (recordings, jobs, results, relative_results, subject_days)
_GROWTH = 4
_LEAST_ROWS = 1_000  # under that any plan is fast
# So many rows of an index are looked at; with a limit no sample of values is kept (`sqlite_stat4`), which would be names.
_LIMIT = 1_000


def refresh_statistics(engine: Engine) -> bool:
    """Analyse a SQLite database that has grown fourfold since the last time; a look costs next to nothing.

    Returns:
        Whether it was analysed.
    """
    if engine.dialect.name != "sqlite":
        return False
    with reading(engine) as connection:
        n_rows, n_known = _count(connection), _count_known(connection)
    if n_rows < max(_LEAST_ROWS, _GROWTH * n_known):
        return False
    with without_transaction(engine) as connection:
        connection.execute(text(f"PRAGMA analysis_limit={_LIMIT}"))
        connection.execute(text("ANALYZE"))
    return True


def _count(connection: Connection) -> int:
    n_rows = 0
    for table in _GROWING:
        n_rows += connection.scalar(select(func.max(literal_column("rowid", Integer))).select_from(table)) or 0
    return n_rows


def _count_known(connection: Connection) -> int:
    """Read how many rows there were when the tables were analysed."""
    if not connection.scalar(text("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'")):
        return 0
    known = connection.execute(text("SELECT tbl, MAX(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl")).all()
    names = {table.name for table in _GROWING}
    return sum(n_rows for name, n_rows in known if name in names)
