"""`tonalog models`: which model versions there are, and which one readers see."""

from __future__ import annotations

from pathlib import Path

import click

from config.settings import Settings
from db import model_ends, models
from db.model_readers import read_canary
from tonalog.commands.model_canary import canary_command
from tonalog.commands.model_life import name_store, remove, retire, shorten_hash, show_model
from tonalog.commands.model_switch import activate, rollback
from tonalog.screen import new_table, say, show
from tonalog.session import open_database, register_tried


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
