"""Runs the application in this process, until it is told to stop."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from importlib import metadata

import uvicorn

from api.app import make_app
from api.audit import AuditWriter
from api.context import Context
from api.erasing import Eraser
from api.exporting import Exporter, ExportPlace
from api.limits import RateLimiter
from api.uploading import Uploads
from config.settings import Settings
from db import Engine, api_audit, changes, idempotency, uploads
from storage.pseudonyms import SubjectNaming
from trends import TrendSettings
from trends.person_trend import Evidence

N_CONNECTIONS = 8  # to the database; roles.sql allows ten
_STOP_S = 20


def make_context(settings: Settings, engine: Engine, *, carry_out: Callable[[], int]) -> Context:
    """Put together what a server shares.

    Args:
        settings: of this process.
        engine: the database, at the newest schema.
        carry_out: removes the objects of all erasures that were begun and gives how many are left.
    """
    trends = TrendSettings(baseline_days=settings.trend_baseline_days)
    return Context(
        engine=engine,
        naming=SubjectNaming.of(settings),
        limiter=RateLimiter(settings.api_requests_per_s, clock=time.monotonic),
        audit=AuditWriter(partial(api_audit.record, engine)),
        eraser=Eraser(carry_out),
        webhook_networks=settings.webhook_networks,
        exporter=Exporter(engine, ExportPlace.of(settings, version=metadata.version("tonalog"))),
        needed=Evidence(baseline=trends.needed_for_baseline, recent=trends.needed_recently),
        uploads=Uploads(settings),
        trend_baseline_days=settings.trend_baseline_days,
    )


def forget_old(engine: Engine, settings: Settings) -> None:
    """Delete what the feed of changes, the audit, uploads and kept answers keep no longer."""
    changes.expire(engine, keep=timedelta(days=settings.changes_days))
    api_audit.expire(engine, keep=timedelta(days=settings.api_audit_days))
    uploads.expire(engine)
    idempotency.expire(engine)


def make_server(context: Context, *, host: str, port: int, version: str) -> uvicorn.Server:
    """Make a server whose `run` answers requests until TERM or Ctrl-C; those under way are answered first."""
    config = uvicorn.Config(
        make_app(context, version=version),
        host=host,
        port=port,
        log_config=None,  # ours, which names nobody
        access_log=False,  # paths name people; `api.middleware` writes a line instead
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_STOP_S,
    )
    logging.getLogger("uvicorn.access").disabled = True  # whatever handlers somebody gives it later
    return uvicorn.Server(config)
