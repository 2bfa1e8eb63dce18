"""The broker stands still for longer than its clients wait for an answer; it is slow, so `make chaos` runs it and not `make test`."""

import time

import pytest

from tests.chaos import invariants
from tests.chaos.backends import BACKENDS
from tests.chaos.stage import staged

FROZEN_S = 75.0  # clients give up after 30 s: `socket_timeout` in config.queues
LIMIT_S = 180.0


@pytest.mark.long
def test_a_broker_that_stands_still_for_longer_than_its_clients_wait_loses_nothing(request, tmp_path):
    request.getfixturevalue("redis_server")  # skips, or fails where servers are required
    with staged(BACKENDS["redis-sqlite"], tmp_path, seed=23) as stage:
        redis = stage.place.redis
        stage.start()
        stage.wait_for_first_result(limit_s=LIMIT_S)
        stage.feeder.bring(["sound"] * 20)
        redis.pause()
        stage.feeder.bring(["sound"] * 20)
        thaw_at_s = time.monotonic() + FROZEN_S
        stage.wait_until(lambda: time.monotonic() > thaw_at_s, limit_s=LIMIT_S, tick=stage.tick)
        redis.resume()
        took_s = stage.converge(limit_s=LIMIT_S)
        left = stage.history()

    assert took_s is not None, list(stage.log_lines())[-40:]
    assert {name: check(left) for name, check in invariants.CHECKS.items() if check(left)} == {}
