"""A real worker that gets none of the messages that its ledger counts ends with the status that its supervisor waits for."""

import os
import signal
from pathlib import Path

from command import kill_tree, wait_until
from db_samples import add_jobs, new_sqlite, set_job
from sqlalchemy import select

from db.columns import db_now_s
from db.engine import make_engine
from db.reasons import JobState
from db.slots import read_pulses


def test_a_worker_whose_messages_never_come_ends_with_status_70(cli):
    home = cli.folder / "home"
    home.mkdir()
    engine = new_sqlite(home)
    (job_id,) = add_jobs(engine, 1)
    cli.variables["TONALOG_WATCHDOG_S"] = "1"
    worker = cli.start("worker", "--concurrency", "1", log="worker.log")

    def publish_and_look():
        """Do what the pump does, but send no message: the worker must not hear anything."""
        with engine.connect() as connection:
            now_s = connection.scalar(select(db_now_s()))
        set_job(engine, job_id, state=JobState.QUEUED, queued_at_s=now_s)
        return worker.poll() is not None

    try:
        assert wait_until(publish_and_look, timeout_s=120, every_s=0.3), cli.worker_log()
    finally:
        worker.kill()
        worker.wait()

    assert worker.returncode == 70
    assert "worker takes no work" in (cli.folder / "worker.log").read_text()


def test_a_scheduler_whose_beat_was_killed_ends_with_status_70(cli):
    cli.variables.update(TONALOG_SWEEP_S="1", TONALOG_WATCHDOG_S="5")
    cli("db", "upgrade")
    engine = make_engine(f"sqlite:///{cli.folder}/home/tonalog.db")
    scheduler = cli.start("scheduler", log="scheduler.log")
    try:
        assert wait_until(lambda: "sweep" in read_pulses(engine), timeout_s=120), cli.worker_log()
        (beat,) = Path(f"/proc/{scheduler.pid}/task/{scheduler.pid}/children").read_text().split()
        os.kill(int(beat), signal.SIGKILL)
        assert wait_until(lambda: scheduler.poll() is not None, timeout_s=120), cli.worker_log()
    finally:
        if scheduler.poll() is None:
            kill_tree(scheduler)

    assert scheduler.returncode == 70
    assert "scheduler does not sweep" in (cli.folder / "scheduler.log").read_text()
