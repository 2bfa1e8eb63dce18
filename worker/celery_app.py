"""The application that `celery -A worker.celery_app` finds; the only worker module that acts on import."""

from config.settings import Settings
from worker.app import make_app

app = make_app(Settings.read())
