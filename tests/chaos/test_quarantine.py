"""In quarantine a recording answers for what it does itself, and not for what is done to its worker."""

import contextlib
import os
import signal

import pytest

from db.reasons import JobState
from tests.chaos import invariants
from tests.chaos.backends import BACKENDS
from tests.chaos.notes import SLOW
from tests.chaos.stage import staged

N_KILLS = 6
LIMIT_S = 60.0
# Celery holds a killed process's place for up to 10 s: with two there would soon be none.
CHANGES = {
    "TONALOG_LEASE_S": "2",
    "TONALOG_HEARTBEAT_S": "0.5",
    "TONALOG_SWEEP_S": "0.5",
    "TONALOG_WORKER_CONCURRENCY": str(N_KILLS),
}


def kill_its_worker(stage):
    """SIGKILL the pool process that holds the job, and wait until the job is taken back."""
    took_s = stage.wait_until(lambda: stage.count(JobState.RUNNING) == 1, limit_s=LIMIT_S, tick=stage.tick)
    assert took_s is not None, list(stage.log_lines())[-40:]
    (pid,) = stage.busy()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    took_s = stage.wait_until(lambda: pid not in stage.busy(), limit_s=LIMIT_S, tick=stage.tick)
    assert took_s is not None, list(stage.log_lines())[-40:]


@pytest.mark.long
def test_a_recording_whose_worker_is_killed_six_times_is_scored_as_soon_as_nobody_kills_it(tmp_path):
    with staged(BACKENDS["files-sqlite"], tmp_path, seed=23, n_workers=1, changes=CHANGES) as stage:
        stage.feeder.bring([SLOW])
        stage.start()
        for _ in range(N_KILLS):
            kill_its_worker(stage)
        took_s = stage.converge(limit_s=LIMIT_S)
        left = stage.history()

    assert took_s is not None, list(stage.log_lines())[-40:]
    assert [attempt.outcome for attempt in left.attempts] == ["LOST"] * N_KILLS + ["DONE"]
    assert {name: check(left) for name, check in invariants.CHECKS.items() if check(left)} == {}
