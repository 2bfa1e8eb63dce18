"""Build the scheduler's Celery application: beat's schedule and the two tasks that it sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_ready, worker_shutdown

from config import logs
from config.celery_base import forget_other_tasks, make_celery, refuse_commands
from config.queues import NIGHTLY_TASK, SCHEDULER_QUEUE, TICK_TASK, move_messages_in_home, prepare_folders
from config.settings import Settings
from db.engine import make_engine
from scheduler.figures import FiguresLoop, make_parts
from scheduler.nightly import read_crontab
from scheduler.pumping import PumpLoop
from scheduler.service import Service
from scheduler.uploads import UploadLoop
from scheduler.watch import Watch, WatchLoop
from scheduler.watchdog import Watchdog, end_process
from telemetry import metrics, traces

_QUEUE_PAUSE_S = 0.2
_N_KEPT = 2  # connections to the database: for the tick and for the pump
_MISSED_SWEEPS = 3  # so many may be missed before the watchdog doubts, however short its own limit is


def make_rate_limit(interval_s: float, clock: Callable[[], float] = monotonic) -> Callable[[], bool]:
    """Return a function that says True at most once in an interval, and at once the first time.

    >>> times = iter([0.0, 1.0, 8.0, 9.0])
    >>> is_due = make_rate_limit(7.5, clock=lambda: next(times))
    >>> [is_due() for _ in range(4)]
    [True, False, True, False]
    """
    last_s: float | None = None

    def is_due() -> bool:
        nonlocal last_s
        now_s = clock()
        if last_s is not None and now_s - last_s < interval_s:
            return False
        last_s = now_s
        return True

    return is_due


def make_loops(settings: Settings, service: Service) -> list[UploadLoop | PumpLoop]:
    """Make the threads that publish between ticks, and register objects between nights: uploads, and what notifications name."""
    loops: list[UploadLoop | PumpLoop] = [
        service.make_pump_loop(),
        UploadLoop(service.take_uploads, every_s=settings.uploads_s),
        UploadLoop(service.events.take_rows, every_s=settings.uploads_s, name="hints"),
    ]
    if settings.events_queue is not None:  # each call waits for messages by itself
        loops.append(UploadLoop(service.events.take_queue, every_s=_QUEUE_PAUSE_S, name="events"))
    return loops


def start_threads(loops: Sequence[UploadLoop | PumpLoop], watch_loop: WatchLoop) -> None:
    """Begin what goes on beside the tick."""
    for loop in loops:
        loop.start()
    watch_loop.start()


def start_telemetry(settings: Settings, app: Celery) -> None:
    """Begin to send traces and to read the figures of `/metrics`, each where a setting asks for it."""
    if settings.traces_url is not None:
        place, share = str(settings.database), settings.traces_share
        traces.start(settings.traces_url, process="scheduler", database=place, share=share)
    if settings.metrics_port is not None:
        FiguresLoop(make_parts(make_engine(settings.database), app), every_s=settings.sweep_s).start()


def make_app(settings: Settings) -> Celery:
    """Return the scheduler's application; beat only hints, SQL decides what is due.

    A sweep that waited longer than its own interval is worthless, so its message expires.
    """
    prepare_folders(settings)
    app = make_celery("tonalog.scheduler", settings)
    app.conf.update(
        task_default_queue=SCHEDULER_QUEUE,
        beat_schedule={
            "tick": {
                "task": TICK_TASK,
                "schedule": settings.sweep_s,
                "options": {"expires": settings.sweep_s},
            },
            "nightly": {
                "task": NIGHTLY_TASK,
                "schedule": read_crontab(settings.nightly_crontab),
            },
        },
        # In memory: SQL remembers which night is done, and two schedulers that share a home would break each other's file.
        beat_scheduler="celery.beat:Scheduler",
        beat_max_loop_interval=min(30.0, settings.sweep_s),
    )
    service = Service(settings, app, n_kept=_N_KEPT)
    beats: list[int] = []
    is_due = make_rate_limit(settings.sweep_s / 2)
    watchdog = Watchdog(
        limit_s=max(settings.watchdog_s, _MISSED_SWEEPS * settings.sweep_s), end=lambda: end_process(beats)
    )

    loops = make_loops(settings, service)
    watch_loop = WatchLoop(Watch(settings, app).step, every_s=settings.alert_every_s)

    # Functions, not methods: of a bound method Celery takes `self` for an argument that every message must bring.
    def tick() -> None:
        if is_due():  # else somebody floods the queue
            watchdog.hear()
            with metrics.TICK_SECONDS.time(), metrics.TICK_FAILURES.count_exceptions():
                service.tick()

    def nightly() -> None:
        service.nightly()

    app.task(name=TICK_TASK, shared=False)(tick)
    app.task(name=NIGHTLY_TASK, shared=False)(nightly)
    forget_other_tasks(app, frozenset({TICK_TASK, NIGHTLY_TASK}))

    def configure_logging(**_: Any) -> None:
        logs.configure(settings.log_level, form=settings.log_format)

    def before_messages(**_: Any) -> None:
        move_messages_in_home(settings)
        refuse_commands()

    def watch(sender: Any, **_: Any) -> None:
        if sender.app is app:
            beats[:] = [sender.controller.beat.pid] if sender.controller.beat else []
            watchdog.start()
            start_threads(loops, watch_loop)
            start_telemetry(settings, app)

    def end(sender: Any, **_: Any) -> None:
        if sender.app is app:
            service.end()

    setup_logging.connect(configure_logging, weak=False)
    worker_init.connect(before_messages, weak=False)
    worker_ready.connect(watch, weak=False)
    worker_shutdown.connect(end, weak=False)
    worker_shutdown.connect(lambda **_: traces.stop(), weak=False)
    return app
