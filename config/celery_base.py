"""Make a Celery application of our settings alone; Celery's own variables in the environment count for nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Literal

from celery import Celery

from config.envelopes import ALLOWED_COMMANDS
from config.queues import celery_settings
from config.settings import Settings

# Celery would let each of them win over what it is given: the BROKER_URL of another application on this machine would
# take our jobs away, and APP, CONFIG_MODULE and DJANGO_SETTINGS_MODULE name modules that it imports from the working folder.
_OF_CELERY = (
    "APP",
    "BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_CONFIG_MODULE",
    "CELERY_CUSTOM_WORKER_POOL",
    "CELERY_LOADER",
    "CELERY_RESULT_BACKEND",
    "CONFIG_MODULE",
    "DJANGO_SETTINGS_MODULE",
    "LOADER",
    "RESULT_BACKEND",
)


def make_celery(name: str, settings: Settings) -> Celery:
    """Return an application with our settings and no tasks; takes Celery's own variables out of this process's environment."""
    for variable in _OF_CELERY:
        os.environ.pop(variable, None)
    app = Celery(name, set_as_current=False)
    app.conf.update(celery_settings(settings))
    return app


def consume(
    app: Celery,
    name: str,
    *,
    queues: Sequence[str],
    pool: Literal["prefork", "threads"],
    concurrency: int,
    log_level: str,
    has_beat: bool = False,
) -> int:
    """Take messages until told to stop, as `celery worker` does, whose command line loads a console and 200 modules more.

    Args:
        app: made by `make_celery`.
        name: of this process, beside its host's.
        queues: to take messages from.
        pool: what tasks run in.
        concurrency: how many at once.
        log_level: of Celery's own lines.
        has_beat: whether this process sends what is due by the clock, too.

    Returns:
        The exit code.
    """
    worker = app.Worker(
        hostname=f"{name}@{socket.gethostname()}",
        queues=list(queues),
        pool=pool,
        concurrency=concurrency,
        loglevel=log_level,
        beat=has_beat,
        optimization="fair",  # a job goes to a process that is free, not to the next in turn
        quiet=True,  # no banner: it is no line of the log
    )
    worker.start()
    return worker.exitcode or 0


def refuse_commands() -> None:
    """Let a process that takes messages forget every remote command of Celery's that does more than look."""
    from celery.worker import control  # noqa: PLC0415 - slow, and of no use to whoever only sends

    for name in set(control.Panel.data) - ALLOWED_COMMANDS:
        del control.Panel.data[name]
    greet = control.hello
    # What another worker has revoked comes with its greeting, and is forgotten here.
    control.Panel.data["hello"] = lambda state, from_node, **_: greet(state, from_node)


def forget_other_tasks(app: Celery, ours: frozenset[str]) -> None:
    """Forget Celery's own tasks: `celery.map` and others would run ours inside theirs, with their limits."""
    app.finalize()
    for name in set(app.tasks) - ours:
        app.tasks.unregister(name)
