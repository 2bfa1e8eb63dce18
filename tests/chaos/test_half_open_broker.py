"""The link to the broker goes dead without a word: worker and scheduler notice it, and what was published in vain is redelivered."""

from servers.redis import PASSWORD

from tests.chaos import invariants
from tests.chaos.backends import Backend, Stack
from tests.chaos.proxy import Proxy
from tests.chaos.stage import Stage

LIMIT_S = 240.0


def test_what_waits_behind_a_dead_link_is_scored_after_the_watchdogs_end_their_processes(tmp_path, forgetful_redis):
    with Proxy(forgetful_redis.port) as proxy:
        url = f"redis://:{PASSWORD}@127.0.0.1:{proxy.port}/0"
        variables = {"TONALOG_BROKER_URL": url, "TONALOG_DATABASE_URL": f"sqlite:///{tmp_path / 'tonalog.db'}"}
        place = Stack(Backend("behind a proxy", has_redis=True), forgetful_redis, None, variables)
        stage = Stage(place, tmp_path, seed=5, n_workers=1, changes={"TONALOG_WATCHDOG_S": "5"})
        try:
            stage.start()
            stage.wait_for_first_result(limit_s=LIMIT_S)
            assert proxy.go_half_open() > 2
            stage.feeder.bring(["sound"] * 10)
            took_s = stage.converge(limit_s=LIMIT_S)
            left = stage.history()
        finally:
            stage.close()

    assert took_s is not None, list(stage.log_lines())[-40:]
    assert {name: check(left) for name, check in invariants.CHECKS.items() if check(left)} == {}
    # Celery alone takes a minute and a half (measured), so somebody was ended and started again.
    assert sum(process.exit_codes[70] for process in stage.processes) > 0
