"""`tonalog show` and `tonalog trends`: what has been scored, for people and for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from config.plain_text import exact
from config.settings import Settings
from db import Engine, corrections, history, models, results, trends
from db.people_rows import RelativeResult, read_relative, read_trends
from db.reasons import TrendState
from db.rows import Model, Recording
from db.trends import Note
from tonalog import person_words
from tonalog.errors import TonalogError
from tonalog.recordings import find_one
from tonalog.report import DIMENSIONS, in_local_time, labels_of, local_time, minutes, score_cells, shortened, when
from tonalog.screen import Table, fits, headline, message, new_table, say, say_json, show, width
from tonalog.session import choose_model, choose_tenant, find_subject, open_database, say_nobody
from tonalog.sparkline import sparkline

_PICTURE_MARGIN = 3  # two blanks between a label and its bars, and one behind them
_TRENDS_EPILOG = """\b
Examples:
  tonalog trends ana
  tonalog trends ana --json | jq '.[].scores.sadness'
"""


@click.command(name="show", epilog="Example: tonalog show ana/2026-03-02T08-15-00Z.ogg")
@click.argument("recording")
def show_command(recording: str) -> None:
    """Show RECORDING (its id or key): who and when, scores, segments, trend and every attempt."""
    engine = open_database(Settings.read())
    found = find_one(engine, recording)
    headline(found.key, f" (recording {found.id}, {found.state.value.lower()})")
    for what, who, source in (
        ("person", found.subject, found.subject_source),
        ("tenant", found.tenant, found.tenant_source),
    ):
        say(f"{what}: {exact(who or 'unknown')} (from {source})")
    say(f"recorded at: {_moment(found)}, uploaded at: {when(found.uploaded_at)} UTC")
    _show_changes(engine, found)
    for model in models.list_models(engine):
        _show_result(engine, found, model=model)
    for job in history.jobs_of(engine, found.id):
        _show_attempts(engine, job.id, title=f"Attempts of job {job.id}: {job.state.value}")


@click.command(name="trends", epilog=_TRENDS_EPILOG)
@click.argument("subject")
@click.option("--tenant", help="Whose person; TONALOG_TENANT or 'default' if not given.")
@click.option("--model", "version", help="Model version to show; if not given, the one that the person is read under.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def trends_command(subject: str, *, tenant: str | None, version: str | None, as_json: bool) -> None:
    """Show one person's notes in order of recording time, and a picture of each emotion over them, under one model version.

    Times are those of the recorder's own clock. A note's label and scores are what the model hears; what is unusual for
    this person is relative to the person's own earlier notes, and there once there are enough of them.
    """
    from trends import TrendSettings  # noqa: PLC0415 - numpy, which the other commands on rows do not need

    settings = Settings.read()
    engine = open_database(settings)
    whose = choose_tenant(settings, tenant)
    person = find_subject(engine, settings, subject, tenant=whose)
    model = choose_model(engine, version, tenant=whose, subject=person)
    model_id = None if model is None else model.id
    notes = trends.subject_trend(engine, person, tenant=whose, model_id=model_id)
    if not notes:
        raise TonalogError(say_nobody(engine, settings, subject, tenant=whose))
    labels = labels_of(model)
    relative = read_relative(engine, [note.recording_id for note in notes], model_id=model_id)
    if as_json:
        say_json([_as_dict(note, labels, relative=relative.get(note.recording_id)) for note in notes])
        return
    by = TrendSettings(baseline_days=settings.trend_baseline_days)
    of_voice = read_trends(engine, whose, person, model_id=model_id, of_voice=True)
    is_known = any(trend.state is not TrendState.INSUFFICIENT for trend in of_voice)
    for found in (read_trends(engine, whose, person, model_id=model_id), of_voice if is_known else []):
        for line in person_words.describe_trends(found, by) if found else ():
            say(line)
    _print_trend(notes, labels, relative=relative)
    if any(found.scores is not None for found in relative.values()):
        say(person_words.HIDDEN)


def _moment(found: Recording) -> str:
    where = f"from {found.recorded_at_source}"
    moment = in_local_time(found)
    if moment is None or found.utc_offset_min is None:
        return f"{local_time(found)} ({where})"
    zone = moment.tzname() if found.recorded_at_zone is None else f"{moment.tzname()} {found.recorded_at_zone}"
    return f"{local_time(found)} ({zone}, {where})"


def _show_changes(engine: Engine, found: Recording) -> None:
    changes = corrections.changes_of(engine, found.id)
    if not changes:
        return
    table = new_table("Corrections", ["at", "by", "what", "was", "is"])
    for change in changes:
        values = ["unknown" if value is None else value for value in (change.old_value, change.new_value)]
        table.add_row(f"{when(change.changed_at)} UTC", change.cause.value, change.field, *values)
    show(table)


def _show_result(engine: Engine, found: Recording, *, model: Model) -> None:
    result = results.result_of(engine, found.id, model.id)
    if result is None:
        return
    scores = {name: result.scores[name] for name in model.labels if name in result.scores}
    said = {**scores, **result.dimensions}
    head = ", ".join(f"{name} {value:.2f}" for name, value in said.items()) or "no speech"
    unsure = " (uncertain)" if result.is_uncertain else ""
    say("")
    headline(f"{model.name}-{model.version}", f": {result.label or 'no speech'}{unsure}; {head}")
    beside = read_relative(engine, [found.id], model_id=model.id).get(found.id)
    relative = person_words.describe_relative(beside, model=model)
    if relative is not None:
        say(f"relative to the person's own past: {relative}")
    say(f"length {minutes(result.duration_ms)}, speech {minutes(result.speech_ms)}, {result.n_windows} windows")
    columns = ["start", "end", "speech", *model.labels, *result.dimensions]
    table = new_table("Segments", columns, right=columns)
    for segment in result.segments:
        label = max(segment.scores, key=segment.scores.__getitem__)
        clock = [minutes(segment.start_ms), minutes(segment.end_ms), f"{segment.speech_ms / 1000:.1f} s"]
        numbers = [f"{segment.dimensions[name]:.2f}" for name in result.dimensions]
        table.add_row(*clock, *score_cells(segment.scores, label, labels=model.labels), *numbers)
    if result.segments:
        show(table)
    for label, trend in result.trend.items():
        say(f"{label}: " + ", ".join(f"{name} {value:+.3f}" for name, value in trend.items()))
    if result.voice:
        say("voice: " + ", ".join(f"{name} {value:.2f}" for name, value in result.voice.items()))


def _show_attempts(engine: Engine, job_id: int, *, title: str) -> None:
    table = new_table(title, ["n", "started", "outcome", "reason", "detail", "worker", "ms", "peak MiB"])
    for attempt in history.attempts_of(engine, job_id):
        peak = "" if attempt.peak_rss_kib is None else str(attempt.peak_rss_kib // 1024)
        table.add_row(
            str(attempt.n),
            f"{attempt.started_at:%Y-%m-%d %H:%M:%S}",
            attempt.outcome or "running",
            attempt.reason or "",
            message(attempt.detail or ""),
            attempt.worker,
            str(attempt.wall_ms or ""),
            peak,
        )
    show(table)


def _as_dict(note: Note, labels: Sequence[str], *, relative: RelativeResult | None) -> dict[str, Any]:
    moment = in_local_time(note)
    return {
        "recording_id": note.recording_id,
        "key": note.key,
        "tenant": note.tenant,
        "recorded_at": None if moment is None else moment.isoformat(),
        "recorded_at_precision": note.recorded_at_precision,
        "recorded_at_source": note.recorded_at_source,
        "utc_offset_min": note.utc_offset_min,
        "local_day": None if note.local_day is None else note.local_day.isoformat(),
        "status": note.status,
        "reason": note.reason,
        "label": note.label,
        "confidence": note.confidence,
        "is_uncertain": note.is_uncertain,
        "scores": _by_label(note.scores, labels),
        "relative": person_words.as_json(relative),
        "dimensions": {name: value for name in DIMENSIONS if (value := getattr(note, name)) is not None},
        "slope_per_min": _by_label(note.slope_per_min, labels),
        "speech_ms": note.speech_ms,
        "duration_ms": note.duration_ms,
        "model": {"name": note.model_name, "version": note.model_version},
    }


def _by_label(values: Mapping[str, float | None] | None, labels: Sequence[str]) -> dict[str, float | None] | None:
    return None if values is None else {name: values.get(name) for name in labels}


def _print_trend(notes: list[Note], labels: Sequence[str], *, relative: Mapping[int, RelativeResult]) -> None:
    table = _trend_table(notes, labels, headings=labels, relative=relative)
    if not fits(table):
        table = _trend_table(notes, labels, headings=shortened(labels), relative=relative)
    show(table, may_fold=True)
    scored = [note.scores for note in notes if note.scores is not None and note.recorded_at is not None]
    longest = max(map(len, labels))
    n_bars = width() - longest - _PICTURE_MARGIN
    for name in labels:
        line = sparkline([scores[name] for scores in scored if name in scores], width=n_bars)
        say(f"{name:>{longest}}  {line}")
    bar = "one scored note" if len(scored) <= n_bars else f"the mean of about {len(scored) / n_bars:.0f} scored notes"
    say(f"Each bar is {bar} of known time, 0 to 1. Compare a person with their own past, not with others.")


def _trend_table(
    notes: list[Note], labels: Sequence[str], *, headings: Sequence[str], relative: Mapping[int, RelativeResult]
) -> Table:
    unusual = {one: cell for one, found in relative.items() if (cell := person_words.relative_cell(found))}
    columns = ["recorded at", "length", "label", *headings, *(["relative"] if unusual else []), "state"]
    table = new_table(f"Notes of {notes[0].subject or 'unknown'}", columns, right=["length", *headings])
    for note in notes:
        length = "" if note.duration_ms is None else minutes(note.duration_ms)
        label = f"{note.label}?" if note.is_uncertain else (note.label or "")
        state = note.status if note.reason is None else f"{note.status}: {note.reason}"
        cells = score_cells(note.scores, note.label, labels=labels)
        if unusual:
            cells.append(unusual.get(note.recording_id, ""))
        table.add_row(local_time(note), length, label, *cells, state)
    return table
