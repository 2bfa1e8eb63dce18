"""`tonalog scan | retry`: what a nightly operator needs."""

from __future__ import annotations

from typing import Any

import click

from config import logs
from config.settings import Settings
from db import jobs
from db.reasons import Reason
from tonalog.intake_options import intake_options, read_options, say_unknown
from tonalog.screen import say
from tonalog.session import need_active_model, open_database


@click.command(name="scan", epilog="Example: tonalog scan s3://notes/2026/")
@click.argument("path_or_url", required=False)
@click.option(
    "--inventory",
    metavar="S3_URL",
    help="manifest.json of an S3 Inventory (CSV or Parquet) of the bucket: its list is read in place of listing.",
)
@intake_options
def scan_command(path_or_url: str | None, *, inventory: str | None, **given: Any) -> None:
    """Register what is new in PATH_OR_URL (or TONALOG_STORAGE_URL), correct who and when of the rest, and make jobs."""
    from scheduler.app import make_app  # noqa: PLC0415 - loads Celery
    from scheduler.service import Service  # noqa: PLC0415

    settings = Settings.read()
    logs.configure("WARNING", line=logs.FOR_PEOPLE)
    options = read_options(**given)
    need_active_model(open_database(settings))
    service = Service(settings, make_app(settings))
    night = service.scan_and_queue(path_or_url, options=options, inventory=inventory)
    sent = service.publish()
    say(
        f"{night.n_listed} recordings listed, {night.n_new} new, {night.n_corrected} corrected, {night.n_jobs} jobs made, "
        f"{sent.n_sent} sent to workers."
    )
    say_unknown(night, path_or_url)


@click.command(name="retry", epilog="Example: tonalog retry --reason WORKER_LOST")
@click.option(
    "--reason", type=click.Choice([reason.value for reason in Reason]), help="Only jobs dead for this reason."
)
@click.option("--recording", type=int, help="Only this recording's jobs.")
def retry_command(*, reason: str | None, recording: int | None) -> None:
    """Give dead jobs a fresh start; their history stays."""
    engine = open_database(Settings.read())
    n_jobs = jobs.retry(engine, reason=None if reason is None else Reason(reason), recording_id=recording)
    say(f"{n_jobs} jobs wait again." if n_jobs else "0 jobs wait again: none of those is dead, see `tonalog dead`.")
