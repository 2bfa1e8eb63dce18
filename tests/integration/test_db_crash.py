"""Processes that work the ledger are killed in the middle; what they leave must be whole."""

import contextlib
import itertools
import multiprocessing
import os
import random
import sqlite3
import time

import pytest
from db_samples import PLENTY, a_result, add_jobs, count, new_postgres
from sqlalchemy import text

from db import history, leases, ledger, pump
from db.engine import make_engine
from db.migrate import upgrade
from db.reasons import JobState

N_JOBS = 140
N_KILLS = 12
N_WORKERS = 4
N_BETWEEN_KILLS = 8


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request, tmp_path):
    if request.param == "sqlite":
        engine = make_engine(f"sqlite:///{tmp_path / 'tonalog.db'}")
        upgrade(engine)
        yield engine
    else:
        with new_postgres(request.getfixturevalue("postgres_server"), n_pooled=None) as engine:
            yield engine


def work(engine, log, seed):
    """Claim any job there is and finish it, for ever; note each finish after its commit."""
    rng = random.Random(seed)
    engine = make_engine(engine.url.render_as_string(hide_password=False), n_pooled=1)  # nothing of another process
    for n in itertools.count(rng.randrange(N_JOBS)):
        claim = ledger.claim(engine, n % N_JOBS + 1, worker=f"pid-{os.getpid()}", lease_s=0.5)
        if claim is None:
            time.sleep(0.002)
            continue
        time.sleep(rng.uniform(0.0, 0.005))
        if ledger.finish(engine, claim, a_result()):
            with log.open("a") as out:
                out.write(f"{claim.job_id}\n")


def start_worker(engine, log, seed):
    # Forked: the workers are at it at once, so that every kill hits one in the middle of a step.
    worker = multiprocessing.get_context("fork").Process(target=work, args=(engine, log, seed), daemon=True)
    worker.start()
    return worker


@contextlib.contextmanager
def some_workers(engine, log):
    workers = [start_worker(engine, log, n) for n in range(N_WORKERS)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def test_workers_killed_in_commit_lose_nothing_and_double_nothing(engine, tmp_path):
    rng = random.Random(7)
    add_jobs(engine, N_JOBS)
    log = tmp_path / "finished"

    log.touch()

    with some_workers(engine, log) as workers:
        for n in range(N_KILLS):
            wait_for_lines(log, (n + 1) * N_BETWEEN_KILLS)
            time.sleep(rng.uniform(0.0, 0.02))
            victim = rng.randrange(N_WORKERS)
            workers[victim].kill()
            workers[victim].join()
            workers[victim] = start_worker(engine, log, N_WORKERS + n)
        deadline = time.monotonic() + 60
        while history.counts(engine).n_unfinished and time.monotonic() < deadline:
            leases.expire_leases(engine)
            pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)
            time.sleep(0.1)

    states = history.counts(engine).by_state
    assert set(states) <= {JobState.DONE, JobState.DEAD}
    assert count(engine, "results") == states[JobState.DONE]
    assert count(engine, "segments") == 2 * states[JobState.DONE]
    finished = [int(line) for line in log.read_text().split("\n")[:-1] if line]
    assert len(finished) == len(set(finished))
    assert len(finished) <= states[JobState.DONE] <= len(finished) + N_KILLS
    assert count_lost(engine) >= 1  # else the kills missed their mark and this test shows nothing
    assert foreign_results(engine) == 0
    assert open_attempts(engine) == 0
    if engine.dialect.name == "sqlite":
        with contextlib.closing(sqlite3.connect(engine.url.database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def wait_for_lines(log, n_lines):
    deadline = time.monotonic() + 60
    while log.read_bytes().count(b"\n") < n_lines and time.monotonic() < deadline:
        time.sleep(0.005)


def count_lost(engine):
    with engine.connect() as connection:
        return connection.scalar(text("SELECT COUNT(*) FROM attempts WHERE outcome = 'LOST'"))


def foreign_results(engine):
    """Results that another attempt than the job's last one wrote."""
    query = (
        "SELECT COUNT(*) FROM results r JOIN jobs j ON j.recording_id = r.recording_id AND j.model_id = r.model_id "
        "WHERE j.lease_token <> r.token OR j.lease_token IS NULL OR j.state <> 'DONE'"
    )
    with engine.connect() as connection:
        return connection.scalar(text(query))


def open_attempts(engine):
    with engine.connect() as connection:
        return connection.scalar(text("SELECT COUNT(*) FROM attempts WHERE outcome IS NULL"))
