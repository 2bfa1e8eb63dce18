"""`tonalog reprocess` and `tonalog batches`: score stored recordings again, watch it, hold it up and give it up."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import click

from config.settings import Settings
from db import Engine, batch_plan, batches, models, people
from db.batch_plan import Choice
from db.batch_progress import measure_bytes_per_result, measure_speed, read_progress
from db.rows import Model
from tonalog.batch_words import choice_of, describe, duration, say_batch, say_plan, state_of
from tonalog.errors import TonalogError
from tonalog.screen import new_table, say, say_json, show
from tonalog.session import choose_tenant, find_subject, need_active_model, open_database, say_nobody

_DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
_REPROCESS_EPILOG = """\b
Examples:
  tonalog reprocess --model 0.7.0 --dry-run
  tonalog reprocess --model 0.7.0 --since 2026-01-01 --rate 5000/h
  tonalog reprocess --model 0.7.0 --sample 1%
Then, when it is through: tonalog models activate 0.7.0
"""


def _read_share(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Read a percentage over 0 and up to 100 as a share in (0, 1]."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value.strip())
    share = float(found[1]) / 100 if found else 0.0
    if not 0 < share <= 1:
        raise click.BadParameter(
            f"{value!r} is no share of the recordings; give one from above 0% to 100%, such as 1%."
        )
    return share


def _read_rate(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """Read jobs in an hour, written as `N/h`; `none` is no rate."""
    if value is None or value.strip() == "none":
        return None
    found = re.fullmatch(r"(\d{1,9})(?:/h)?", value.strip())
    rate = int(found[1]) if found else 0
    if not 1 <= rate <= batches.MAX_RATE_PER_H:
        raise click.BadParameter(f"{value!r} is no rate; give 1/h to {batches.MAX_RATE_PER_H}/h, or none.")
    return rate


@click.command(name="reprocess", epilog=_REPROCESS_EPILOG)
@click.option("--model", "version", required=True, help="Model version to score with.")
@click.option("--since", type=_DATE, help="Only recordings of this day or later (UTC; upload time if unknown).")
@click.option("--until", type=_DATE, help="Only recordings before this day.")
@click.option("--subject", help="Only this person's recordings.")
@click.option("--tenant", help="Only this tenant's; with --subject TONALOG_TENANT or 'default' if not given.")
@click.option(
    "--sample",
    callback=_read_share,
    metavar="PERCENT",
    help="Only this share, such as 1%; the same recordings each time.",
)
@click.option("--only-label", help="Only recordings to which the active model gave this label.")
@click.option("--limit", type=click.IntRange(1), help="At most so many, the oldest registrations first.")
@click.option("--also-unscorable", is_flag=True, help="Also what no model could score, such as NOT_AUDIO.")
@click.option("--rate", callback=_read_rate, metavar="N/h", help="At most so many an hour, such as 5000/h.")
@click.option("--paused", is_flag=True, help="Make the batch, and wait for `tonalog batches resume`.")
@click.option("--dry-run", is_flag=True, help="Show the plan, write nothing.")
def reprocess_command(
    *,
    version: str,
    since: datetime | None,
    until: datetime | None,
    subject: str | None,
    tenant: str | None,
    sample: float | None,
    only_label: str | None,
    limit: int | None,
    also_unscorable: bool,
    rate: int | None,
    paused: bool,
    dry_run: bool,
) -> None:
    """Plan a batch that scores stored recordings with another model, show the plan, and make its jobs.

    Only what has no job for that model yet is done, so it can be interrupted and run again. Nightly work and uploads
    always go first. Recordings whose bytes no model could score (NOT_AUDIO, TRUNCATED and such) are left out.
    """
    if since is not None and until is not None and since >= until:
        raise click.UsageError(f"No day is from --since {since:%Y-%m-%d} and before --until {until:%Y-%m-%d}.")
    settings = Settings.read()
    engine = open_database(settings)
    model = models.resolve(engine, version)
    whose = choose_tenant(settings, tenant)
    person = None if subject is None else find_subject(engine, settings, subject, tenant=whose)
    choice = Choice(
        model_id=model.id,
        since=_utc(since),
        until=_utc(until),
        subject=person,
        tenant=tenant if person is None else whose,
        sample=sample,
        only_label=only_label,
        label_model_id=None if only_label is None else _labelled_by(engine, only_label).id,
        limit=limit,
        with_unscorable=also_unscorable,
    )
    _reprocess(engine, model, choice, rate_per_h=rate, is_paused=paused, is_dry_run=dry_run)
    if subject is not None and person is not None and not people.is_known(engine, whose, person):
        say(say_nobody(engine, settings, subject, tenant=whose))


def _reprocess(
    engine: Engine, model: Model, choice: Choice, *, rate_per_h: int | None, is_paused: bool, is_dry_run: bool
) -> None:
    name = f"{model.name}-{model.version}"
    plan = batch_plan.measure(engine, choice)
    say(f"Plan for {name}:")
    disk = measure_bytes_per_result(engine)
    say_plan(plan, speed=measure_speed(engine), bytes_per_result=disk, rate_per_h=rate_per_h)
    if is_dry_run:
        say(f"{plan.n_recordings} jobs would be made for {name}.")
        return
    if not plan.n_recordings and not plan.n_unscorable:
        say(f"0 jobs made for {name}: there is nothing to do.")
        return
    batch_id = batch_plan.begin(engine, choice, is_paused=is_paused, rate_per_h=rate_per_h)
    batch_plan.plan_all(engine, batch_id)
    made = batches.find_batch(engine, batch_id).n_recordings
    say(f"Batch {batch_id}: {made} jobs made in the bulk lane for {name}.")
    batches.close_if_ended(engine, batch_id)  # all of them may be known to fail
    if is_paused:
        say(f"It is paused: tonalog batches resume {batch_id}")
    say(
        f"To watch it: tonalog batches show {batch_id}. On one machine, to carry it out: tonalog run --batch {batch_id}"
    )


@click.group(name="batches", epilog="Example: tonalog batches list")
def batches_command() -> None:
    """List, watch, pause, resume and cancel batches of `tonalog reprocess`, and set how fast they go."""


@batches_command.command(name="list", epilog="Example: tonalog batches list --json")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each batch.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest first.")
def list_all(*, as_json: bool, limit: int) -> None:
    """List batches with their progress, the newest first."""
    engine = open_database(Settings.read())
    found = [(batch, read_progress(engine, batch)) for batch in batches.list_batches(engine, limit=limit)]
    if as_json:
        for batch, progress in found:
            say_json(describe(batch, progress))
        return
    if not found:
        say("There is no batch yet: `tonalog reprocess --model VERSION` makes one.")
        return
    columns = ["batch", "model", "state", "chosen", "ended", "failed", "audio h", "rate", "left"]
    table = new_table("Batches", columns, right=["batch", "ended", "failed", "audio h"])
    for batch, progress in found:
        n_ended = sum(progress.by_state.values()) - progress.n_open
        left = "" if batch.finished_at or progress.eta_s is None else duration(progress.eta_s)
        total = "?" if progress.audio_ms is None else f"{progress.audio_ms / 3_600_000:.2f}"
        audio = f"{progress.done_ms / 3_600_000:.2f}/{total}"
        rate = "" if batch.rate_per_h is None else f"{batch.rate_per_h}/h"
        ended, failed = f"{n_ended}/{batch.n_recordings}", str(sum(progress.by_reason.values()))
        table.add_row(str(batch.id), batch.model, state_of(batch), choice_of(batch), ended, failed, audio, rate, left)
    show(table)


@batches_command.command(name="show", epilog="Example: tonalog batches show 3")
@click.argument("batch_id", type=int, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show_one(batch_id: int, *, as_json: bool) -> None:
    """Show one batch: progress in hours of audio, time left, and failures by reason."""
    engine = open_database(Settings.read())
    batch = batches.find_batch(engine, batch_id)
    progress = read_progress(engine, batch)
    if as_json:
        say_json(describe(batch, progress))
    else:
        say_batch(batch, progress)


@batches_command.command(name="pause", epilog="Example: tonalog batches pause 3")
@click.argument("batch_id", type=int, metavar="ID")
def pause(batch_id: int) -> None:
    """Let no further job of a batch begin; those that run end."""
    batches.pause(open_database(Settings.read()), batch_id)
    say(f"Batch {batch_id} is paused; jobs that run now end. To go on: tonalog batches resume {batch_id}")


@batches_command.command(name="resume", epilog="Example: tonalog batches resume 3")
@click.argument("batch_id", type=int, metavar="ID")
def resume(batch_id: int) -> None:
    """Let a paused batch go on."""
    batches.resume(open_database(Settings.read()), batch_id)
    say(f"Batch {batch_id} goes on.")


@batches_command.command(name="cancel", epilog="Example: tonalog batches cancel 3")
@click.argument("batch_id", type=int, metavar="ID")
def cancel(batch_id: int) -> None:
    """Give a batch up: jobs that wait end as CANCELLED, those that run end, and results that are there stay."""
    engine = open_database(Settings.read())
    batches.cancel(engine, batch_id)
    n_ended = 0
    while n := batches.end_cancelled(engine, batch_id):
        n_ended += n
    batches.close_if_ended(engine, batch_id)
    say(f"Batch {batch_id} is cancelled: {n_ended} jobs that waited have ended.")


@batches_command.command(name="rate", epilog="Example: tonalog batches rate 3 5000/h")
@click.argument("batch_id", type=int, metavar="ID")
@click.argument("rate", callback=_read_rate, metavar="N/h")
def set_rate(batch_id: int, rate: int | None) -> None:
    """Let a batch begin at most N jobs an hour; `none` lifts the limit."""
    batches.set_rate(open_database(Settings.read()), batch_id, rate)
    say(f"Batch {batch_id} has {f'a rate of {rate}/h' if rate else 'no rate: it goes as fast as workers are free'}.")


def _labelled_by(engine: Engine, label: str) -> Model:
    """Return the active model, which must know the label."""
    active = need_active_model(engine)
    if label not in active.labels:
        raise TonalogError(
            f"--only-label {label!r}: {active.name}-{active.version} gives no such label; it has {', '.join(active.labels)}."
        )
    return active


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
