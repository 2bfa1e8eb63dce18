"""`tonalog models`: which model versions there are, and which one readers see."""

from __future__ import annotations

from pathlib import Path

import click

from config.settings import Settings
from db import jobs, models
from db.reasons import Lane
from db.rows import Model
from tonalog.screen import new_table, say, show
from tonalog.session import open_database, register_tried


@click.group(name="models", epilog="Example: tonalog models add new/speech-emotion-0.6.0")
def models_command() -> None:
    """Add, list and activate models. Results of every version stay side by side; readers see the active one."""


@models_command.command(name="add", epilog="Example: tonalog models add new/speech-emotion-0.6.0")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def add(folder: Path) -> None:
    """Check the bundle in DIR, run it once in a confined process, and register it; it is not active yet.

    From then on no file of it may change: workers leave the jobs of a changed bundle waiting with MODEL_UNAVAILABLE.
    """
    settings = Settings.read()
    model = register_tried(open_database(settings), settings, folder)
    say(f"Registered {model.name}-{model.version} ({_shorten_hash(model)}). To use it: {_activation(model.version)}")


@models_command.command(name="list", epilog="Example: tonalog models list")
def list_all() -> None:
    """List every registered model; '*' marks the active one."""
    table = new_table("Models", ["active", "name", "version", "labels", "bundle", "added", "activated"])
    for model in models.list_models(open_database(Settings.read())):
        activated = f"{model.activated_at:%Y-%m-%d %H:%M}" if model.activated_at else ""
        mark = "*" if model.is_active else ""
        added = f"{model.added_at:%Y-%m-%d %H:%M}"
        labels = " ".join(model.labels)
        table.add_row(mark, model.name, model.version, labels, _shorten_hash(model), added, activated)
    show(table)


@models_command.command(name="activate", epilog="Example: tonalog models activate 0.7.0")
@click.argument("version")
@click.option("--force", is_flag=True, help="Activate it even if readers lose results by that.")
def activate(version: str, *, force: bool) -> None:
    """Make VERSION the one that readers see and that new recordings are scored with.

    Exit 1 while recordings that the active model has results for have none under VERSION. A recording whose job
    ended for a reason of its own (NOT_AUDIO, TRUNCATED, OBJECT_MISSING and such) does not count: no model can score it.
    """
    engine = open_database(Settings.read())
    model = models.activate(engine, models.resolve(engine, version).id, force=force)
    n_missing = jobs.create_jobs(engine, model.id, lane=Lane.BULK, is_dry_run=True)
    say(f"{model.name}-{model.version} is active.")
    if n_missing:
        say(f"{n_missing} recordings have no job for it yet: tonalog reprocess --model {model.version}")


def _shorten_hash(model: Model) -> str:
    """Show the hash of the whole bundle, or say that a release registered it that kept none."""
    return model.bundle_sha256[:12] if model.bundle_sha256 else "not kept"


def _activation(version: str) -> str:
    return f"tonalog models activate {version}"
