"""The real processes on real servers, each under its own database role: a note goes from bucket to view."""

import psycopg
import pytest
from command import NOTES, ROOT, Cli, kill_tree, wait_until

NOTE = "ana/2026-03-02T08-15-00Z.ogg"
PASSWORD = "canary-role-password"


@pytest.fixture
def url_of(postgres_url):
    """Give each role a password, and return the URL under which it logs in."""
    admin = psycopg.conninfo.conninfo_to_dict(postgres_url.replace("postgresql+psycopg", "postgresql"))

    def grant():
        with psycopg.connect(**admin, autocommit=True) as connection:
            connection.execute((ROOT / "deploy" / "postgres" / "roles.sql").read_text())
            for role in ("migrator", "scheduler", "worker", "api"):
                connection.execute(f"ALTER ROLE tonalog_{role} PASSWORD '{PASSWORD}'")

    def url(role):
        place = f"{admin['host']}:{admin['port']}/{admin['dbname']}"
        return f"postgresql://tonalog_{role}:{PASSWORD}@{place}"

    grant()
    url.grant = grant
    return url


@pytest.fixture
def as_role(tmp_path, redis_url, s3, url_of):
    s3.client().put_object(Bucket=s3.bucket, Key=NOTE, Body=(NOTES / NOTE).read_bytes())
    common = {
        "TONALOG_BROKER_URL": redis_url,
        "TONALOG_STORAGE_URL": f"s3://{s3.bucket}",
        "TONALOG_S3_ENDPOINT_URL": s3.endpoint_url,
        "TONALOG_S3_ACCESS_KEY": s3.access_key,
        "TONALOG_S3_SECRET_KEY": s3.secret_key,
        "TONALOG_SWEEP_S": "1",
        "TONALOG_WATCHDOG_S": "60",
    }
    return lambda role: Cli(tmp_path, {**common, "TONALOG_DATABASE_URL": url_of(role)})


def test_a_note_is_scored_by_processes_that_may_do_no_more_than_they_need(as_role, url_of):
    as_role("migrator")("db", "upgrade")
    url_of.grant()
    scheduler = as_role("scheduler").start("scheduler", log="scheduler.log")
    worker = as_role("worker").start("worker", "--concurrency", "1", log="worker.log")

    def scored():
        with psycopg.connect(url_of("api")) as connection:
            return connection.execute("SELECT recording_id FROM v1_note WHERE status = 'scored'").fetchall()

    try:
        assert "1 new" in as_role("scheduler")("scan")
        assert wait_until(lambda: scored() == [(1,)], timeout_s=120), as_role("worker").worker_log()
        assert as_role("worker")("doctor", "--links").count("ok  ") == 6
        assert "skip  system" in as_role("worker")("doctor")
        assert "ok    system: live workers: 1;" in as_role("scheduler")("doctor")
        assert NOTE in as_role("scheduler")("show", NOTE)
    finally:
        kill_tree(scheduler)
        kill_tree(worker)

    assert "permission denied" not in as_role("worker").worker_log()
