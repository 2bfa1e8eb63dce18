"""`tonalog api`: the process that answers app backends."""

from __future__ import annotations

from functools import partial
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
from tonalog.errors import TonalogError
from tonalog.session import open_database

_EPILOG = """\b
Examples:
  tonalog api
  tonalog api --host 0.0.0.0 --port 8080      # put TLS in front of it
"""


@click.command(name="api", epilog=_EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8080, show_default=True, help="Port to listen on.")
def api_command(*, host: str, port: int) -> None:
    """Run the HTTP API (extra api): notes, days, changes, uploads and erasures, for those who have a key.

    /openapi.json describes it. TERM answers the requests under way first.
    """
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
    logs.configure(settings.log_level)
    if engine.dialect.name == "sqlite":
        refresh_statistics(engine)
        server.forget_old(engine, settings)  # elsewhere the scheduler does it, with rights that this process has not
    pooled = make_engine(settings.database, n_pooled=server.N_CONNECTIONS)
    context = server.make_context(settings, pooled, carry_out=partial(_finish_erasures, engine, settings))
    server.make_server(context, host=host, port=port, version=version("tonalog")).run()


def _finish_erasures(engine: Engine, settings: Settings) -> int:
    if not removals.unfinished(engine):
        return 0  # cleaning the database takes long, also where there is nothing to clean
    return carry_out(engine, partial(open_bucket, settings)).n_left
