"""A short piece of `make chaos`; how long it takes to converge is told there, not asserted here."""

import pytest

from tests.chaos.backends import BACKENDS
from tests.chaos.run import Options, run_chaos

SECONDS, EVERY_S = 5.0, 0.7
# Generous: a machine with two busy cores needs its time to start killed processes again.
LIMIT_S = 180.0


@pytest.mark.parametrize(
    ("name", "servers"),
    [
        pytest.param("files-sqlite", (), marks=pytest.mark.long),  # tests/system/test_reprocess.py kills this one twice
        ("redis-aof-postgres", ("redis", "postgres")),
    ],
)
def test_nothing_is_lost_doubled_or_written_by_a_non_owner_whatever_is_killed(request, tmp_path, name, servers):
    for server in servers:
        request.getfixturevalue(f"{server}_server")  # skips, or fails where servers are required

    options = Options(backend=BACKENDS[name], seed=11, seconds=SECONDS, every_s=EVERY_S, limit_s=LIMIT_S)
    report = run_chaos(options, tmp_path)

    assert report.broken == {}
    assert report.convergence_s is not None
    assert (report.n_lost, report.n_duplicates, report.n_foreign, report.n_innocent_dead) == (0, 0, 0, 0)
    assert report.faults.total() > 4, (
        "so few faults would show nothing"
    )  # on a busy machine they wait for what they hurt
    assert report.n_results > 20, "so few results would show nothing"
