"""What the API answers with, as frozen records; a field that a later release adds is ignored.

Texts of a fixed set (`status`, `type`, `reason`) are `str` here, so that a value that a later release adds does not break
an app; docs/api.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Row = TypeVar("Row")


class Record(BaseModel):
    """A document of the API."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Nothing(Record):
    """An answer without a document: it is done."""


class Page(Record, Generic[Row]):
    """Rows of a list, and where it goes on; None on the last page."""

    next_cursor: str | None

    @property
    def rows(self) -> Sequence[Row]:
        """The rows, by whatever name."""
        raise NotImplementedError


class ModelName(Record):
    """Which model version scored something."""

    name: str
    version: str


class Baseline(Record):
    """On what a relative score stands; `state` is `personal`, or `insufficient`: nothing may be called unusual."""

    id: int | None
    state: str
    n_notes: int
    rule_version: int | None


class Relative(Record):
    """A note's scores relative to what was usual for this person before it; None inside while too little was known."""

    scores: Mapping[str, float] | None
    label: str | None
    confidence: float | None
    is_uncertain: bool | None
    baseline: Baseline
    related_at: datetime


class Note(Record):
    """One voice note under one model version.

    `scores` is what the model hears, None unless `status` is `scored`; `relative` is what is unusual for this person, None
    until it has been looked at.
    """

    id: int
    subject: str | None
    recorded_at: datetime | None
    recorded_at_precision: str | None
    recorded_at_source: str
    time_zone: str | None
    day: date | None
    uploaded_at: datetime
    status: str
    reason: str | None
    label: str | None
    confidence: float | None
    is_uncertain: bool | None
    scores: Mapping[str, float] | None
    slope_per_min: Mapping[str, float | None] | None
    arousal: float | None
    valence: float | None
    voice: Mapping[str, float] | None
    speech_ms: int | None
    duration_ms: int | None
    model: ModelName | None
    scored_at: datetime | None
    relative: Relative | None


class NotePage(Page[Note]):
    """A page of notes."""

    notes: Sequence[Note]

    @property
    def rows(self) -> Sequence[Note]:
        """The notes."""
        return self.notes


class Segment(Record):
    """One scored window of a note, half-open in ms on the original file's clock."""

    idx: int
    start_ms: int
    end_ms: int
    speech_ms: int
    scores: Mapping[str, float]
    arousal: float | None
    valence: float | None


class SegmentPage(Page[Segment]):
    """A page of segments, and by which model."""

    model: ModelName | None
    segments: Sequence[Segment]

    @property
    def rows(self) -> Sequence[Segment]:
        """The segments."""
        return self.segments


class Model(Record):
    """One registered model version."""

    name: str
    version: str
    state: str
    is_active: bool
    labels: Sequence[str]
    sha256: str
    added_at: datetime
    activated_at: datetime | None


class ModelList(Record):
    """Every registered model version."""

    models: Sequence[Model]


class Erasure(Record):
    """How far an erasure is; `status` is `removing` or `finished`."""

    id: int
    status: str
    requested_at: datetime
    finished_at: datetime | None
    n_recordings: int
    n_results: int
    n_objects_removed: int
    n_objects_left: int


class ErasurePage(Page[Erasure]):
    """A page of erasures."""

    erasures: Sequence[Erasure]

    @property
    def rows(self) -> Sequence[Erasure]:
        """The erasures."""
        return self.erasures


class Change(Record):
    """One change: `note.upserted` brings a note, `note.deleted` says to forget one, `model.activated` to begin anew."""

    type: str
    at: datetime | None
    note_id: int | None = None
    note: Note | None = None
    reason: str | None = None
    model: ModelName | None = None


class ChangePage(Record):
    """Changes to apply in order; keep `next_cursor` when they are applied, and ask again at once while `has_more`."""

    changes: Sequence[Change]
    next_cursor: str
    has_more: bool


class Health(Record):
    """The server works, or can answer."""

    status: str
