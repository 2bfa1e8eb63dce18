"""The application that `celery -A scheduler.celery_app` finds; the only scheduler module that acts on import."""

from config.settings import Settings
from scheduler.app import make_app

app = make_app(Settings.read())
