"""`tonalog webhooks`: the process that sends webhooks to app backends."""

from __future__ import annotations

import random
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from config import logs
from config.settings import Settings
from db.engine import make_engine
from tonalog.errors import TonalogError
from tonalog.session import open_database
from tonalog.watching import serve_metrics

if TYPE_CHECKING:
    from api.webhooks.sender import Sender

N_CONNECTIONS = 4  # to the database; roles.sql allows two such processes
_EPILOG = """\b
Examples:
  tonalog webhooks
  TONALOG_WEBHOOK_ALLOW=10.1.0.0/16 tonalog webhooks      # an app inside this network
"""


@click.command(name="webhooks", epilog=_EPILOG)
@click.option(
    "--check", "is_check", is_flag=True, help="Send nothing: ask whether the database is ready; for health checks."
)
def webhooks_command(*, is_check: bool) -> None:
    """Run the sender of webhooks (extra api). It needs a way out to the hosts of apps; several of them do no harm.

    TERM ends the requests under way first. On SQLite `tonalog api` sends by itself.
    """
    settings = Settings.read()
    open_database(settings)  # raises where it cannot be used
    if is_check:
        return
    logs.configure(settings.log_level, form=settings.log_format)
    serve_metrics(settings, "webhooks")
    sender = make_sender(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sender.stop())
    sender.run()


def make_sender(settings: Settings) -> Sender:
    """Make a sender with connections of its own.

    Raises:
        TonalogError: the extra `api` is not installed.
    """
    try:
        from api.webhooks.post import Poster  # noqa: PLC0415 - an HTTP client, which is in an extra
        from api.webhooks.sender import Sender  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in {"httpcore", "standardwebhooks"}:
            raise
        raise TonalogError("Webhooks need an extra: pip install 'tonalog[api]'.") from error
    return Sender(
        make_engine(settings.database, n_pooled=N_CONNECTIONS),
        Poster(allowed=settings.webhook_networks, ca_file=settings.webhook_ca_file),
        keep=timedelta(days=settings.webhook_days),
        random=random.random,  # noqa: S311 - spreads retries, hides nothing
    )
