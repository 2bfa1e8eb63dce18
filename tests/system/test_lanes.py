"""A bulk reprocess never delays nightly work: on the embedded default and on Redis and PostgreSQL, with a real worker.

The bound: once the messages of nightly jobs are sent, at most as many bulk jobs start before the last nightly one as
the worker has processes (it had taken their messages before). The queue holds more bulk jobs than its cap all the time.
"""

import os
from datetime import UTC, datetime

import numpy as np
import pytest
import soundfile
from command import NOTES, Cli, kill_tree, wait_until
from sqlalchemy import select

from db import jobs, models
from db.engine import make_engine, reading
from db.reasons import JobState, Lane
from db.schema import attempts
from db.schema import jobs as job_table
from scheduler.scan import Naming, scan
from storage.open import open_store

N_BULK, N_NIGHTLY, QUEUE_CAP, CONCURRENCY = 60, 10, 40, 2
LONG_S = 60.0  # so that a bulk job takes long enough to be overtaken, whatever the model


@pytest.fixture(params=["embedded", "redis_and_postgres"])
def stack(request, tmp_path):
    variables = {"TONALOG_QUEUE_CAP": str(QUEUE_CAP), "TONALOG_STORAGE_URL": str(tmp_path / "nightly")}
    if request.param == "redis_and_postgres":
        variables["TONALOG_DATABASE_URL"] = request.getfixturevalue("postgres_url")
        variables["TONALOG_BROKER_URL"] = request.getfixturevalue("redis_url")
    return Cli(tmp_path, variables)


@pytest.fixture
def engine(stack):
    stack("db", "upgrade")
    return make_engine(stack.variables.get("TONALOG_DATABASE_URL", f"sqlite:///{stack.folder}/home/tonalog.db"))


def write_notes(folder, n, *, length_s):
    """Write `n` names of one recording of speech."""
    signal, rate = soundfile.read(NOTES / "vera" / "2026-03-05T06-58-20Z.wav")
    folder.mkdir()
    soundfile.write(folder / "0.wav", np.resize(signal, round(length_s * rate)), rate)
    for number in range(1, n):
        os.link(folder / "0.wav", folder / f"{number}.wav")


def make_bulk_jobs(engine, folder):
    store, prefix = open_store(str(folder))
    scan(engine, store, prefix=prefix, naming=Naming("{subject}/{recorded_at}...", "UTC"))
    return jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.BULK)


def count(engine, lane, state):
    with reading(engine) as connection:
        chosen = select(job_table.c.id).where(job_table.c.lane == lane, job_table.c.state == state)
        return len(connection.execute(chosen).all())


def starts(engine, lane):
    """When each attempt of a lane began, in order."""
    joined = select(attempts.c.started_at).join(job_table, job_table.c.id == attempts.c.job_id)
    with reading(engine) as connection:
        return sorted(connection.scalars(joined.where(job_table.c.lane == lane)))


def test_nightly_jobs_overtake_a_reprocess_that_fills_the_queue(stack, engine):
    write_notes(stack.folder / "bulk", N_BULK, length_s=LONG_S)
    (stack.folder / "nightly").mkdir()
    assert make_bulk_jobs(engine, stack.folder / "bulk") == N_BULK
    assert f"{QUEUE_CAP} sent to workers" in stack("scan")
    worker = stack.start("worker", "--concurrency", str(CONCURRENCY), log="worker.log")
    try:
        assert wait_until(lambda: count(engine, Lane.BULK, JobState.DONE) >= 2, timeout_s=120), stack.worker_log()
        (stack.folder / "nightly").rmdir()
        write_notes(stack.folder / "nightly", N_NIGHTLY, length_s=3.0)
        assert f"{N_NIGHTLY} sent to workers" in stack("scan")
        sent_at = datetime.now(UTC)
        n_bulk_waiting = count(engine, Lane.BULK, JobState.QUEUED)
        done = wait_until(lambda: count(engine, Lane.NIGHTLY, JobState.DONE) == N_NIGHTLY, timeout_s=120)
        assert done, stack.worker_log()
    finally:
        kill_tree(worker)

    nightly = starts(engine, Lane.NIGHTLY)
    overtook = [start for start in starts(engine, Lane.BULK) if sent_at < start < nightly[-1]]
    assert n_bulk_waiting > CONCURRENCY, "the reprocess was over before nightly work came, so nothing was shown"
    assert len(overtook) <= CONCURRENCY
