"""PostgreSQL goes away while a worker finishes its job: before COMMIT, or somewhere around it."""

import contextlib
import random
import threading
import time

import pytest
from db_samples import a_result, add_jobs, count, new_postgres
from sqlalchemy import event

from db import leases, ledger
from db.engine import make_engine
from db.errors import DatabaseError
from db.reasons import JobState
from tests.chaos import invariants
from tests.chaos.rows import read_history

N_JOBS = 8
LEASE_S = 0.2
PATIENCE_S = 60.0


@pytest.fixture
def engine(killable_postgres):
    with new_postgres(killable_postgres, n_pooled=None) as engine:
        yield engine


def restart(server):
    server.kill()
    server.start()


def finish_while(engine, server, hurt, *, job_id, rng):
    """Finish a job on an engine of its own whose server is hurt just before COMMIT; say whether it went through."""
    claim = ledger.claim(engine, job_id, worker="victim", lease_s=LEASE_S)
    own = make_engine(engine.url.render_as_string(hide_password=False))
    event.listen(own, "commit", lambda _: hurt(server))
    with pytest.raises(DatabaseError):
        ledger.finish(own, claim, a_result())


def finish_around(engine, server, hurt, *, job_id, rng):
    """Finish a job while the server is hurt at a moment that chance chooses."""
    claim = ledger.claim(engine, job_id, worker="victim", lease_s=LEASE_S)
    wait_s = rng.uniform(0.0, 0.03)
    finishing = threading.Thread(target=finish_or_fail, args=(engine, claim))
    finishing.start()
    time.sleep(wait_s)
    hurt(server)
    finishing.join()


def finish_or_fail(engine, claim):
    with contextlib.suppress(DatabaseError):
        ledger.finish(engine, claim, a_result())


def finish_in_the_end(engine, job_id):
    """Do what sweep and worker do until the job has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            leases.expire_leases(engine)
            claim = ledger.claim(engine, job_id, worker="second", lease_s=60.0)
            if claim is not None:
                assert ledger.finish(engine, claim, a_result())
                return
            states = {job.id: job.state for job in history_of(engine).jobs}  # rows come in no particular order
            if states[job_id] == JobState.DONE:
                return
        except DatabaseError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"job {job_id} did not end within {PATIENCE_S} s")


def history_of(engine):
    return read_history(engine, expected={}, erased=frozenset(), erased_keys=frozenset())


@pytest.mark.parametrize(
    "hurt", [restart, lambda server: server.kill_backends()], ids=["server killed", "connection ended"]
)
@pytest.mark.parametrize("finish", [finish_while, finish_around])
def test_a_result_is_written_once_and_by_its_owner(engine, killable_postgres, finish, hurt):
    rng = random.Random(6)
    add_jobs(engine, N_JOBS)

    for job_id in range(1, N_JOBS + 1):
        finish(engine, killable_postgres, hurt, job_id=job_id, rng=rng)
        finish_in_the_end(engine, job_id)

    left = history_of(engine)
    assert count(engine, "results") == N_JOBS
    assert [job.state for job in left.jobs] == [JobState.DONE] * N_JOBS
    assert invariants.check_one_result_for_each_done_job(left) == []
    assert invariants.check_results_are_their_owners(left) == []
    assert invariants.check_everything_has_ended(left) == []
    assert invariants.check_attempts_are_bounded(left) == []
    if finish is finish_while:
        assert {attempt.outcome for attempt in left.attempts if attempt.n == 1} == {"LOST"}
