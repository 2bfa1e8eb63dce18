"""`tonalog status`: how the ledger stands, who works on it, and what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from config.settings import Settings
from db import Engine, erasures, history, models, nights, slots
from db.reasons import ErasureScope, JobState
from scheduler.drift_words import read_last_drift
from scheduler.probes import Look, look_at_ledger
from scheduler.retention import RETENTION, expired
from tonalog.commands.dead import list_dead
from tonalog.errors import EXIT_TROUBLE
from tonalog.screen import message, new_table, say, say_json, show
from tonalog.session import open_database

_EPILOG = """\b
Examples:
  tonalog status
  tonalog status --json | jq .jobs
"""


@click.command(name="status", epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="How many dead jobs to list.")
@click.pass_context
def status_command(ctx: click.Context, *, as_json: bool, limit: int) -> None:
    """Show jobs by state, live workers, the last sweep and night, dead jobs with their reasons, and what is wrong.

    Exit 0: nothing is wrong. 2: something is; `tonalog doctor` tries the servers too.
    """
    settings = Settings.read()
    engine = open_database(settings)
    look = look_at_ledger(engine, settings)
    status = read_status(engine, look, limit=limit, retention_days=settings.retention_days)
    if as_json:
        say_json(status)
    else:
        _print_status(status, look)
    ctx.exit(EXIT_TROUBLE if look.troubles else 0)


def read_status(engine: Engine, look: Look, *, limit: int, retention_days: int | None = None) -> dict[str, Any]:
    """Return the ledger's state as the JSON object of `tonalog status --json`."""
    counted = history.counts(engine)
    active = models.active_model(engine)
    pulses = look.health.pulses
    last_night = slots.last_slot(engine, "nightly")
    return {
        "model": None if active is None else {"name": active.name, "version": active.version},
        "jobs": {state.value.lower(): counted.by_state.get(state, 0) for state in JobState},
        "lanes": [
            {"lane": lane.value, "state": state.value.lower(), "n_jobs": n}
            for (lane, state), n in sorted(counted.by_lane.items())
        ],
        "oldest_pending_age_s": counted.oldest_pending_age_s,
        "workers": _describe_workers(look),
        "last_sweep_age_s": pulses["sweep"].age_s if "sweep" in pulses else None,
        "last_scan_age_s": pulses["scan"].age_s if "scan" in pulses else None,
        "last_nightly_slot": None if last_night is None else last_night.slot.isoformat(),
        "last_night": nights.last_summary(engine),
        "n_people_to_refresh": look.health.n_marked,
        "drift": read_last_drift(engine, active),
        "retention": _read_retention(engine, retention_days),
        "troubles": [
            {
                "kind": trouble.kind.value,
                **{name: getattr(trouble, name) for name in ("about", "text", "detail", "fix")},
            }
            for trouble in look.troubles
        ],
        "dead": list_dead(engine, limit=limit),
    }


def _describe_workers(look: Look) -> list[dict[str, Any]]:
    return [
        {
            "name": worker.name,
            "is_live": worker.age_s <= look.limits.worker_s,
            "seen_age_s": worker.age_s,
            "lanes": [lane.value for lane in worker.lanes],
            "n_processes": worker.n_processes,
            "version": worker.version,
            "revision": worker.revision,
            "model": worker.bundle.model,
            "bundle_sha256": worker.bundle.sha256,
            "bundle_error": worker.bundle.error,
            "started_at": worker.started_at.isoformat(),
            "last_job_id": worker.last_job_id,
            "last_job_at": None if worker.last_job_at is None else worker.last_job_at.isoformat(),
        }
        for worker in look.health.workers
    ]


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


def _print_status(status: dict[str, Any], look: Look) -> None:
    model = status["model"]
    say(f"Active model: {model['name']}-{model['version']}" if model else "No active model.")
    table = new_table("Jobs", ["lane", "state", "jobs"], right=["jobs"])
    for line in status["lanes"]:
        table.add_row(line["lane"], line["state"], str(line["n_jobs"]))
    show(table)
    _print_workers(status["workers"])
    say(f"Oldest waiting job: {_age(status['oldest_pending_age_s'], 'none waits')}")
    say(f"Last sweep: {_age(status['last_sweep_age_s'], 'never: is a scheduler running?')}")
    say(f"Last scan: {_age(status['last_scan_age_s'], 'never')}")
    say(f"Last nightly slot: {status['last_nightly_slot'] or 'none yet'}")
    say(f"Drift of scores: {status['drift']['line'] if status['drift'] else 'not measured yet: the nightly run does'}")
    if status["n_people_to_refresh"]:
        say(f"People whose days and trends are to be made anew: {status['n_people_to_refresh']}")
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
    for trouble in look.troubles:
        say(f"TROUBLE  {trouble.kind.value}: {trouble.sentence}")


def _print_workers(workers: list[dict[str, Any]]) -> None:
    if not workers:
        return
    table = new_table(
        "Workers", ["worker", "seen", "lanes", "processes", "version", "bundle", "last job"], right=["processes"]
    )
    for worker in workers:
        bundle = message(worker["bundle_error"] or f"{worker['model']} {(worker['bundle_sha256'] or '')[:12]}")
        seen = _age(worker["seen_age_s"], "") + ("" if worker["is_live"] else ", dead")
        last = f"{worker['last_job_id']} at {worker['last_job_at'][:19]}" if worker["last_job_id"] else ""
        lanes = ", ".join(worker["lanes"])
        table.add_row(worker["name"], seen, lanes, str(worker["n_processes"]), worker["version"], bundle, last)
    show(table)


def _age(seconds: float | None, otherwise: str) -> str:
    if seconds is None:
        return otherwise
    if seconds < 120:  # noqa: PLR2004 - below two minutes seconds read better
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago"
