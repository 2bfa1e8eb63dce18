"""How a plan and a batch are told on the screen and in JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from db.batch_plan import Plan
from db.batch_progress import BatchProgress, Speed
from db.batches import Batch
from db.reasons import JobState
from tonalog.screen import new_table, say, show

_MIB = 2**20


def say_plan(plan: Plan, *, speed: Speed | None, bytes_per_result: float | None, rate_per_h: int | None = None) -> None:
    """Print what a batch comes to: recordings, audio, disk and time, each 'unknown' where nothing was measured yet."""
    left_out = f" ({plan.n_unscorable} more can never be scored and are left out)" if plan.n_unscorable else ""
    disk = (
        None if bytes_per_result is None else f"about {plan.n_recordings * bytes_per_result / _MIB:.1f} MiB of database"
    )
    say(
        f"  recordings  {plan.n_recordings}{left_out}",
        f"  audio       {_audio(plan)}",
        f"  disk        {disk or 'unknown: nothing has been scored yet'}",
        f"  time        {_time(plan, speed, rate_per_h)}",
    )


def describe(batch: Batch, progress: BatchProgress) -> dict[str, Any]:
    """Give a batch and how far it has come as the JSON object of `tonalog batches`."""
    told = {name: value for name, value in asdict(batch).items() if name not in _INTERNAL}
    return told | {
        "is_planned": batch.planned_at is not None,
        "audio_h": None if progress.audio_ms is None else round(_hours(progress.audio_ms), 4),
        "done_h": round(_hours(progress.done_ms), 4),
        "eta_s": None if progress.eta_s is None else round(progress.eta_s),
        "jobs": {state.value.lower(): progress.by_state.get(state, 0) for state in JobState},
        "failed_by_reason": dict(sorted(progress.by_reason.items())),
    }


_INTERNAL = ("model_id", "known_ms", "known_bytes", "n_done", "n_failed", "n_cancelled", "done_ms")


def say_batch(batch: Batch, progress: BatchProgress) -> None:
    """Print one batch."""
    by_state = progress.by_state
    counted = ", ".join(f"{by_state[state]} {state.value}" for state in JobState if by_state.get(state))
    say(
        f"Batch {batch.id}: {batch.model}, {state_of(batch)}",
        f"  chosen      {choice_of(batch)}",
        f"  recordings  {batch.n_recordings} ({counted or 'no job'})",
        f"  audio       {_hours(progress.done_ms):.2f} of {_known_hours(progress.audio_ms)} h",
        f"  rate        {'as fast as workers are free' if batch.rate_per_h is None else f'{batch.rate_per_h}/h'}",
        f"  time left   {time_left(batch, progress)}",
    )
    if batch.n_unscorable:
        say(f"  left out    {batch.n_unscorable} that can never be scored (--also-unscorable tries them)")
    if progress.by_reason:
        table = new_table("Failures (tonalog dead lists them)", ["reason", "jobs"], right=["jobs"])
        for reason, n_jobs in sorted(progress.by_reason.items(), key=lambda item: -item[1]):
            table.add_row(reason, str(n_jobs))
        show(table)


def state_of(batch: Batch) -> str:
    """Say in a word or two where a batch stands."""
    if batch.finished_at is None and batch.planned_at is None and batch.state.value in {"RUNNING", "PAUSED"}:
        return f"{batch.state.value.lower()}, being planned"
    return batch.state.value.lower()


def choice_of(batch: Batch) -> str:
    """Say which recordings a batch is for; whose they are is not kept."""
    parts = [
        f"from {batch.since:%Y-%m-%d %H:%M}" if batch.since else "",
        f"before {batch.until:%Y-%m-%d %H:%M}" if batch.until else "",
        "one person" if batch.is_of_person else "",
        f"tenant {batch.tenant}" if batch.tenant else "",
        f"a sample of {batch.sample:.4%}".replace(".0000%", "%") if batch.sample else "",
        f"label {batch.only_label}" if batch.only_label else "",
        f"at most {batch.max_recordings}" if batch.max_recordings else "",
        "also unscorable ones" if batch.with_unscorable else "",
    ]
    return ", ".join(part for part in parts if part) or "everything"


def time_left(batch: Batch, progress: BatchProgress) -> str:
    """Say when a batch may end."""
    if batch.finished_at is not None:
        return "none"
    if batch.state.value == "PAUSED":
        return "paused"
    return "unknown: nothing of it ended in the last half hour" if progress.eta_s is None else duration(progress.eta_s)


def duration(seconds: float) -> str:
    """Write a length of time in the unit that suits it.

    >>> duration(50), duration(3_000), duration(90_000), duration(400_000)
    ('50 s', '50 min', '25.0 h', '4.6 days')
    """
    if seconds < 120:  # noqa: PLR2004 - below two minutes seconds read better, and so on
        return f"{seconds:.0f} s"
    if seconds < 7_200:  # noqa: PLR2004
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"  # noqa: PLR2004


def _audio(plan: Plan) -> str:
    if plan.audio_ms is None:
        return "unknown: no recording among them has been scored yet"
    if plan.known_bytes == plan.n_bytes:
        return f"{_hours(plan.audio_ms):.2f} h"
    return (
        f"about {_hours(plan.audio_ms):.2f} h ({_hours(plan.known_ms):.2f} h measured, the rest guessed from its size)"
    )


def _time(plan: Plan, speed: Speed | None, rate_per_h: int | None) -> str:
    by_rate = 0.0 if rate_per_h is None else plan.n_recordings * 3600 / rate_per_h
    if plan.audio_ms is None or speed is None:
        return "unknown: nothing has been scored yet" + (
            f"; at least {duration(by_rate)} by its rate" if by_rate else ""
        )
    one_s = plan.audio_ms / 1000 / speed.audio_per_wall
    at_once = f"{speed.n_processes} worker process{'es' if speed.n_processes > 1 else ''}"
    return (
        f"about {duration(max(one_s / speed.n_processes, by_rate))} with the {at_once} of the newest {speed.n_jobs} jobs, "
        f"at {speed.audio_per_wall:.0f} times real time each"
    )


def _hours(ms: float) -> float:
    return ms / 3_600_000


def _known_hours(ms: float | None) -> str:
    return "unknown" if ms is None else f"{_hours(ms):.2f}"
