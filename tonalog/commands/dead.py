"""`tonalog dead`: the jobs that ended without a result, and why; it changes none of them."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.markup import escape

from config.settings import Settings
from db import Engine, history
from db.history import DeadJob
from db.reasons import Reason
from tonalog.report import console, new_table, show, when
from tonalog.session import open_database

_COLUMNS = ("recording", "key", "model", "reason", "message", "attempts", "ended at")
_EPILOG = """\b
Examples:
  tonalog dead --reason STORAGE_DENIED
  tonalog dead --json | jq -r '.[].key'
"""


@click.command(name="dead", epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
@click.option("--reason", type=click.Choice(list(Reason)), help="Only jobs dead for this reason.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many to list, newest first.")
def dead_command(*, as_json: bool, reason: str | None, limit: int) -> None:
    """List dead jobs, newest first: recording, model, reason, the last attempt's message, attempts, when."""
    engine = open_database(Settings.read())
    # One more than asked for tells whether the list is whole.
    found = history.dead_jobs(engine, limit=limit + 1, reason=None if reason is None else Reason(reason))
    if as_json:
        click.echo(json.dumps([dead_as_dict(dead) for dead in found[:limit]]))
        return
    _print(found[:limit], is_whole=len(found) <= limit)


def list_dead(engine: Engine, *, limit: int) -> list[dict[str, Any]]:
    """Return the jobs that died last as `tonalog dead --json` and `tonalog status --json` show them."""
    return [dead_as_dict(dead) for dead in history.dead_jobs(engine, limit=limit)]


def dead_as_dict(dead: DeadJob) -> dict[str, Any]:
    """Return one dead job as JSON knows it."""
    return {
        "job_id": dead.job_id,
        "recording_id": dead.recording_id,
        "key": dead.key,
        "is_live": dead.is_live,
        "model": f"{dead.model_name}-{dead.model_version}",
        "reason": dead.reason,
        "detail": dead.detail,
        "attempts": dead.attempts,
        "finished_at": dead.finished_at.isoformat(),
    }


def _print(found: list[DeadJob], *, is_whole: bool) -> None:
    if not found:
        click.echo("No dead jobs.")
        return
    table = new_table("Dead jobs", _COLUMNS, right=["attempts"])
    for dead in found:
        model = f"{dead.model_name}-{dead.model_version}"
        # Keys and messages are other people's words: without `escape` a bracket in them would be read as a style.
        said = [escape(word) for word in (dead.key, model, dead.reason, dead.detail or "")]
        table.add_row(str(dead.recording_id), *said, str(dead.attempts), when(dead.finished_at))
    show(console(), table)
    if not is_whole:
        click.echo("There are more: raise --limit, or narrow with --reason.")
    if not all(dead.is_live for dead in found):
        click.echo("Some recordings were replaced since: `tonalog retry` leaves those as they are.")
    click.echo("`tonalog retry --reason R` or `tonalog retry --recording ID` sends dead jobs back to work.")
