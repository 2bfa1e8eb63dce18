"""Worker and scheduler with clocks four hours apart: nobody takes a lease early, for the database's clock decides."""

import pytest

from tests.chaos import invariants
from tests.chaos.backends import BACKENDS
from tests.chaos.notes import SLOW
from tests.chaos.stage import staged

LIMIT_S = 240.0


@pytest.mark.parametrize("worker_h", [-2, pytest.param(2, marks=pytest.mark.long)])
def test_clocks_that_are_wrong_cost_no_attempt(request, tmp_path, worker_h):
    for server in ("redis", "postgres"):
        request.getfixturevalue(f"{server}_server")  # skips, or fails where servers are required
    clocks_h = {"worker": worker_h, "scheduler": -worker_h}
    # A lease of 30 s, so that none runs out by itself on a busy machine, and hours are still far beyond it.
    changes = {"TONALOG_LEASE_S": "30"}
    with staged(
        BACKENDS["redis-postgres"], tmp_path, seed=17, n_workers=1, changes=changes, clocks_h=clocks_h
    ) as stage:
        stage.feeder.bring([SLOW] * 6 + ["sound"] * 6)
        stage.start()
        took_s = stage.converge(limit_s=LIMIT_S)
        left = stage.history()

    assert took_s is not None, list(stage.log_lines())[-40:]
    assert {name: check(left) for name, check in invariants.CHECKS.items() if check(left)} == {}
    assert [job.attempts for job in left.jobs] == [1] * 12
