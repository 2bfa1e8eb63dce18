"""`tonalog scan | db | status | retry`: what a nightly operator needs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from config import logs
from config.queues import prepare_folders
from config.settings import Settings
from db import Engine, erasures, history, jobs, migrate, models, recordings, residue, slots
from db.engine import make_engine
from db.reasons import ErasureScope, JobState, Reason
from db.statistics import refresh_statistics
from scheduler.retention import RETENTION, expired
from tonalog.commands.dead import list_dead
from tonalog.drift_words import read_last_drift
from tonalog.intake_options import intake_options, read_options, say_unknown
from tonalog.screen import message, new_table, say, say_json, show
from tonalog.session import ensure_model, need_active_model, open_database

_OFFSETS_SINCE = "0006"  # the revision that keeps them
_STATUS_EPILOG = """\b
Examples:
  tonalog status
  tonalog status --json | jq .jobs
"""


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


@click.command(name="status", epilog=_STATUS_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="How many dead jobs to list.")
def status_command(*, as_json: bool, limit: int) -> None:
    """Show jobs by state, the oldest that waits, the last sweep, and dead jobs with their reasons."""
    settings = Settings.read()
    status = read_status(open_database(settings), limit=limit, retention_days=settings.retention_days)
    if as_json:
        say_json(status)
        return
    _print_status(status)


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


def read_status(engine: Engine, *, limit: int, retention_days: int | None = None) -> dict[str, Any]:
    """Return the ledger's state as the JSON object of `tonalog status --json`."""
    counted = history.counts(engine)
    active = models.active_model(engine)
    pulses = slots.read_pulses(engine)
    last_night = slots.last_slot(engine, "nightly")
    return {
        "model": None if active is None else {"name": active.name, "version": active.version},
        "jobs": {state.value.lower(): counted.by_state.get(state, 0) for state in JobState},
        "lanes": [
            {"lane": lane.value, "state": state.value.lower(), "n_jobs": n}
            for (lane, state), n in sorted(counted.by_lane.items())
        ],
        "oldest_pending_age_s": counted.oldest_pending_age_s,
        "last_sweep_age_s": pulses["sweep"].age_s if "sweep" in pulses else None,
        "last_scan_age_s": pulses["scan"].age_s if "scan" in pulses else None,
        "last_nightly_slot": None if last_night is None else last_night.slot.isoformat(),
        "drift": read_last_drift(engine, active),
        "retention": _read_retention(engine, retention_days),
        "dead": list_dead(engine, limit=limit),
    }


def _read_retention(engine: Engine, n_days: int | None) -> dict[str, Any] | None:
    if n_days is None:
        return None
    due = erasures.measure(engine, expired(n_days, datetime.now(UTC)), scope=ErasureScope.ALL)
    last = slots.last_slot(engine, RETENTION)
    return {
        "days": n_days,
        "n_due": due.n_recordings,
        "last_day": None if last is None else last.slot.date().isoformat(),
    }


def _print_status(status: dict[str, Any]) -> None:
    model = status["model"]
    say(f"Active model: {model['name']}-{model['version']}" if model else "No active model.")
    table = new_table("Jobs", ["lane", "state", "jobs"], right=["jobs"])
    for line in status["lanes"]:
        table.add_row(line["lane"], line["state"], str(line["n_jobs"]))
    show(table)
    say(f"Oldest waiting job: {_age(status['oldest_pending_age_s'], 'none waits')}")
    say(f"Last sweep: {_age(status['last_sweep_age_s'], 'never: is a scheduler running?')}")
    say(f"Last scan: {_age(status['last_scan_age_s'], 'never')}")
    say(f"Last nightly slot: {status['last_nightly_slot'] or 'none yet'}")
    say(f"Drift of scores: {status['drift']['line'] if status['drift'] else 'not measured yet: the nightly run does'}")
    if (retention := status["retention"]) is not None:
        say(
            f"Retention: {retention['days']} days after registration; {retention['n_due']} recordings are due "
            f"(`tonalog retention` lists them); last run: {retention['last_day'] or 'none yet'}"
        )
    if status["dead"]:
        dead = new_table("Dead jobs (tonalog retry sends them back)", ["recording", "key", "model", "reason", "detail"])
        for job in status["dead"]:
            said = [job[name] or "" for name in ("key", "model", "reason")]
            dead.add_row(str(job["recording_id"]), *said, message(job["detail"] or ""))
        show(dead)


def _age(seconds: float | None, otherwise: str) -> str:
    if seconds is None:
        return otherwise
    if seconds < 120:  # noqa: PLR2004 - below two minutes seconds read better
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago"
