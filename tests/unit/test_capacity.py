"""`tonalog capacity`: from measured figures only, and unknown where there are none."""

import json

import pytest
import redis
from click.testing import CliRunner
from command import NOTES
from db_samples import a_result, add_jobs, new_sqlite, take

from config.celery_base import make_celery
from config.queues import SCORE_TASK, lane_queue
from config.settings import Settings
from db import ledger
from tonalog.capacity import REDIS_MESSAGE_BYTES, Demand, Measured, Setup, size
from tonalog.cli import cli

SETUP = Setup(n_processes=4, cores_a_process=1, queue_cap=1000, is_sqlite=False)


@pytest.fixture
def capacity(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    new_sqlite(tmp_path)

    def run(*words):
        return CliRunner().invoke(cli, ["capacity", "--hours-per-night", "500", *map(str, words)])

    return run


def need_of(hours, *, speed=20.0, setup=SETUP):
    demand = Demand(hours=hours, window_s=6 * 3600, note_s=15)
    return size(demand, Measured(audio_per_wall=speed, bytes_per_result=4_000, peak_rss_kib=500_000), setup)


def test_twice_the_audio_needs_twice_of_everything_that_grows():
    one, two = need_of(10_000), need_of(20_000)

    assert two.n_processes == pytest.approx(2 * one.n_processes, abs=1)
    assert two.night_bytes == 2 * one.night_bytes
    assert two.queue_bytes == one.queue_bytes


def test_the_processes_that_are_named_are_enough_and_one_less_is_not():
    need = need_of(1_000)

    assert need.n_processes * 20.0 * 6 * 0.8 >= 1_000 > (need.n_processes - 1) * 20.0 * 6 * 0.8


def test_limits_of_settings_database_and_roles_are_named():
    many = need_of(100_000)
    assert [limit.split()[0] for limit in many.limits] == ["one", "roles.sql"]
    of_few = Setup(n_processes=4, cores_a_process=1, queue_cap=2, is_sqlite=False)
    (told,) = need_of(2_000, setup=of_few).limits  # 22 recordings a second
    assert "set TONALOG_QUEUE_CAP to" in told
    on_sqlite = Setup(n_processes=4, cores_a_process=1, queue_cap=100_000, is_sqlite=True)
    assert ["SQLite" in limit for limit in need_of(10_000, setup=on_sqlite).limits] == [True]
    assert need_of(10).limits == ()


def test_what_was_never_measured_is_unknown(capacity):
    printed = capacity().output

    assert "processes   unknown" in printed
    assert "database    unknown" in printed
    assert "15.0 s (assumed" in printed
    told = json.loads(capacity("--json").output)
    assert told["n_processes"] is None
    assert told["n_notes"] == 120_000


def test_the_newest_jobs_of_the_database_are_what_is_measured(capacity, tmp_path):
    engine = new_sqlite(tmp_path)
    for job_id in add_jobs(engine, 3):
        ledger.finish(engine, take(engine, job_id), a_result(), wall_ms=500, peak_rss_kib=400_000)

    told = json.loads(capacity("--json").output)

    assert told["audio_per_wall"] == pytest.approx(20.0)  # 10 s of audio in half a second
    assert told["note_s"] == 10.0
    assert told["n_processes"] == 6
    assert told["night_bytes"] is None
    assert "newest 3 jobs" in capacity().output


def test_a_folder_of_recordings_is_timed_here(capacity, monkeypatch):
    monkeypatch.setattr("tonalog.commands.capacity._MEASURE_S", 0.2)

    printed = capacity("--measure", NOTES / "vera").output

    assert "measured here" in printed
    assert "processes   unknown" not in printed


@pytest.mark.parametrize("window", ["6", "0h", "25h", "6 h", "x"])
def test_a_window_that_is_none_is_refused(capacity, window):
    done = capacity("--window", window)

    assert done.exit_code == 2
    assert "such as 6h" in done.output


def test_a_message_on_redis_takes_no_more_than_is_counted(redis_url):
    app = make_celery("tonalog.size", Settings.read(broker_url=redis_url))
    with redis.Redis.from_url(redis_url) as client:
        app.send_task(SCORE_TASK, args=[2**60], queue=lane_queue("nightly"))
        before = client.info("memory")["used_memory"]
        for n in range(200):
            app.send_task(SCORE_TASK, args=[2**60 + n], queue=lane_queue("nightly"))
        taken = client.info("memory")["used_memory"] - before

    assert 200 * REDIS_MESSAGE_BYTES / 10 < taken < 200 * REDIS_MESSAGE_BYTES / 2  # twice: while a worker has it
