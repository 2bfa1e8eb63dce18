"""A worker that is asked to stop finishes what it has begun, hands back the rest, and leaves no lease behind."""

import signal

import pytest

from db.reasons import JobState
from tests.chaos import invariants
from tests.chaos.backends import BACKENDS
from tests.chaos.notes import SLOW
from tests.chaos.stage import staged

LIMIT_S = 120.0
STOPPED_WITHIN_S = 60.0
# No message is sent a second time within the test: what is not handed back would stay where it is.
PATIENT = {"TONALOG_REDELIVER_S": "600"}


def wait_until_two_run(stage):
    """Wait until both pool processes are in the middle of a job."""
    took_s = stage.wait_until(lambda: stage.count(JobState.RUNNING) == 2, limit_s=LIMIT_S, tick=lambda: None)
    assert took_s is not None, list(stage.log_lines())[-40:]


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param((signal.SIGTERM, signal.SIGQUIT), id="two signals"),
        pytest.param((signal.SIGTERM, signal.SIGINT, signal.SIGQUIT), id="all three", marks=pytest.mark.long),
    ],
)
def test_a_worker_stopped_by_term_int_or_quit_finishes_what_runs_and_hands_back_the_rest(request, tmp_path, numbers):
    request.getfixturevalue("redis_server")  # skips, or fails where servers are required
    n_jobs = 2 * len(numbers) + 2  # two run at each signal, and some wait after the last one
    changes = PATIENT | {"TONALOG_LEASE_S": "10"}  # QUIT gives half of it
    with staged(BACKENDS["redis-sqlite"], tmp_path, seed=19, n_workers=1, changes=changes) as stage:
        (worker,) = stage.workers
        stage.feeder.bring([SLOW] * n_jobs)
        stage.start()
        for number in numbers:
            wait_until_two_run(stage)
            worker.ask(number)
            worker.wait(STOPPED_WITHIN_S)
            assert stage.count(JobState.RUNNING) == 0, number
            assert stage.count(JobState.QUEUED) > 0, number
            worker.start()
        took_s = stage.converge(limit_s=LIMIT_S)
        left = stage.history()

    assert took_s is not None, list(stage.log_lines())[-40:]
    assert {name: check(left) for name, check in invariants.CHECKS.items() if check(left)} == {}
    assert [attempt.outcome for attempt in left.attempts] == ["DONE"] * n_jobs


def test_a_worker_stopped_by_quit_drops_what_takes_too_long_and_its_lease_runs_out(tmp_path):
    changes = PATIENT | {"TONALOG_LEASE_S": "2"}
    with staged(BACKENDS["files-sqlite"], tmp_path, seed=20, n_workers=1, changes=changes) as stage:
        (worker,) = stage.workers
        stage.feeder.bring([SLOW] * 4)
        stage.start()
        wait_until_two_run(stage)
        worker.ask(signal.SIGQUIT)
        worker.wait(STOPPED_WITHIN_S)
        worker.start()
        took_s = stage.converge(limit_s=LIMIT_S)
        left = stage.history()

    assert took_s is not None, list(stage.log_lines())[-40:]
    assert {name: check(left) for name, check in invariants.CHECKS.items() if check(left)} == {}
    assert sum(attempt.outcome == "LOST" for attempt in left.attempts) == 2
