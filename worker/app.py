"""Build the worker's Celery application from settings; connects to nothing until it runs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.signals import (
    setup_logging,
    task_postrun,
    task_received,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
)

from config import logs
from config.celery_base import forget_other_tasks, make_celery, refuse_commands
from config.queues import LANES, SCORE_TASK, lane_queue, move_messages_in_home, prepare_folders
from config.settings import Settings
from db.engine import make_engine
from db.reasons import Lane, Outcome, Reason, ResultStatus
from db.waiting import Waiting, look
from telemetry import samples, traces
from worker import runtime, tasks
from worker.confine import confine
from worker.forking import prepare_parent
from worker.memory import return_large_pieces
from worker.pulse import BundleWatch, Identity, LastJob, Pulse
from worker.watchdog import Watchdog, end_process

if TYPE_CHECKING:
    from telemetry.sample_pipe import SamplePipe


def make_app(settings: Settings) -> Celery:
    """Return a Celery application whose one task scores one job.

    Each pool process builds its own engine, store clients and ONNX sessions on its first job: none of
    them survives a fork.
    """
    prepare_folders(settings)
    app = make_celery("tonalog.worker", settings)
    app.task(name=SCORE_TASK, shared=False)(tasks.score)
    forget_other_tasks(app, frozenset({SCORE_TASK}))

    def before_fork(**_: Any) -> None:
        move_messages_in_home(settings)
        refuse_commands()
        runtime.preload()
        prepare_parent(settings)
        if settings.metrics_port is not None:
            begin_samples()

    def after_fork(**_: Any) -> None:
        runtime.configure(settings)
        return_large_pieces()
        confine(settings.child_memory_mb)
        if settings.traces_url is not None:
            place, share = str(settings.database), settings.traces_share
            traces.start(settings.traces_url, process="worker", database=place, share=share)

    def configure_logging(**_: Any) -> None:
        logs.configure(settings.log_level, form=settings.log_format)

    worker_init.connect(before_fork, weak=False)
    worker_process_init.connect(after_fork, weak=False)
    worker_process_shutdown.connect(lambda **_: traces.stop(), weak=False)
    last_job = LastJob()

    def note_job(args: Any = (), **_: Any) -> None:
        if args:
            last_job.write(args[0], at_s=time.time())

    def watch(sender: Any, **_: Any) -> None:
        start_watchdog(settings, sender)
        start_pulse(settings, sender, last_job)

    task_postrun.connect(note_job, weak=False)
    worker_ready.connect(watch, weak=False)
    setup_logging.connect(configure_logging, weak=False)
    runtime.configure(settings)
    return app


def begin_samples() -> None:
    """Let pool processes that are forked from now on send what they do to this one, which counts it."""
    from telemetry.sample_pipe import SamplePipe, Words  # noqa: PLC0415 - metrics load a web server

    pipe = SamplePipe(
        Words(
            lanes={lane.value for lane in Lane},
            outcomes={outcome.value for outcome in Outcome},
            reasons={reason.value for reason in Reason},
            statuses={status.value for status in ResultStatus},
        )
    )
    samples.send_by(pipe.send)
    worker_ready.connect(lambda sender, **_: watch_pool(pipe, sender), weak=False)


def watch_pool(pipe: SamplePipe, consumer: Any) -> None:
    """Count what comes from the pool processes of a Celery consumer, and them."""
    from telemetry import metrics  # noqa: PLC0415

    metrics.POOL_PROCESSES.set_function(lambda: len(list_processes(consumer.pool)))
    pipe.start()


def start_pulse(settings: Settings, consumer: Any, last_job: LastJob) -> Pulse:
    """Tell the database that a Celery consumer is alive, until it stops."""
    pulse = Pulse(
        make_engine(settings.database),
        BundleWatch(settings),
        Identity.of_this_process(lanes=_lanes_of(consumer), n_processes=settings.worker_concurrency),
        last_job=last_job,
        every_s=settings.heartbeat_s,
    )
    worker_shutdown.connect(lambda **_: pulse.stop(), weak=False)
    pulse.start()
    return pulse


def start_watchdog(settings: Settings, consumer: Any) -> Watchdog:
    """Watch over a Celery consumer that has begun to take messages."""
    engine = make_engine(settings.database)
    lanes = _lanes_of(consumer)

    def look_here(answer_s: float) -> Waiting:
        workers = [runtime.worker_name(pid) for pid in (os.getpid(), *list_processes(consumer.pool))]
        return look(engine, lanes=lanes, workers=workers, answer_s=answer_s)

    watchdog = Watchdog(look_here, limit_s=settings.watchdog_s, end=lambda: end_process(list_processes(consumer.pool)))
    task_received.connect(lambda **_: watchdog.hear(), weak=False)
    watchdog.start()
    return watchdog


def _lanes_of(consumer: Any) -> list[Lane]:
    queues = consumer.app.amqp.queues.consume_from
    return [Lane(lane) for lane in LANES if lane_queue(lane) in queues]


def list_processes(pool: Any) -> list[int]:
    """Return the ids of a Celery pool's processes; none of a pool that was stopped."""
    try:
        pids: list[int] = pool.info.get("processes", [])
    except AttributeError:  # a stopped pool has forgotten what it ran, and trips over that
        return []
    return list(pids)
