"""The role of what adds workers: it sees how much audio waits, and nothing of anybody; on a real PostgreSQL."""

import subprocess

import psycopg
import pytest
from command import ROOT
from db_samples import new_postgres
from roles import PASSWORD, add_work, ask, new_roles, run
from servers.postgres import prepare_cluster

from db.backlog import AUDIO_S
from db.every_table import load_metadata
from tests.unit import test_db_backlog

SEEN = {
    ("jobs", "recording_id"),
    ("jobs", "state"),
    ("recordings", "id"),
    ("recordings", "size_bytes"),
    ("results", "recording_id"),
    ("results", "duration_ms"),
}


class TestOnPostgres:
    """Every test of the query, on PostgreSQL."""

    @pytest.fixture
    def engine(self, postgres_server):
        with new_postgres(postgres_server) as engine:
            yield engine

    locals().update({name: staticmethod(test) for name, test in vars(test_db_backlog).items() if name[:5] == "test_"})


@pytest.fixture(scope="module")
def granted(postgres_server):
    with new_roles(postgres_server, n_pooled=None) as roles:
        yield roles


def test_the_scaler_reads_the_backlog(granted):
    add_work(granted, 3)

    assert ask(granted.scaler, AUDIO_S) == [(2,)]  # 3,000 bytes are 0.75 s


def test_the_scaler_reads_no_other_column_and_writes_none(granted):
    may = "has_column_privilege('tonalog_scaler', a.attrelid, a.attnum, '{}')"
    rows = ask(
        granted.admin,
        f"SELECT c.relname, a.attname, {may.format('SELECT')}, {may.format('INSERT, UPDATE, REFERENCES')} "
        "OR has_table_privilege('tonalog_scaler', a.attrelid, 'DELETE, TRUNCATE, TRIGGER') FROM pg_attribute a "
        "JOIN pg_class c ON c.oid = a.attrelid AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') "
        "WHERE a.attnum > 0 AND NOT a.attisdropped",
    )

    assert {table for table, *_ in rows} >= set(load_metadata().tables)
    assert {(table, column) for table, column, may_read, _ in rows if may_read} == SEEN
    assert not any(may_write for *_, may_write in rows)


def test_the_scaler_has_two_connections_and_little_time(granted):
    assert ask(granted.scaler, "SHOW statement_timeout") == [("10s",)]
    with granted.scaler.connect(), granted.scaler.connect(), pytest.raises(psycopg.OperationalError, match="too many"):
        granted.scaler.raw_connection()


@pytest.mark.parametrize("given", [{}, {"SCALER_DB_PASSWORD": PASSWORD}], ids=["without", "with"])
def test_the_scaler_can_log_in_where_the_hooks_of_the_chart_are_given_its_password(granted, given):
    run(granted.admin, "ALTER ROLE tonalog_scaler PASSWORD NULL")
    url = granted.admin.url
    passwords = {f"{role}_DB_PASSWORD": PASSWORD for role in ("MIGRATOR", "WORKER", "SCHEDULER", "HTTP", "WEBHOOKS")}
    environment = {
        "PATH": f"{prepare_cluster()[0]}:/usr/bin:/bin",
        "DATABASE_URL": f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}",
        "PGPASSWORD": url.password,
        "ROLES_SQL": str(ROOT / "deploy" / "postgres" / "roles.sql"),
    }
    script = ["/bin/sh", str(ROOT / "deploy" / "postgres" / "set-roles.sh")]

    done = subprocess.run(script, env=environment | passwords | given, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    has_password = ask(granted.admin, "SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'tonalog_scaler'")
    assert has_password == [(bool(given),)]
