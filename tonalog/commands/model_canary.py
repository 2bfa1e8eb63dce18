"""`tonalog models canary`: who reads a candidate before everybody does."""

from __future__ import annotations

import re
from fractions import Fraction

import click

from config.plain_text import exact
from config.settings import Settings
from db import canary, models
from db.canary import Progress
from db.model_readers import Canary, read_canary
from db.models import list_keys
from tonalog.screen import say
from tonalog.session import open_database

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%?", re.ASCII)
_EPILOG = """\b
Examples:
  tonalog models canary 0.7.0 --share 5%
  tonalog models canary 0.7.0 --tenant clinic
  tonalog models canary --stop
"""


class _Share(click.ParamType[float]):
    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = _PERCENT.fullmatch(str(value))
        share = Fraction(found[1]) / 100 if found else Fraction(0)
        if not 0 < share <= 1:
            self.fail(f"{value!r} is no share, use a percentage over 0 and up to 100, such as 5%", param, ctx)
        return float(share)


@click.command(name="canary", epilog=_EPILOG)
@click.argument("version", required=False)
@click.option(
    "--share", type=_Share(), help="This share of all people, chosen by hash; a larger one keeps those of a smaller."
)
@click.option("--tenant", help="All people of this tenant.")
@click.option("--force", is_flag=True, help="Let readers get it even if they lose results by that.")
@click.option("--stop", is_flag=True, help="Let everybody read the active model again.")
def canary_command(version: str | None, *, share: float | None, tenant: str | None, force: bool, stop: bool) -> None:
    """Let some people be read under VERSION before everybody is; without arguments, say who is.

    Their recordings are scored by both models, the stored ones in the bulk lane. Once all are, readers of the HTTP API, of
    `tonalog trends` and of `tonalog report` get VERSION for them: run the same again. The views v1_* and exports show the active
    model of everybody.
    """
    settings = Settings.read()
    engine = open_database(settings)
    names = {key.id: f"{key.name}-{key.version}" for key in list_keys(engine)}
    if stop:
        if version is not None or share is not None or tenant is not None:
            raise click.UsageError("--stop goes alone: everybody reads the active model then.")
        stopped = canary.stop(engine)
        say(
            "There was no canary."
            if stopped is None
            else f"Everybody reads the active model again, not {names[stopped.model_id]}."
        )
        return
    if version is None:
        if share is not None or tenant is not None or force:
            raise click.UsageError("Give the VERSION that is to be read.")
        now = read_canary(engine)
        say("There is no canary." if now is None else f"{names[now.model_id]}: {_describe(now)}.")
        return
    if (share is None) == (tenant is None):
        raise click.UsageError("Give one of --share and --tenant.")
    model = models.resolve(engine, version)
    _say_progress(names[model.id], canary.start(engine, model, tenant=tenant, share=share, force=force))


def _describe(now: Canary) -> str:
    who = f"tenant {exact(now.tenant)}" if now.tenant is not None else f"{_percent(now.share)} of all people"
    if now.read_share is None:
        return f"{who}, whose recordings are still to be scored"
    if now.share is not None and now.read_share < now.share:
        return f"{who}, read by {_percent(now.read_share)} of all people so far"
    return f"{who}, and readers get it"


def _percent(share: float | None) -> str:
    return f"{100 * (share or 0):g} %"


def _say_progress(name: str, progress: Progress) -> None:
    say(
        f"{name}: {_describe(progress.canary)}; {progress.n_people} people with a name, {progress.n_jobs} jobs made in the bulk lane."
    )
    say(f"Of what the active model has results for of theirs, it covers {progress.coverage.describe()}.")
    if progress.coverage.n_people_waiting:
        say(f"Days and trends of {progress.coverage.n_people_waiting} people are still to be made by the scheduler.")
    if progress.coverage.n_missing or progress.coverage.n_people_waiting:
        say("Run the same again when they are through.")
