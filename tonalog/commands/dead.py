"""`tonalog dead`: the jobs that ended without a result, and why; it changes none of them."""

from __future__ import annotations

from typing import Any

import click

from config.settings import Settings
from db import Engine, history
from db.history import DeadJob
from db.reasons import Reason
from tonalog.report import when
from tonalog.screen import Cell, message, new_table, say, say_json, show
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
        say_json([dead_as_dict(dead) for dead in found[:limit]])
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
        say("No dead jobs.")
        return
    table = new_table("Dead jobs", _COLUMNS, right=["attempts"])
    for dead in found:
        model = f"{dead.model_name}-{dead.model_version}"
        said: list[Cell] = [dead.key, model, dead.reason, message(dead.detail or "")]
        table.add_row(str(dead.recording_id), *said, str(dead.attempts), when(dead.finished_at))
    show(table)
    if not is_whole:
        say("There are more: raise --limit, or narrow with --reason.")
    if not all(dead.is_live for dead in found):
        say("Some recordings were replaced since: `tonalog retry` leaves those as they are.")
    say("`tonalog retry --reason R` or `tonalog retry --recording ID` sends dead jobs back to work.")
