"""Recordings that kill, hang or exhaust their worker: each ends with its reason, and its neighbours are scored."""

from collections import Counter

import pytest

from tests.chaos import invariants
from tests.chaos.backends import BACKENDS
from tests.chaos.poisoned_worker import LOST_WAIT
from tests.chaos.stage import staged

FEW = {"kill": 1, "segfault": 1, "memory": 2, "hang": 1, "sound": 12}
MANY = {"kill": 5, "segfault": 5, "memory": 5, "hang": 5, "sound": 20}
N_TO_CONVICT_A_KILLER = 6  # three lost workers, then three deaths under a monitor
SHORT = {
    "TONALOG_LEASE_S": "2",
    "TONALOG_HEARTBEAT_S": "0.5",
    "TONALOG_SWEEP_S": "0.5",
    "TONALOG_SOFT_TIME_LIMIT_S": "4",
    "TONALOG_TIME_LIMIT_S": "8",
}
LIMIT_S, LONG_LIMIT_S = 240.0, 600.0
# Celery holds the place of a killed pool process for 10 s, and each poison kills six; the short form waits for a second.
SHORT_WAIT_S = "1"


@pytest.mark.parametrize(
    ("kinds", "n_workers", "limit_s"),
    [
        pytest.param(FEW, 1, LIMIT_S, id="few"),
        pytest.param(
            MANY, 3, LONG_LIMIT_S, id="many", marks=[pytest.mark.long, pytest.mark.timeout(LONG_LIMIT_S + 60)]
        ),
    ],
)
def test_poison_dies_of_its_own_reason_after_a_bounded_number_of_attempts_and_nobody_else_does(
    tmp_path, monkeypatch, kinds, n_workers, limit_s
):
    if kinds is FEW:
        monkeypatch.setenv(LOST_WAIT, SHORT_WAIT_S)
    with staged(BACKENDS["files-sqlite"], tmp_path, seed=11, n_workers=n_workers, changes=SHORT) as stage:
        stage.feeder.bring(list(Counter(kinds).elements()))
        stage.start()
        took_s = stage.converge(limit_s=limit_s)
        left = stage.history()

    assert took_s is not None
    ends = Counter(job.end for job in left.jobs)
    assert ends == {
        "DONE": kinds["sound"],
        "DEAD:WORKER_LOST": kinds["kill"] + kinds["segfault"],
        "DEAD:MEMORY": kinds["memory"],
        "DEAD:TIME_LIMIT": kinds["hang"],
    }
    assert {name: check(left) for name, check in invariants.CHECKS.items() if check(left)} == {}
    attempts = {job.end: job.attempts for job in left.jobs}
    assert attempts["DEAD:WORKER_LOST"] == N_TO_CONVICT_A_KILLER
