"""`tonalog models` and `tonalog reprocess`: what an ML engineer does after a model update."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from config.settings import Settings
from db import jobs, model_ends, models, people
from db.model_readers import read_canary
from db.reasons import Lane
from tonalog.commands.model_canary import canary_command
from tonalog.commands.model_life import name_store, remove, retire, shorten_hash, show_model
from tonalog.commands.model_switch import activate, rollback
from tonalog.screen import new_table, say, show
from tonalog.session import choose_tenant, find_subject, open_database, register_tried, say_nobody

_DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
_REPROCESS_EPILOG = """\b
Examples:
  tonalog reprocess --model 0.7.0 --dry-run
  tonalog reprocess --model 0.7.0 --since 2026-01-01
Then, when it is through: tonalog models activate 0.7.0
"""


@click.group(name="models", epilog="Example: tonalog models add new/speech-emotion-0.6.0")
def models_command() -> None:
    """Add models, switch to one and back, and end them. Results of every version stay side by side; readers see the active one."""


@models_command.command(name="add", epilog="Example: tonalog models add new/speech-emotion-0.6.0")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def add(folder: Path) -> None:
    """Check the bundle in DIR, run it once in a confined process, register it and store it; it is not active yet.

    It is stored in TONALOG_BUNDLES, from where each worker fetches it by its hash. The same again stores what is missing there.
    A changed bundle under a version that is registered is refused.
    """
    settings = Settings.read()
    model = register_tried(open_database(settings), settings, folder)
    say(f"Registered {model.name}-{model.version} ({shorten_hash(model)}). Stored in {name_store(settings)}.")
    say(f"To use it: tonalog models activate {model.version}")


@models_command.command(name="list", epilog="Example: tonalog models list")
def list_all() -> None:
    """List every registered model with its state; '*' marks the active one."""
    engine = open_database(Settings.read())
    states, canary = model_ends.read_states(engine), read_canary(engine)
    table = new_table("Models", ["active", "name", "version", "state", "labels", "bundle", "added", "activated"])
    for model in models.list_models(engine):
        activated = f"{model.activated_at:%Y-%m-%d %H:%M}" if model.activated_at else ""
        is_canary = canary is not None and canary.model_id == model.id
        state = f"{states[model.id].value}{', canary' if is_canary else ''}"
        row = ("*" if model.is_active else "", model.name, model.version, state, " ".join(model.labels))
        table.add_row(*row, shorten_hash(model), f"{model.added_at:%Y-%m-%d %H:%M}", activated)
    show(table)


for _command in (show_model, retire, remove, activate, rollback, canary_command):
    models_command.add_command(_command)


@click.command(name="reprocess", epilog=_REPROCESS_EPILOG)
@click.option("--model", "version", required=True, help="Model version to score with.")
@click.option("--since", type=_DATE, help="Only recordings of this day or later (UTC; upload time if unknown).")
@click.option("--until", type=_DATE, help="Only recordings before this day.")
@click.option("--subject", help="Only this person's recordings.")
@click.option("--tenant", help="Only this tenant's; with --subject TONALOG_TENANT or 'default' if not given.")
@click.option("--dry-run", is_flag=True, help="Count what is missing, make no job.")
def reprocess_command(
    *,
    version: str,
    since: datetime | None,
    until: datetime | None,
    subject: str | None,
    tenant: str | None,
    dry_run: bool,
) -> None:
    """Make the missing jobs of one model in the bulk lane, which never delays nightly work.

    Only what has no job for that model yet is done, so it can be interrupted and run again.
    """
    if since is not None and until is not None and since >= until:
        raise click.UsageError(f"No day is from --since {since:%Y-%m-%d} and before --until {until:%Y-%m-%d}.")
    settings = Settings.read()
    engine = open_database(settings)
    model = models.resolve(engine, version)
    whose = choose_tenant(settings, tenant)
    person = None if subject is None else find_subject(engine, settings, subject, tenant=whose)
    n_jobs = jobs.create_jobs(
        engine,
        model.id,
        lane=Lane.BULK,
        since=_utc(since),
        until=_utc(until),
        subject=person,
        tenant=tenant if person is None else whose,
        is_dry_run=dry_run,
    )
    done = "would be made" if dry_run else "made in the bulk lane"
    say(f"{n_jobs} jobs {done} for {model.name}-{model.version}.")
    if subject is not None and person is not None and not people.is_known(engine, whose, person):
        say(say_nobody(engine, settings, subject, tenant=whose))


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
