"""The table at the end of `tonalog run`: one line a recording; reads rows and computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from config.settings import Settings
from db import Engine, history, results, trends
from db.errors import show_url
from db.models import active_model
from db.people_rows import read_relative
from db.rows import Model
from db.trends import Note
from tonalog.local_run import Place
from tonalog.person_words import needed_notes
from tonalog.report import labels_of, local_time, minutes, score_cells, shortened
from tonalog.screen import Cell, fits, new_table, say, show, stacked
from tonalog.sparkline import sparkline

_COLUMNS = ("recording", "person", "recorded at", "length", "speech", "label")
_NARROW_COLUMNS = ("recording\n  person, time", "segments\nspeech", "label\nstate")
_MAX_ROWS = 200
_MAX_BARS = 12  # as wide as "speech of length" below it in a narrow terminal


def print_report(engine: Engine, place: Place, settings: Settings) -> None:
    """Print the notes of one place and where the database is."""
    notes = trends.list_notes(engine, store=place.store, bucket=place.bucket, prefix=place.prefix)
    if not notes:
        say(f"No recordings in {place.bucket}/{place.prefix}: hidden files and links are left out.")
        return
    details = {dead.recording_id: dead.detail for dead in history.dead_jobs(engine, limit=len(notes) + _MAX_ROWS)}
    model = active_model(engine)
    _print_table([_cells(engine, note, model=model) for note in notes[:_MAX_ROWS]], labels_of(model))
    for note in notes[:_MAX_ROWS]:
        if note.reason is not None:
            say(f"{note.key}: {note.status}, {note.reason}: {details.get(note.recording_id)}")
    if len(notes) > _MAX_ROWS:
        say(f"... and {len(notes) - _MAX_ROWS} more: `tonalog status`, or SQL on the view v1_note.")
    say(_summary(notes))
    _say_relative(engine, notes, model=model)
    where = str(settings.home.resolve() / "tonalog.db") if settings.database_url is None else show_url(engine.url)
    say(f"Database: {where}")
    say("Scores are a model's guess at how a voice sounds. They are no diagnosis.")


def _say_relative(engine: Engine, notes: list[Note], *, model: Model | None) -> None:
    """Say of how many notes it is known what is unusual for the person."""
    needed = None if model is None else needed_notes(model)
    found = read_relative(engine, [note.recording_id for note in notes[:_MAX_ROWS]])
    if needed is None or not found:
        return
    n_known = sum(one.scores is not None for one in found.values())
    few = f"{len(found) - n_known} have fewer than {needed} earlier notes of their person"
    say(f"Relative to the person's own past: {n_known} notes are judged, {few}. `tonalog show NOTE` has both scores.")


def _print_table(rows: list[list[Cell]], labels: Sequence[str]) -> None:
    """Print a line a note, or two where the screen is too narrow for one."""
    columns = (*_COLUMNS, *labels, "segments", "state")
    table = new_table("Voice notes", columns, right=("length", "speech", *labels))
    for row in rows:
        table.add_row(*row)
    if not fits(table):
        narrow = shortened(labels)
        table = new_table("Voice notes", (*_NARROW_COLUMNS, *narrow), right=narrow)
        table.pad_edge, table.padding = False, (0, 0, 0, 0)
        for key, person, moment, length, speech, label, *scores, segments, state in rows:
            spoken = f"{speech} of {length}" if length else ""
            said = [stacked(key, f"  {person}, {moment}"), stacked(segments, spoken), stacked(label, state)]
            table.add_row(*said, *scores)
    show(table, may_fold=True)


def _cells(engine: Engine, note: Note, *, model: Model | None) -> list[Cell]:
    return [
        note.key,
        note.subject or "unknown",
        local_time(note),
        "" if note.duration_ms is None else minutes(note.duration_ms),
        "" if note.speech_ms is None else minutes(note.speech_ms),
        f"{note.label}?" if note.is_uncertain else (note.label or ""),
        *score_cells(note.scores, note.label, labels=labels_of(model)),
        _segment_line(engine, note, model=model),
        note.status,
    ]


def _segment_line(engine: Engine, note: Note, *, model: Model | None) -> str:
    if note.label is None or model is None:
        return ""
    segments = results.segments_of(engine, note.recording_id, model.id)
    return sparkline([segment.scores[note.label] for segment in segments], width=_MAX_BARS)


def _summary(notes: list[Note]) -> str:
    by_status: dict[str, int] = {}
    for note in notes:
        by_status[note.status] = by_status.get(note.status, 0) + 1
    counted = ", ".join(f"{n} {status}" for status, n in sorted(by_status.items()))
    return f"{len(notes)} recordings: {counted}."
