"""A person's local days under one model: means of notes, levels on the scale of log odds, and what could not be heard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import fsum

from db.notes import NoteStatus
from db.people_notes import PersonNote, PersonRows
from db.people_rows import SubjectDay
from db.rows import Model
from trends import (
    VOICE_MEASURES,
    Day,
    NoteLevel,
    NoteState,
    find_measure,
    measure_note_spread,
    read_note_level,
    summarise_day,
)

MS_PER_S = 1_000
# How much a person's notes vary is taken from so many first days: later notes then leave the errors of earlier days alone.
SPREAD_DAYS = 60


@dataclass(frozen=True, kw_only=True)
class Days:
    """The days as they are kept, and those of each measure as trends are judged by them."""

    rows: tuple[SubjectDay, ...]
    by_measure: Mapping[str, tuple[Day, ...]]


def name_model(model: Model) -> str:
    """Return how a model is called in trends.

    A name and a version are one model, so that no two are called the same.
    """
    return f"{model.name}-{model.version}"


def summarise_days(rows: PersonRows, model: Model, *, relative: Mapping[int, Mapping[str, float]]) -> Days:
    """Summarise the days of a person under one model; notes without a day are in none.

    Args:
        rows: of the person.
        model: that scored the notes.
        relative: scores by recording.
    """
    by_day: dict[date, list[PersonNote]] = {}
    for note in rows.notes:
        if note.model_id == model.id and note.local_day is not None:
            by_day.setdefault(note.local_day, []).append(note)
    voiced = [name for name in VOICE_MEASURES if any(name in note.voice for notes in by_day.values() for note in notes)]
    measured = {name: _measure_days(by_day, name, model=name_model(model)) for name in (*model.labels, *voiced)}
    kept = []
    for day, notes in sorted(by_day.items()):
        levels = {
            name: {"level": level, "error": error}
            for name, found in measured.items()
            if (level := found[day].level) is not None and (error := found[day].error) is not None
        }
        kept.append(_describe(rows, model, day, notes=notes, relative=relative, levels=levels or None))
    return Days(rows=tuple(kept), by_measure={name: tuple(found.values()) for name, found in measured.items()})


def _measure_days(by_day: Mapping[date, Sequence[PersonNote]], name: str, *, model: str) -> dict[date, Day]:
    levels = {day: [level for note in notes if (level := _level(note, name))] for day, notes in by_day.items()}
    heard = [levels[day] for day in sorted(levels) if any(note.level is not None for note in levels[day])]
    spread = measure_note_spread(heard[:SPREAD_DAYS], prior=find_measure(name).spread)
    return {day: summarise_day(day, model, notes, spread=spread) for day, notes in levels.items()}


def _level(note: PersonNote, name: str) -> NoteLevel | None:
    """Return a note's level; None of a scored one whose result has no level, as those of earlier releases have none."""
    if note.status is not NoteStatus.SCORED:
        return NoteLevel(state=NoteState(note.status.value))
    return read_note_level(
        name,
        trend=note.movement,
        voice=note.voice,
        speech_s=(note.speech_ms or 0) / MS_PER_S,
        is_uncertain=bool(note.is_uncertain),
    )


def _describe(
    rows: PersonRows,
    model: Model,
    day: date,
    *,
    notes: Sequence[PersonNote],
    relative: Mapping[int, Mapping[str, float]],
    levels: Mapping[str, Mapping[str, float]] | None,
) -> SubjectDay:
    counts = {status: sum(note.status is status for note in notes) for status in NoteStatus}
    scored = [note for note in notes if note.status is NoteStatus.SCORED]
    related = [relative[note.recording_id] for note in scored if note.recording_id in relative]
    return SubjectDay(
        tenant=rows.tenant,
        subject=rows.subject,
        model_id=model.id,
        day=day,
        week=day - timedelta(days=day.weekday()),
        n_scored=len(scored),
        n_uncertain=sum(bool(note.is_uncertain) for note in scored),
        n_no_speech=counts[NoteStatus.NO_SPEECH],
        n_failed=counts[NoteStatus.FAILED] + counts[NoteStatus.CANCELLED],
        n_pending=counts[NoteStatus.PENDING],
        speech_ms=sum(note.speech_ms or 0 for note in scored),
        scores=_mean_scores([note.scores for note in scored if note.scores is not None], model.labels),
        relative=_mean_scores(related, model.labels),
        levels=levels,
        arousal=_mean([note.arousal for note in scored if note.arousal is not None]),
        valence=_mean([note.valence for note in scored if note.valence is not None]),
        refreshed_at=rows.now,
    )


def _mean_scores(scores: Sequence[Mapping[str, float]], labels: Sequence[str]) -> dict[str, float] | None:
    if not scores:
        return None
    return {label: fsum(one[label] for one in scores) / len(scores) for label in labels}


def _mean(values: Sequence[float]) -> float | None:
    return fsum(values) / len(values) if values else None
