"""`tonalog show` and `tonalog trends`: what has been scored, for people and for scripts."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from config.settings import Settings
from db import Engine, history, models, recordings, results, trends
from db.rows import Recording
from db.trends import Note
from tonalog.errors import TonalogError
from tonalog.report import (
    DIMENSIONS,
    EMOTIONS,
    SHORT_EMOTIONS,
    console,
    fits,
    minutes,
    new_table,
    printable,
    score_cells,
    show,
    when,
)
from tonalog.session import find_subject, open_database, say_nobody
from tonalog.sparkline import sparkline

_PICTURE_MARGIN = 13  # an emotion's name and two blanks before its bars
_TRENDS_EPILOG = """\b
Examples:
  tonalog trends ana
  tonalog trends ana --json | jq '.[].scores.sadness'
"""


@click.command(name="show", epilog="Example: tonalog show ana/2026-03-02T08-15-00Z.ogg")
@click.argument("recording")
def show_command(recording: str) -> None:
    """Show RECORDING (its id or key): scores, segments, trend and every attempt."""
    engine = open_database(Settings.read())
    found = _one(engine, recording)
    screen = console()
    screen.print(f"[bold]{escape(printable(found.key))}[/bold] (recording {found.id}, {found.state.value.lower()})")
    moment = when(found.recorded_at, found.recorded_at_precision)
    screen.print(f"person: {found.subject or 'unknown'} (from {found.subject_source})")
    screen.print(f"recorded at: {moment} (from {found.recorded_at_source}), uploaded at: {when(found.uploaded_at)}")
    for model in models.list_models(engine):
        _show_result(engine, screen, found, model_id=model.id, title=f"{model.name}-{model.version}")
    for job in history.jobs_of(engine, found.id):
        _show_attempts(engine, screen, job.id, title=f"Attempts of job {job.id}: {job.state.value}")


@click.command(name="trends", epilog=_TRENDS_EPILOG)
@click.argument("subject")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def trends_command(subject: str, *, as_json: bool) -> None:
    """Show one person's notes in order of recording time, and a picture of each emotion over them."""
    settings = Settings.read()
    engine = open_database(settings)
    notes = trends.subject_trend(engine, find_subject(engine, settings, subject))
    if not notes:
        raise TonalogError(say_nobody(engine, subject))
    if as_json:
        click.echo(json.dumps([_as_dict(note) for note in notes]))
        return
    _print_trend(notes)


def _one(engine: Engine, wanted: str) -> Recording:
    found = recordings.find(engine, wanted)
    if not found:
        raise TonalogError(f"No recording {wanted!r}: give an id or a whole key, as `tonalog run` prints it.")
    live = [recording for recording in found if recording.state.value == "LIVE"] or found
    if len(live) > 1:
        ids = ", ".join(str(recording.id) for recording in live)
        raise TonalogError(f"{wanted!r} fits several recordings: give one of the ids {ids}.")
    return live[0]


def _show_result(engine: Engine, screen: Console, found: Recording, *, model_id: int, title: str) -> None:
    result = results.result_of(engine, found.id, model_id)
    if result is None:
        return
    said = {**result.scores, **result.dimensions}
    head = ", ".join(f"{name} {value:.2f}" for name, value in said.items()) or "no speech"
    unsure = " (uncertain)" if result.is_uncertain else ""
    screen.print(f"\n[bold]{title}[/bold]: {result.label or 'no speech'}{unsure}; {head}")
    screen.print(
        f"length {minutes(result.duration_ms)}, speech {minutes(result.speech_ms)}, {result.n_windows} windows"
    )
    columns = ["start", "end", "speech", *EMOTIONS, *result.dimensions]
    table = new_table("Segments", columns, right=columns)
    for segment in result.segments:
        label = max(EMOTIONS, key=lambda name: segment.scores[name])
        clock = [minutes(segment.start_ms), minutes(segment.end_ms), f"{segment.speech_ms / 1000:.1f} s"]
        beside = [f"{segment.dimensions[name]:.2f}" for name in result.dimensions]
        table.add_row(*clock, *score_cells(dict(segment.scores), label), *beside)
    if result.segments:
        screen.print(table)
    for label, trend in result.trend.items():
        screen.print(f"{label}: " + ", ".join(f"{name} {value:+.3f}" for name, value in trend.items()))


def _show_attempts(engine: Engine, screen: Console, job_id: int, *, title: str) -> None:
    table = new_table(title, ["n", "started", "outcome", "reason", "detail", "worker", "ms", "peak MiB"])
    for attempt in history.attempts_of(engine, job_id):
        peak = "" if attempt.peak_rss_kib is None else str(attempt.peak_rss_kib // 1024)
        table.add_row(
            str(attempt.n),
            f"{attempt.started_at:%Y-%m-%d %H:%M:%S}",
            attempt.outcome or "running",
            attempt.reason or "",
            escape(attempt.detail or ""),
            attempt.worker,
            str(attempt.wall_ms or ""),
            peak,
        )
    show(screen, table)


def _as_dict(note: Note) -> dict[str, Any]:
    is_scored = note.status == "scored"
    return {
        "recording_id": note.recording_id,
        "key": note.key,
        "recorded_at": note.recorded_at.isoformat() if note.recorded_at else None,
        "recorded_at_source": note.recorded_at_source,
        "status": note.status,
        "reason": note.reason,
        "label": note.label,
        "confidence": note.confidence,
        "is_uncertain": note.is_uncertain,
        "scores": {name: getattr(note, name) for name in EMOTIONS} if is_scored else None,
        "dimensions": {name: value for name in DIMENSIONS if (value := getattr(note, name)) is not None},
        "slope_per_min": {name: getattr(note, f"{name}_slope_per_min") for name in EMOTIONS} if is_scored else None,
        "speech_ms": note.speech_ms,
        "duration_ms": note.duration_ms,
        "model": {"name": note.model_name, "version": note.model_version},
    }


def _print_trend(notes: list[Note]) -> None:
    screen = console()
    table = _trend_table(notes, EMOTIONS)
    screen.print(table if fits(screen, table) else _trend_table(notes, SHORT_EMOTIONS))
    scored = [note for note in notes if note.status == "scored" and note.recorded_at is not None]
    width = screen.width - _PICTURE_MARGIN
    for name in EMOTIONS:
        line = sparkline([getattr(note, name) for note in scored], width=width)
        click.echo(f"{name:>10}  {line}")
    bar = "one scored note" if len(scored) <= width else f"the mean of about {len(scored) / width:.0f} scored notes"
    click.echo(f"Each bar is {bar} of known time, 0 to 1. Compare a person with their own past, not with others.")


def _trend_table(notes: list[Note], emotions: tuple[str, ...]) -> Table:
    columns = ["recorded at", "length", "label", *emotions, "state"]
    table = new_table(f"Notes of {escape(notes[0].subject or 'unknown')}", columns, right=["length", *emotions])
    for note in notes:
        scores = {name: getattr(note, name) for name in EMOTIONS} if note.status == "scored" else None
        length = "" if note.duration_ms is None else minutes(note.duration_ms)
        label = f"{note.label}?" if note.is_uncertain else (note.label or "")
        state = note.status if note.reason is None else f"{note.status}: {note.reason}"
        moment = when(note.recorded_at, note.recorded_at_precision)
        table.add_row(moment, length, label, *score_cells(scores, note.label), state)
    return table
