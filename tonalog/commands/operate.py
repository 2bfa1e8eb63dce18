"""`tonalog scan | db | retry`: what a nightly operator needs."""

from __future__ import annotations

from typing import Any

import click

from config import logs
from config.queues import prepare_folders
from config.settings import Settings
from db import Engine, jobs, migrate, recordings, residue
from db.engine import make_engine
from db.reasons import Reason
from db.statistics import refresh_statistics
from tonalog.intake_options import intake_options, read_options, say_unknown
from tonalog.screen import say
from tonalog.session import ensure_model, need_active_model, open_database

_OFFSETS_SINCE = "0006"  # the revision that keeps them


@click.command(name="scan", epilog="Example: tonalog scan s3://notes/2026/")
@click.argument("path_or_url", required=False)
@intake_options
def scan_command(path_or_url: str | None, **given: Any) -> None:
    """Register what is new in PATH_OR_URL (or TONALOG_STORAGE_URL), correct who and when of the rest, and make jobs."""
    from scheduler.app import make_app  # noqa: PLC0415 - loads Celery
    from scheduler.service import Service  # noqa: PLC0415

    settings = Settings.read()
    logs.configure("WARNING", line=logs.FOR_PEOPLE)
    options = read_options(**given)
    need_active_model(open_database(settings))
    service = Service(settings, make_app(settings))
    night = service.scan_and_queue(path_or_url, options=options)
    sent = service.publish()
    say(
        f"{night.n_listed} recordings listed, {night.n_new} new, {night.n_corrected} corrected, {night.n_jobs} jobs made, "
        f"{sent.n_sent} sent to workers."
    )
    say_unknown(night, path_or_url)


@click.group(name="db")
def db_command() -> None:
    """Set up, upgrade or rewrite the database."""


@db_command.command(name="upgrade", epilog="Example: TONALOG_DATABASE_URL=postgresql://... tonalog db upgrade")
def upgrade() -> None:
    """Bring the schema to this release; register and activate the shipped model if none is active."""
    settings = Settings.read()
    prepare_folders(settings)
    engine = make_engine(settings.database)
    before = migrate.current(engine)
    after = migrate.upgrade(engine)
    refresh_statistics(engine)
    model = ensure_model(engine, settings)
    change = "is up to date" if before == after else f"went from {before or 'nothing'} to {after}"
    say(f"The schema {change}; active model: {model.name}-{model.version}.")
    if before is not None and before < _OFFSETS_SINCE:
        _tell_lost_offsets(engine)


@db_command.command(name="rewrite", epilog="Example: TONALOG_DATABASE_URL=postgresql://... tonalog db rewrite")
def rewrite() -> None:
    """Write tables anew without the bytes of what was erased, as their owner.

    On PostgreSQL everybody who needs such a table waits meanwhile, and each takes as much disk again: choose a quiet
    hour. Its write-ahead log, server logs and backups are not touched.
    """
    left = residue.rewrite(open_database(Settings.read())).uncleaned_tables
    say("The tables are rewritten; nothing of what was erased is in their files.")
    if left:
        say(f"Old statistics may be in {', '.join(left)}: the database's owner removes them with the same command.")


def _tell_lost_offsets(engine: Engine) -> None:
    n_all, n_gone = recordings.count_without_offset(engine)
    if n_all:
        say(
            f"{n_all} recordings have a time whose offset from UTC was not kept, so their local day is the UTC day for now. "
            f"The next scan reads {n_all - n_gone} of them again; {n_gone} are replaced or without audio and keep the UTC day."
        )


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
