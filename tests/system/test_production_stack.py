"""The same notes through Redis, PostgreSQL and S3 with two worker processes, one of them killed in the middle."""

import sqlite3

import psycopg
import pytest
from command import NOTES, Cli, kill_tree, wait_until

SCORES = (
    "SELECT r.key, status, anger, happiness, neutral, sadness, speech_ms, duration_ms "
    "FROM v1_note n JOIN recordings r ON r.id = n.recording_id"
)


def upload(s3):
    client = s3.client()
    for note in sorted(path for path in NOTES.rglob("*") if path.is_file()):
        client.put_object(Bucket=s3.bucket, Key=note.relative_to(NOTES).as_posix(), Body=note.read_bytes())


@pytest.fixture
def production(tmp_path, redis_url, postgres_url, s3):
    upload(s3)
    return Cli(
        tmp_path,
        {
            "TONALOG_DATABASE_URL": postgres_url,
            "TONALOG_BROKER_URL": redis_url,
            "TONALOG_STORAGE_URL": f"s3://{s3.bucket}",
            "TONALOG_S3_ENDPOINT_URL": s3.endpoint_url,
            "TONALOG_S3_ACCESS_KEY": s3.access_key,
            "TONALOG_S3_SECRET_KEY": s3.secret_key,
            "TONALOG_LEASE_S": "4",
            "TONALOG_HEARTBEAT_S": "1",
            "TONALOG_SWEEP_S": "1",
        },
    )


def ask(url, statement):
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        return connection.execute(statement).fetchall()


def states(url):
    return dict(ask(url, "SELECT state, count(*) FROM jobs GROUP BY state"))


def test_scores_equal_the_embedded_run_and_a_killed_worker_costs_nothing(production, postgres_url, embedded):
    production("db", "upgrade")
    scheduler = production.start("scheduler", log="scheduler.log")
    victim = production.start("worker", "--concurrency", "1", log="victim.log")
    second = None
    try:
        assert "19 new" in production("scan")
        assert wait_until(lambda: states(postgres_url).get("RUNNING"), timeout_s=150, every_s=0.02), states(
            postgres_url
        )
        kill_tree(victim)
        victim = production.start("worker", "--concurrency", "1", log="victim.log")
        second = production.start("worker", "--concurrency", "1", log="second.log")
        done = wait_until(lambda: sum(states(postgres_url).get(s, 0) for s in ("DONE", "DEAD")) == 19, timeout_s=150)
        assert done, f"{states(postgres_url)}\n{production.worker_log()}"
    finally:
        for process in (scheduler, victim, second):
            if process is not None:
                kill_tree(process)

    with sqlite3.connect(embedded.folder / "home" / "tonalog.db") as database:
        here = {row[0]: row[1:] for row in database.execute(SCORES)}
    there = {row[0]: row[1:] for row in ask(postgres_url, SCORES)}
    assert set(there) == set(here)
    for key, row in there.items():
        assert row == pytest.approx(here[key], abs=1e-6), key
    assert ask(postgres_url, "SELECT count(*) FROM results") == [(states(postgres_url)["DONE"],)]
    assert ask(postgres_url, "SELECT count(*) FROM attempts WHERE outcome = 'LOST'")[0][0] >= 1
    assert ask(
        postgres_url,
        "SELECT count(*) FROM jobs j JOIN results r USING (recording_id, model_id) WHERE r.token <> j.lease_token",
    ) == [(0,)]


def test_one_machine_scores_a_bucket_on_the_embedded_default(cli, s3):
    upload(s3)
    cli.variables.update(
        TONALOG_S3_ENDPOINT_URL=s3.endpoint_url,
        TONALOG_S3_ACCESS_KEY=s3.access_key,
        TONALOG_S3_SECRET_KEY=s3.secret_key,
    )

    assert "3 new jobs" in cli("run", f"s3://{s3.bucket}/vera/", "--jobs", "1")
    assert "0 new jobs" in cli("run", f"s3://{s3.bucket}/vera/")


def test_doctor_checks_each_real_server_and_names_the_one_that_is_not_well(production, s3):
    production("db", "upgrade")
    assert production("doctor", "--links").count("ok  ") == 6

    production.variables["TONALOG_BROKER_URL"] = "redis://127.0.0.1:1/0"
    printed = production("doctor", "--links", code=2)

    assert "FAIL  broker" in printed
    assert printed.count("ok  ") == 5


def test_a_server_database_is_never_upgraded_behind_the_operators_back(production):
    assert "tonalog db upgrade" in production("status", code=1)


def test_a_nightly_run_that_no_scheduler_was_up_for_is_caught_up_once(production, postgres_url):
    production("db", "upgrade")
    three_days_ago = "extract(epoch from now()) - 3 * 86400"
    ask_and_commit(postgres_url, f"INSERT INTO pulses (name, at_s) VALUES ('scheduler first start', {three_days_ago})")
    scheduler = production.start("scheduler", log="scheduler.log")
    other = production.start("scheduler", log="other.log")
    try:
        slot_done = "SELECT count(*) FROM schedule_slots WHERE state = 'DONE' AND n_jobs > 0"
        assert wait_until(lambda: ask(postgres_url, slot_done) == [(1,)], timeout_s=150), production.worker_log()
        assert wait_until(lambda: states(postgres_url).get("QUEUED") == 19, timeout_s=120), states(postgres_url)
    finally:
        kill_tree(scheduler)
        kill_tree(other)

    assert ask(postgres_url, "SELECT count(*) FROM jobs") == [(19,)]
    assert ask(postgres_url, "SELECT n_jobs FROM schedule_slots WHERE n_jobs > 0") == [(19,)]


def ask_and_commit(url, statement):
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        connection.execute(statement)
