"""Build the worker's Celery application from settings; connects to nothing until it runs."""

from __future__ import annotations

import tempfile
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_process_init

from config import logs
from config.queues import SCORE_TASK, celery_settings, prepare_folders
from config.settings import Settings
from worker import runtime, tasks


def make_app(settings: Settings) -> Celery:
    """Return a Celery application whose one task scores one job.

    Each pool process builds its own engine, store clients and ONNX sessions on its first job: none of
    them survives a fork.
    """
    prepare_folders(settings)
    app = Celery("tonalog.worker", set_as_current=False)
    app.conf.update(celery_settings(settings))
    app.task(name=SCORE_TASK)(tasks.score)

    def before_fork(**_: Any) -> None:
        runtime.preload()

    def after_fork(**_: Any) -> None:
        runtime.configure(settings)

    def configure_logging(**_: Any) -> None:
        logs.configure(settings.log_level)

    worker_init.connect(before_fork, weak=False)
    worker_process_init.connect(after_fork, weak=False)
    setup_logging.connect(configure_logging, weak=False)
    if settings.is_embedded_broker:
        # The file queue moves each message through the temporary folder: only a rename on one file
        # system is atomic, so two workers never read the same message.
        tempfile.tempdir = str(settings.home.resolve() / "queue" / "moved")
    runtime.configure(settings)
    return app
