"""`tonalog models activate | rollback`: which model version readers see."""

from __future__ import annotations

import click

from config.settings import Settings
from db import activation, models
from db.activation import Switched
from tonalog.commands.model_life import say_unless_stored
from tonalog.screen import say
from tonalog.session import open_database


@click.command(name="activate", epilog="Example: tonalog models activate 0.7.0")
@click.argument("version")
@click.option("--force", is_flag=True, help="Activate it even if readers lose results by that.")
@click.option(
    "--min-coverage",
    type=click.FloatRange(0.0, 1.0),
    default=1.0,
    show_default=True,
    help="Share of what the active model has scored that must be scored by this one.",
)
def activate(version: str, *, force: bool, min_coverage: float) -> None:
    """Make VERSION the one that readers see and that new recordings are scored with.

    Exit 1 while recordings that the active model has results for have none under VERSION. A recording whose job
    ended for a reason of its own (NOT_AUDIO, TRUNCATED, OBJECT_MISSING and such) does not count: no model can score it.
    """
    settings = Settings.read()
    engine = open_database(settings)
    model = models.resolve(engine, version)
    _say_switch(settings, activation.activate(engine, model.id, min_coverage=min_coverage, force=force))


@click.command(name="rollback", epilog="Example: tonalog models rollback")
def rollback() -> None:
    """Make that model active again which was so before the last switch; the same again goes forward.

    Nothing is scored for it: readers see the results of that version at once. What only the newer one has scored is pending
    until the next scan or `tonalog reprocess` has it scored.
    """
    settings = Settings.read()
    _say_switch(settings, activation.roll_back(open_database(settings)))


def _say_switch(settings: Settings, switched: Switched) -> None:
    model, covered = switched.model, switched.coverage
    say(f"{model.name}-{model.version} is active.")
    if switched.previous is None:
        return
    old = switched.previous
    say(f"Of what {old.name}-{old.version} has results for, it covers {covered.describe()}.")
    if covered.n_without_job:
        say(f"The jobs that it lacks: tonalog reprocess --model {model.version}")
    say_unless_stored(settings, model)
    say("Back: tonalog models rollback")
