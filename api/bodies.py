"""The documents that the API answers with, and how rows become them."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.person_bodies import RELATIVE, RelativeBody
from api.shared_bodies import MODEL, SCORES, ModelName, example, name_model
from db.model_ends import ModelState
from db.notes import AppNote, NoteStatus
from db.removals import Erasure
from db.rows import Model, Segment

_CURSOR = "WyI0YzFkMjI5OTE2NjAiLDE3XQ"
_NOTE: dict[str, Any] = {
    "id": 17,
    "subject": "ana",
    "recorded_at": "2026-03-02T09:15:00+01:00",
    "recorded_at_precision": "second",
    "recorded_at_source": "key",
    "time_zone": "Europe/Berlin",
    "day": "2026-03-02",
    "uploaded_at": "2026-03-02T08:16:10.250000Z",
    "status": "scored",
    "reason": None,
    "label": "neutral",
    "confidence": 0.62,
    "is_uncertain": False,
    "scores": SCORES,
    "slope_per_min": {"anger": 0.0, "happiness": 0.02, "neutral": -0.03, "sadness": 0.01},
    "arousal": 0.41,
    "valence": -0.12,
    "voice": {
        "speaking_share": 0.71,
        "pause_share": 0.16,
        "onsets_per_s": 4.1,
        "pitch_median_hz": 187.4,
        "pitch_spread_semitones": 2.9,
        "level_spread_db": 5.2,
    },
    "speech_ms": 21400,
    "duration_ms": 30200,
    "model": MODEL,
    "scored_at": "2026-03-03T02:00:41.118000Z",
    "relative": RELATIVE,
}


class NoteBody(BaseModel):
    """One voice note under one model version: expressed emotion in the voice as this model hears it, not feelings."""

    model_config = example(_NOTE)

    id: int
    subject: str | None = Field(description="The person as the database writes it; null where nobody said.")
    recorded_at: datetime | None = Field(
        description="When it was spoken, with the offset of the recorder's clock, or UTC where nobody said it. With "
        "precision `day` the moment at which `day` began; null where nobody said when."
    )
    recorded_at_precision: str | None = Field(description="`second`, `minute` or `day`; null where unknown.")
    recorded_at_source: str = Field(description="Where that is known from, such as `key` or `manifest`.")
    time_zone: str | None = Field(description="The IANA zone that gave the offset.")
    day: date | None = Field(description="The day on the recorder's calendar.")
    uploaded_at: datetime
    status: NoteStatus
    reason: str | None = Field(description="Why a failed or cancelled note has no scores, such as `NOT_AUDIO`.")
    label: str | None = Field(description="The label with the highest score.")
    confidence: float | None = Field(description="The score of `label`.")
    is_uncertain: bool | None = Field(description="Whether that score is too low to rely on.")
    scores: dict[str, float] | None = Field(
        description="Each label's score in [0, 1]; they sum to 1. Null unless scored."
    )
    slope_per_min: dict[str, float | None] | None = Field(
        description="Change of each score within the note, per minute."
    )
    arousal: float | None
    valence: float | None
    voice: dict[str, float] | None = Field(
        description="Measures of the voice that need no emotion model, by name, as far as the note is long enough for them. "
        "Null unless scored, and where an earlier release scored it."
    )
    speech_ms: int | None
    duration_ms: int | None
    model: ModelName | None = Field(description="Null where no model is active.")
    scored_at: datetime | None
    relative: RelativeBody | None = Field(
        description="What is unusual for this person. Null unless scored, and until the refresh after it; the feed of changes "
        "then tells the note again. Also null where the model has no rule for it, and where nobody said who speaks."
    )

    @classmethod
    def of(cls, note: AppNote) -> Self:
        """Write a note."""
        return cls(
            recorded_at=_local(note.recorded_at, note.utc_offset_min),
            time_zone=note.recorded_at_zone,
            day=note.local_day,
            model=name_model(note.model_name, note.model_version),
            relative=None if note.relative is None else RelativeBody.of(note.relative),
            **{name: getattr(note, name) for name in _SAME_OF_NOTE},
        )


_SAME_OF_NOTE = tuple(NoteBody.model_fields.keys() & AppNote.__dataclass_fields__.keys() - {"recorded_at", "relative"})


class NotePage(BaseModel):
    """Notes, and where the list goes on."""

    model_config = example({"notes": [_NOTE], "next_cursor": _CURSOR})

    notes: list[NoteBody]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class SegmentBody(BaseModel):
    """One scored window of a note, half-open in ms on the original file's clock."""

    model_config = example(
        {
            "idx": 0,
            "start_ms": 480,
            "end_ms": 8480,
            "speech_ms": 8000,
            "scores": SCORES,
            "arousal": 0.4,
            "valence": -0.1,
        }
    )

    idx: int
    start_ms: int
    end_ms: int
    speech_ms: int
    scores: dict[str, float]
    arousal: float | None
    valence: float | None

    @classmethod
    def of(cls, idx: int, segment: Segment) -> Self:
        """Write a segment."""
        spans = {name: getattr(segment, name) for name in ("start_ms", "end_ms", "speech_ms")}
        said = segment.dimensions
        return cls(
            idx=idx, **spans, scores=dict(segment.scores), arousal=said.get("arousal"), valence=said.get("valence")
        )


class SegmentPage(BaseModel):
    """Segments of a note in order of time, and where the list goes on."""

    model: ModelName | None
    segments: list[SegmentBody]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class ModelBody(BaseModel):
    """One registered model version."""

    model_config = example(
        {
            "name": "speech-emotion",
            "version": "0.6.0",
            "state": "active",
            "is_active": True,
            "labels": list(SCORES),
            "sha256": "b1946ac92492d2347c6235b4d2611184b1946ac92492d2347c6235b4d2611184",
            "added_at": "2026-03-01T10:00:00Z",
            "activated_at": "2026-03-01T10:00:02Z",
        }
    )

    name: str
    version: str
    state: ModelState = Field(description="`retired` and `removed` ones score no more; their results may be asked for.")
    is_active: bool = Field(description="Whether answers are of this one where no other is asked for.")
    labels: list[str]
    sha256: str = Field(description="Of its `model.onnx`.")
    added_at: datetime
    activated_at: datetime | None

    @classmethod
    def of(cls, model: Model, state: ModelState) -> Self:
        """Write a model."""
        same = {name: getattr(model, name) for name in cls.model_fields if name not in {"labels", "state"}}
        return cls(**same, labels=[*model.labels], state=state)


class ModelList(BaseModel):
    """Every registered model version, in the order in which they were added."""

    models: list[ModelBody]


class ErasureBody(BaseModel):
    """How far an erasure is, and what it took away; it names nobody."""

    model_config = example(
        {
            "id": 4,
            "status": "finished",
            "requested_at": "2026-03-09T12:00:00Z",
            "finished_at": "2026-03-09T12:00:07Z",
            "n_recordings": 31,
            "n_results": 30,
            "n_objects_removed": 31,
            "n_objects_left": 0,
        }
    )

    id: int
    status: Literal["removing", "finished"] = Field(
        description="`removing`: nothing about the person can be read any more, and objects are still being removed from "
        "storage. `finished`: a look at the place of each object found none."
    )
    requested_at: datetime
    finished_at: datetime | None
    n_recordings: int
    n_results: int
    n_objects_removed: int
    n_objects_left: int

    @classmethod
    def of(cls, erasure: Erasure) -> Self:
        """Write an erasure."""
        same = ("id", "requested_at", "finished_at", "n_recordings", "n_results")
        return cls(
            status="removing" if erasure.finished_at is None else "finished",
            n_objects_removed=erasure.n_objects,
            n_objects_left=erasure.n_left,
            **{name: getattr(erasure, name) for name in same},
        )


class ErasurePage(BaseModel):
    """Erasures that keys of this tenant asked for, newest first, and where the list goes on."""

    erasures: list[ErasureBody]
    next_cursor: str | None = Field(description="For the next page; null on the last one.")


class ChangeBody(BaseModel):
    """One change: take the note as it is here, forget it, or read everything again under the new model."""

    model_config = example(
        {"type": "note.deleted", "at": "2026-03-09T12:00:00.120000Z", "note_id": 17, "reason": "erased"}
    )

    type: Literal["note.upserted", "note.deleted", "model.activated"]
    at: datetime | None = Field(description="When it changed; null in a run that begins, which tells what there is.")
    note_id: int | None = None
    note: NoteBody | None = Field(
        default=None, description="Of `note.upserted`: the note as it is now, under the active model."
    )
    reason: Literal["erased", "replaced", "moved"] | None = Field(
        default=None,
        description="Of `note.deleted`: the person or note was erased, its object has a new version, or it belongs to "
        "another tenant now.",
    )
    model: ModelName | None = Field(
        default=None, description="Of `model.activated`: scores of every note are its own from now on."
    )


class ChangePage(BaseModel):
    """Changes in an order in which nothing is missed, and where the feed goes on."""

    changes: list[ChangeBody]
    next_cursor: str = Field(description="Keep it: the next request goes on there. Good for TONALOG_CHANGES_DAYS.")
    has_more: bool = Field(description="Whether there is more now; else ask again when it suits you.")


class HealthBody(BaseModel):
    """The server works."""

    model_config = example({"status": "ok"})

    status: Literal["ok"] = "ok"


class ProblemError(BaseModel):
    """One parameter that cannot be used."""

    model_config = ConfigDict(extra="allow")

    in_: str = Field(alias="in")
    name: str
    message: str
    value: str


class ProblemBody(BaseModel):
    """An error (RFC 9457); programs go by `type`, people by `detail`."""

    model_config = example(
        {
            "type": "urn:tonalog:problem:not-found",
            "title": "Not Found",
            "status": 404,
            "detail": "There is no such subject.",
        }
    )

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemError] | None = None


def _local(moment: datetime | None, offset_min: int | None) -> datetime | None:
    if moment is None:
        return None
    return moment.astimezone(UTC if not offset_min else timezone(timedelta(minutes=offset_min)))
