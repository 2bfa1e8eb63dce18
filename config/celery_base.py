"""Make a Celery application of our settings alone; Celery's own variables in the environment count for nothing."""

from __future__ import annotations

import os

from celery import Celery

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
