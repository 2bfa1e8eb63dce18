"""`tonalog api`: the process that answers app backends."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from importlib.metadata import version

import click

from config import logs
from config.settings import Settings
from db import Engine, removals, subject_keys
from db.engine import make_engine
from db.statistics import refresh_statistics
from scheduler.erasing import carry_out
from storage.open import open_bucket
from storage.pseudonyms import SubjectNaming
from tonalog.commands.webhooks import make_sender
from tonalog.errors import TonalogError
from tonalog.session import open_database
from tonalog.watching import serve_metrics

_EPILOG = """\b
Examples:
  tonalog api
  tonalog api --host 0.0.0.0 --port 8080      # put TLS in front of it
  tonalog api --check && echo well
"""
_CHECK_S = 10.0


@click.command(name="api", epilog=_EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8080, show_default=True, help="Port to listen on.")
@click.option(
    "--webhooks/--no-webhooks",
    "is_sender",
    default=None,
    help="Send webhooks from this process too. Without either: on SQLite alone, elsewhere `tonalog webhooks` does.",
)
@click.option(
    "--check", "is_check", is_flag=True, help="Serve nothing: ask /readyz of the server that runs; for health checks."
)
def api_command(*, host: str, port: int, is_sender: bool | None, is_check: bool) -> None:
    """Run the HTTP API (extra api): notes, days, changes, uploads, erasures and webhooks, for those who have a key.

    /openapi.json describes it. TERM answers the requests under way first.
    """
    if is_check:
        _require_ready(host, port)
        return
    settings = Settings.read()
    try:
        from api import server  # noqa: PLC0415 - a web server, which is an extra
    except ModuleNotFoundError as error:
        if error.name not in {"fastapi", "jinja2", "markupsafe", "starlette", "uvicorn"}:
            raise
        raise TonalogError("The HTTP API needs its extra: pip install 'tonalog[api]'.") from error
    engine = open_database(settings)
    # Now, and not at the first request.
    subject_keys.require(engine, SubjectNaming.of(settings).fingerprint)
    logs.configure(settings.log_level, form=settings.log_format)
    if engine.dialect.name == "sqlite":
        refresh_statistics(engine)
        server.forget_old(engine, settings)  # elsewhere the scheduler does it, with rights that this process has not
    pooled = make_engine(settings.database, n_pooled=server.N_CONNECTIONS)
    context = server.make_context(settings, pooled, carry_out=partial(_finish_erasures, engine, settings))
    serve_metrics(settings, "api")
    web = server.make_server(context, host=host, port=port, version=version("tonalog"))
    # uvicorn answers what is under way and then raises the signal again that it was stopped by.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _sending(settings) if _is_chosen(engine, is_sender) else nullcontext():
        web.run()


def _require_ready(host: str, port: int) -> None:
    url = f"http://{host}:{port}/readyz"
    connection = HTTPConnection(host, port, timeout=_CHECK_S)  # straight there, past any proxy of the environment
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise TonalogError(f"{url} does not answer ({type(error).__name__}): is `tonalog api` running there?") from None
    finally:
        connection.close()
    if status != HTTPStatus.OK:
        raise TonalogError(f"{url} answers {status}, not 200: its database is away or has another schema.")


def _is_chosen(engine: Engine, is_sender: bool | None) -> bool:  # noqa: FBT001 - as click gives it
    return engine.dialect.name == "sqlite" if is_sender is None else is_sender


@contextmanager
def _sending(settings: Settings) -> Iterator[None]:
    sender = make_sender(settings)
    thread = threading.Thread(target=sender.run, name="webhooks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        sender.stop()
        thread.join()


def _finish_erasures(engine: Engine, settings: Settings) -> int:
    if not removals.unfinished(engine):
        return 0  # cleaning the database takes long, also where there is nothing to clean
    return carry_out(engine, partial(open_bucket, settings)).n_left
