"""Whoever writes into the queue can name a job, and neither ends it, stops the worker nor writes into its log."""

from __future__ import annotations

import time

import pytest
from celery import Celery
from command import wait_until

from config.queues import SCORE_TASK, celery_settings, lane_queue
from db import history
from db.reasons import JobState
from tests.chaos.backends import BACKENDS
from tests.chaos.stage import Stage, staged
from worker.app import make_app

N_FORGED = 3
CALM = {"TONALOG_SOFT_TIME_LIMIT_S": "60", "TONALOG_TIME_LIMIT_S": "90", "TONALOG_LEASE_S": "20"}
FORGED_LINE = "2026-01-01 00:00:00,000 ERROR forged line"


@pytest.fixture
def stage(tmp_path):
    with staged(BACKENDS["redis-sqlite"], tmp_path, seed=3, n_workers=1, changes=CALM) as made:
        made.feeder.bring(["sound"])
        yield made


def write(stage: Stage, *, args, **options) -> None:
    sender = Celery("intruder", set_as_current=False)
    sender.conf.update(celery_settings(stage.settings))
    sender.send_task(SCORE_TASK, args=args, queue=lane_queue("nightly"), **options)


def register(stage: Stage) -> int:
    """Make the recording's job as a scan does, without a scheduler that would send it."""
    from scheduler.app import make_app  # noqa: PLC0415 - changes the temporary folder of this process
    from scheduler.service import Service  # noqa: PLC0415

    Service(stage.settings, make_app(stage.settings)).scan_and_queue()
    return 1


def states(stage: Stage):
    return history.counts(stage.engine).by_state


@pytest.mark.parametrize("limits", [{"soft_time_limit": 0.01}, {"time_limit": 0.05, "soft_time_limit": 0.01}])
def test_time_limits_of_a_message_end_no_job(stage, limits):
    job_id = register(stage)
    for _ in range(N_FORGED):
        write(stage, args=[job_id], **limits)

    stage.workers[0].start()

    assert wait_until(lambda: states(stage) == {JobState.DONE: 1}, timeout_s=60)
    assert [attempt.outcome for attempt in history.attempts_of(stage.engine, job_id)] == ["DONE"]


def test_a_worker_knows_no_task_but_ours(stage):
    assert set(make_app(stage.settings).tasks) == {SCORE_TASK}


def test_remote_commands_change_nothing(stage):
    job_id = register(stage)
    stage.workers[0].start()
    intruder = Celery("intruder", set_as_current=False)
    intruder.conf.update(celery_settings(stage.settings))
    assert wait_until(lambda: intruder.control.ping(timeout=1.0), timeout_s=60)

    for command, arguments in {
        "time_limit": {"task_name": SCORE_TASK, "hard": 0.05, "soft": 0.01},
        "rate_limit": {"task_name": SCORE_TASK, "rate_limit": "1/h"},
        "pool_shrink": {"n": 2},
        "cancel_consumer": {"queue": lane_queue("nightly")},
        "revoke": {"task_id": "x"},
        "shutdown": {},
    }.items():
        intruder.control.broadcast(command, arguments=arguments)
    time.sleep(1.0)
    write(stage, args=[job_id])

    assert wait_until(lambda: states(stage) == {JobState.DONE: 1}, timeout_s=60)
    assert intruder.control.ping(timeout=2.0)


def test_what_is_no_job_is_dropped_without_a_traceback_or_a_line_of_its_own(stage):
    job_id = register(stage)
    for args in ([2**63], [-1], [f"7\n{FORGED_LINE}"], [None], [], [1] * 17, [[1]]):
        write(stage, args=args, argsrepr=f"({args}\n{FORGED_LINE})")
    stage.workers[0].start()
    write(stage, args=[job_id], task_id=f"x\n{FORGED_LINE}")

    assert wait_until(lambda: states(stage) == {JobState.DONE: 1}, timeout_s=60)
    log = (stage.folder / "worker-0.log").read_text()
    assert "Traceback" not in log
    assert not any(line.startswith(FORGED_LINE) for line in log.splitlines())
    assert log.count("message dropped: it names no job") == 7
