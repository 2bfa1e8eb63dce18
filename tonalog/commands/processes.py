"""`tonalog worker` and `tonalog scheduler`: the long-running processes."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time

import click

from config import logs
from config.queues import LANES, SCHEDULER_QUEUE, lane_queue
from config.settings import Settings
from db.errors import DatabaseUnavailable
from tonalog.process import loading
from tonalog.session import open_database
from tonalog.watching import require_traces, serve_metrics

_PARENT_POLL_S = 1.0
_WORKER_EPILOG = """\b
Examples:
  tonalog worker --concurrency 4
  tonalog worker --lanes interactive      # always free for uploads, whatever else there is to do
"""
_SCHEDULER_EPILOG = """\b
Example:
  TONALOG_STORAGE_URL=s3://notes tonalog scheduler
"""


@click.command(name="worker", epilog=_WORKER_EPILOG)
@click.option("--concurrency", type=click.IntRange(1, 256), help="Processes; default: one a core.")
@click.option("--lanes", default=",".join(LANES), show_default=True, help="Which lanes to work on, comma-separated.")
@click.option(
    "--supervised", "ready_fd", type=int, hidden=True, help="Ends with its parent; tells this pipe of readiness."
)
def worker_command(*, concurrency: int | None, lanes: str, ready_fd: int | None) -> None:
    """Run a worker: claim jobs, score recordings, write results. TERM finishes the running jobs first."""
    chosen = [lane.strip() for lane in lanes.split(",")]
    unknown = [lane for lane in chosen if lane not in LANES]
    if unknown:
        raise click.UsageError(f"Unknown lane {unknown[0]!r}; use one or more of {', '.join(LANES)}.")
    if ready_fd is not None:
        threading.Thread(target=_stop_when_orphaned, args=(os.getppid(),), daemon=True).start()
    settings = Settings.read(worker_concurrency=concurrency)
    _log_from_now_on(settings)
    require_traces(settings)
    serve_metrics(settings, "worker")
    _require_schema(settings)
    with loading():
        from config.celery_base import consume  # noqa: PLC0415 - loads Celery
        from worker.app import make_app  # noqa: PLC0415 - loads the audio stack

    if ready_fd is not None:
        _tell_when_ready(ready_fd)
    code = consume(
        make_app(settings),
        f"worker-{os.getpid()}",
        queues=[lane_queue(lane) for lane in chosen],
        pool="prefork",
        concurrency=settings.worker_concurrency,
        log_level=settings.log_level,
    )
    sys.exit(code)


@click.command(name="scheduler", epilog=_SCHEDULER_EPILOG)
def scheduler_command() -> None:
    """Run the scheduler: nightly scans, sweeps and the pump. Two of them do no harm."""
    settings = Settings.read()
    _require_schema(settings)
    with loading():
        from config.celery_base import consume  # noqa: PLC0415
        from scheduler.app import make_app  # noqa: PLC0415
        from storage.layouts import compile_layouts  # noqa: PLC0415

    compile_layouts(settings.key_pattern)  # now, and not at the first nightly scan
    _log_from_now_on(settings)
    require_traces(settings)
    serve_metrics(settings, "scheduler")
    code = consume(
        make_app(settings),
        f"scheduler-{os.getpid()}",
        queues=[SCHEDULER_QUEUE],
        pool="threads",
        concurrency=2,
        log_level=settings.log_level,
        has_beat=True,
    )
    sys.exit(code)


def _log_from_now_on(settings: Settings) -> None:
    """Write lines as set before Celery does, warnings of libraries too."""
    logs.configure(settings.log_level, form=settings.log_format)
    logging.captureWarnings(capture=True)


def _require_schema(settings: Settings) -> None:
    """Refuse to start beside a schema that this release may not work with; one that runs already goes on."""
    with contextlib.suppress(DatabaseUnavailable):  # it may be back soon, and jobs wait for it as for any server
        open_database(settings)


def _tell_when_ready(ready_fd: int) -> None:
    from celery.signals import worker_ready  # noqa: PLC0415

    worker_ready.connect(lambda **_: os.write(ready_fd, b"1"), weak=False)


def _stop_when_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_S)
    os.kill(os.getpid(), signal.SIGTERM)
