"""Makes rows of the data dictionary from what the database read."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from db.notes import AppNote
from db.people_rows import RelativeResult, SubjectTrend
from db.rows import Model
from db.schema import EMOTIONS
from db.snapshot import Selection, Snapshot
from exports.dictionary import DAYS, NOTES, SEGMENTS, TRENDS, VOICE, TableOf
from trends import VOICE_MEASURES, find_measure

Row = dict[str, Any]


class RowSource:
    """The rows of one selection under one model, at one moment.

    Attributes:
        snapshot: that moment.
        chosen: which notes.
        model: whose scores; None where no model is registered yet.
        has_keys: whether storage keys may be shown where a format has room for them.
    """

    def __init__(self, snapshot: Snapshot, chosen: Selection, *, model: Model | None, has_keys: bool = False) -> None:
        self.snapshot = snapshot
        self.chosen = replace(chosen, model_id=None if model is None else model.id)
        self.model = model
        self.has_keys = has_keys

    def read(self, table: TableOf) -> Iterator[Row]:
        """Read the rows of a table, each with the columns of the dictionary in order."""
        readers = {NOTES: self._notes, SEGMENTS: self._segments, DAYS: self._days, TRENDS: self._trends}
        rows = readers[table]()
        names = [column.name for column in table.columns]
        for values in rows:
            yield {name: values[name] for name in names}

    def _notes(self) -> Iterator[Row]:
        for note in self.snapshot.notes(self.chosen):
            of_note = {**vars(note), **_scores(note.scores), **_times(note)}
            of_note |= _relative(note.relative) | _voice(note.voice)
            yield {**of_note, **self._shared, "recording_id": note.id}

    def _segments(self) -> Iterator[Row]:
        for segment in self.snapshot.segments(self.chosen):
            yield {**vars(segment), **self._shared, **_scores(segment.scores)}

    def _days(self) -> Iterator[Row]:
        for day in self.snapshot.days(self.chosen):
            yield {**vars(day), **self._shared, **_voice_of_day(day.levels)}

    def _trends(self) -> Iterator[Row]:
        for trend in self.snapshot.trends(self.chosen):
            yield {**vars(trend), **self._shared, **_values(trend), "state": trend.state.value}

    @property
    def _shared(self) -> Row:
        name, version = (None, None) if self.model is None else (self.model.name, self.model.version)
        return {"tenant": self.chosen.tenant, "model_name": name, "model_version": version}


def _scores(scores: Any) -> Row:
    return {"scores": scores, **{name: None if scores is None else scores[name] for name in EMOTIONS}}


def _relative(found: RelativeResult | None) -> Row:
    names = {"scores": "relative", "label": "relative_label", "confidence": "relative_confidence"}
    names |= {"is_uncertain": "relative_is_uncertain", "baseline_id": "baseline_id", "n_notes": "baseline_n_notes"}
    return {name: None if found is None else getattr(found, field) for field, name in names.items()}


def _voice(voice: Mapping[str, float] | None) -> Row:
    return {column.name: (voice or {}).get(column.name) for column in VOICE}


def _voice_of_day(levels: Mapping[str, Mapping[str, float]] | None) -> Row:
    known = levels or {}
    return {
        name: measure.from_level(known[name]["level"]) if name in known else None
        for name, measure in VOICE_MEASURES.items()
    }


def _values(trend: SubjectTrend) -> Row:
    measure = find_measure(trend.measure)
    # Of the document where no baseline is kept yet, because notes of its time are still to be scored.
    usual = (trend.baseline or trend.trend.get("baseline") or {}).get("mean")
    recent = (trend.trend.get("recent") or {}).get("level")
    return {
        "scale": measure.scale.value,
        "unit": measure.unit,
        "usual": None if usual is None else measure.from_level(usual),
        "recent": None if recent is None else measure.from_level(recent),
    }


def _times(note: AppNote) -> Row:
    moment, offset, day = note.recorded_at, note.utc_offset_min, note.local_day
    local = None
    if moment is not None and offset is not None:
        local = (moment + timedelta(minutes=offset)).replace(tzinfo=None)
    return {
        "recorded_at_local": local,
        "day": day,
        "week": None if day is None else day - timedelta(days=day.weekday()),
        "status": note.status.value,
    }
