"""Each documented query and each read of the HTTP API goes by an index; also run on PostgreSQL, under its reading roles.

Twenty thousand notes are enough for a planner to prefer an index, where there is one that fits.
"""

import re

import pytest
from db_samples import new_sqlite
from filling import fill
from look_ups import OF_EVERYBODY, of_api, of_page
from sqlalchemy import event

from db.tenancy import asking

N_NOTES, N_PEOPLE = 20_000, 200
TENANT, SUBJECT = "tenant-7", "person-107"
# Tables of few rows here; those of erasures and the marks are empty. By `ix_changes_new` only changes without a place are read.
SMALL = {"models", "m", "reader_tenants", "b", "change_feed", "subject_aliases", "subject_keys", "subject_baselines"}
SMALL |= {"subject_marks", "erasures", "erasure_requests", "erasure_objects", "ix_changes_new"}
# A whole table, or the whole of a tenant.
OF_SQLITE = re.compile(r"SCAN (?:TABLE )?(\w+)|SEARCH (\w+) USING .*\(tenant=\?\)$")
OF_POSTGRES = re.compile(r"(?:Seq Scan on|Index Only Scan using|Index Scan using) (\w+)(?: on)?(?: (\w+))?")


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """The database as the HTTP API and as an app backend see it."""
    engine = new_sqlite(tmp_path_factory.mktemp("plans"))
    fill(engine, n_notes=N_NOTES, n_people=N_PEOPLE)
    return engine, engine


def plans_of(engine, read):
    """The plan of each SELECT that a read sends, line by line."""
    sent = []

    def note(_connection, _cursor, statement, parameters, _context, _is_many):
        if statement.lstrip().startswith(("SELECT", "WITH")) and "set_config" not in statement:
            sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        read()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert sent
    how = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.connect() as connection:
        return [
            (statement, [str(row[-1]) for row in connection.exec_driver_sql(f"{how} {statement}", parameters)])
            for statement, parameters in sent
        ]


def whole_scans(engine, lines):
    """The tables that a plan reads from one end to the other."""
    if engine.dialect.name == "sqlite":
        found = [name for line in lines for pair in OF_SQLITE.findall(line) for name in pair if name]
        return [name for name in found if name not in {*SMALL, "CONSTANT"}]
    found = []
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        scan = OF_POSTGRES.search(line)
        if scan and not {*scan.groups()} & SMALL and ("Seq Scan" in line or "Index Cond" not in below):
            found.append(line.strip())
    return found


def test_every_look_up_goes_by_an_index(engines):
    by_api, by_sql = engines
    with asking(TENANT):
        found = {name: (by_api, read) for name, read in of_api(by_api, TENANT, SUBJECT, model_id=1).items()}
        found |= {name: (by_sql, read) for name, read in of_page(by_sql, TENANT, SUBJECT).items()}
        look_ups = {name: told for name, told in found.items() if OF_EVERYBODY not in name}
        assert len(look_ups) >= 30
        slow = {
            name: (scans, statement)
            for name, (engine, read) in look_ups.items()
            for statement, lines in plans_of(engine, read)
            if (scans := whole_scans(engine, lines))
        }
    assert slow == {}


def test_a_plan_that_reads_a_whole_table_is_seen_as_one(engines):
    _, by_sql = engines
    with by_sql.connect() as connection:
        for query in ("SELECT * FROM v1_note WHERE label = 'sadness'", "SELECT COUNT(*) FROM v1_segment"):
            how = "EXPLAIN QUERY PLAN" if by_sql.dialect.name == "sqlite" else "EXPLAIN"
            lines = [str(row[-1]) for row in connection.exec_driver_sql(f"{how} {query}")]
            assert whole_scans(by_sql, lines)
