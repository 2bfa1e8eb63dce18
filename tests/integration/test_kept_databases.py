"""A database that one test has used is for the next as if it had just been made, or it is not used again."""

import pytest
from db_samples import a_result, add_jobs, count, dump, new_postgres, score_all, take
from kept_databases import lend_database
from roles import new_roles, run
from sqlalchemy import text

from db import ledger
from db.engine import make_engine


def name_of(engine):
    return engine.url.database


def test_what_a_test_has_written_is_gone_for_the_next_and_numbers_begin_anew(postgres_server):
    with new_postgres(postgres_server) as engine:
        first, empty = name_of(engine), dump(engine)
        (job_id,) = add_jobs(engine, 1)
        score_all(engine)
        run(engine, "ANALYZE")
        assert count(engine, "results") == 1

    with new_postgres(postgres_server) as engine:
        assert name_of(engine) == first
        assert dump(engine) == empty
        assert add_jobs(engine, 1) == [job_id]
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM pg_statistic WHERE starelid >= 16384")) == 0


def test_triggers_hold_in_a_database_that_is_used_again(postgres_server):
    for _ in range(2):
        with new_postgres(postgres_server) as engine:
            (job_id,) = add_jobs(engine, 1)
            run(engine, "UPDATE jobs SET state = 'QUEUED'")
            assert ledger.finish(engine, take(engine, job_id), a_result())
            with pytest.raises(Exception, match="immutable"):
                run(engine, "UPDATE results SET label = 'anger'")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (n integer)",
        "ALTER TABLE jobs ADD COLUMN more integer",
        "DROP VIEW v1_change",
        "DROP TRIGGER IF EXISTS results_immutable ON results; CREATE INDEX more ON jobs (state)",
        "GRANT SELECT ON jobs TO PUBLIC",
        "ALTER TABLE jobs DISABLE TRIGGER ALL",
        "ALTER TABLE recordings ENABLE ROW LEVEL SECURITY",
        "COMMENT ON TABLE jobs IS 'x'; CREATE FUNCTION more() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_a_database_whose_schema_or_rights_were_changed_is_not_used_again(postgres_server, statement):
    with new_postgres(postgres_server) as engine:
        changed = name_of(engine)
        run(engine, statement)

    with new_postgres(postgres_server) as engine:
        assert name_of(engine) != changed
    with postgres_server.connect() as connection:
        assert not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (changed,)).fetchall()


@pytest.mark.parametrize("statement", ["SET statement_timeout = '9s'", "CONNECTION LIMIT 7"])
def test_a_database_with_other_settings_is_not_used_again(postgres_server, statement):
    with new_postgres(postgres_server) as engine:
        changed = name_of(engine)
        run(engine, f"ALTER DATABASE {changed} {statement}")

    with new_postgres(postgres_server) as engine:
        assert name_of(engine) != changed


def test_databases_with_rights_are_apart_from_those_without_and_two_tests_at_once_have_two(postgres_server):
    with new_roles(postgres_server) as roles:
        granted = name_of(roles.admin)
        with new_postgres(postgres_server) as one, new_postgres(postgres_server) as other:
            assert len({granted, name_of(one), name_of(other)}) == 3
    with new_roles(postgres_server) as roles:
        assert name_of(roles.admin) == granted


def test_a_connection_that_a_test_left_open_is_ended(postgres_server):
    with lend_database(postgres_server, "template1") as name:
        left = make_engine(postgres_server.url_of(name), n_pooled=1)
        connection = left.connect()
        connection.execute(text("SELECT 1"))

    with lend_database(postgres_server, "template1") as again:
        assert again == name
        with pytest.raises(Exception, match=r"terminat|closed"):
            connection.execute(text("SELECT 1"))
    left.dispose()
