"""The frozen rows that cross between this room and the others; it never holds SQL."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from db.reasons import JobState, Lane, RecordingState, ResultStatus
from db.schema import DIMENSIONS, EMOTIONS

DEFAULT_TENANT = "default"


@dataclass(frozen=True, kw_only=True)
class NewRecording:
    """One version of one object, as a scan found it.

    `subject` and `recorded_at` are None where nothing says them; the sources say where they come from: option, manifest,
    metadata, sidecar, key, container, setting, default or unknown. A person is a subject of a tenant.

    `recorded_at` is the moment, or with precision `day` the start of `local_day`, the day on the recorder's calendar.
    `utc_offset_min` is what its clock was ahead of UTC; None where nobody said. `recorded_at_zone` is the IANA zone that
    gave the offset. `identity_tag` changes whenever what all this is read from changes.
    """

    store: str
    bucket: str
    key: str
    version_tag: str
    size_bytes: int
    uploaded_at: datetime
    subject: str | None = None
    subject_source: str = "unknown"
    recorded_at: datetime | None = None
    recorded_at_precision: str | None = None
    recorded_at_source: str = "unknown"
    tenant: str = DEFAULT_TENANT
    tenant_source: str = "default"
    utc_offset_min: int | None = None
    recorded_at_zone: str | None = None
    local_day: date | None = None
    identity_tag: str | None = None


@dataclass(frozen=True, kw_only=True)
class Recording(NewRecording):
    """A registered object version."""

    id: int
    registered_at: datetime
    state: RecordingState


@dataclass(frozen=True, kw_only=True)
class NewModel:
    """A bundle to register; `sha256` is that of its `model.onnx`, `folder` where it lies.

    `bundle_sha256` is that of all its files together; None in rows of releases that did not keep it.
    """

    name: str
    version: str
    sha256: str
    labels: tuple[str, ...]
    manifest: Mapping[str, Any]
    folder: str
    bundle_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Model(NewModel):
    """A registered model version; readers of the views see the active one."""

    id: int
    is_active: bool
    added_at: datetime
    activated_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to work on one job until the lease runs out; `token` fences off earlier claims."""

    job_id: int
    token: str
    attempt_n: int
    lane: Lane
    recording: Recording
    model: Model


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Scores of one window, half-open in ms on the original file's clock; each score in [0, 1].

    `dimensions` holds arousal and valence as far as the model says them, in the ranges of its manifest.
    """

    start_ms: int
    end_ms: int
    speech_ms: int
    scores: Mapping[str, float]
    dimensions: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_scores(self.scores)
        check_dimensions(self.dimensions)


@dataclass(frozen=True, kw_only=True)
class NewResult:
    """What a finished job writes.

    `scores` holds the four emotions and whatever else the model knows, each in [0, 1]; with NO_SPEECH it is empty and
    label, confidence and is_uncertain are None. `dimensions` holds arousal and valence as far as the model says them,
    in the ranges of its manifest; with NO_SPEECH it is empty too. `trend` is, per label or dimension, the named numbers
    of the within-note trend; a label's `slope_per_min`, where the note has one, also gets a column of its own. `voice` holds
    measures of the voice that need no model, name to value; it is empty with NO_SPEECH, and in rows of earlier releases.

    Raises:
        ValueError: a score, dimension, trend number or measure of the voice is missing, unknown, not finite or out of range, or does not fit
            the status.
    """

    status: ResultStatus
    duration_ms: int
    speech_ms: int
    rejected_ms: int
    n_windows: int
    label: str | None = None
    confidence: float | None = None
    is_uncertain: bool | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    dimensions: Mapping[str, float] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    trend: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    voice: Mapping[str, float] = field(default_factory=dict)
    audio_sha256: str | None = None

    def __post_init__(self) -> None:
        is_scored = self.status is ResultStatus.SCORED
        said = (self.label, self.confidence, self.is_uncertain)
        if is_scored:
            check_scores(self.scores)
        if any((value is not None) != is_scored for value in said) or bool(self.scores) != is_scored:
            raise ValueError(f"a {self.status} result has label {self.label!r} and scores {dict(self.scores)}")
        check_dimensions(self.dimensions)
        if self.dimensions and not is_scored:
            raise ValueError(f"a {self.status} result has dimensions {dict(self.dimensions)}")
        for label, numbers in self.trend.items():
            for name, value in numbers.items():
                if not math.isfinite(value):
                    raise ValueError(f"trend {name} of {label} is {value}; a finite number is needed")
        if self.voice and not is_scored:
            raise ValueError(f"a {self.status} result has voice {dict(self.voice)}")
        for name, value in self.voice.items():
            if not math.isfinite(value):
                raise ValueError(f"{name} of the voice is {value}; a finite number is needed")


@dataclass(frozen=True, kw_only=True)
class Result(NewResult):
    """A stored result; it never changes."""

    recording_id: int
    model_id: int
    token: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Job:
    """One recording under one model version, as the ledger sees it."""

    id: int
    recording_id: int
    model_id: int
    state: JobState
    lane: Lane
    attempts: int
    failures: int
    transients: int
    lost_count: int
    reason: str | None
    detail: str | None
    worker: str | None
    created_at: datetime
    finished_at: datetime | None


def check_scores(scores: Mapping[str, float]) -> None:
    """Check scores before they become rows.

    Raises:
        ValueError: one of the four emotions is missing, or a score is not in [0, 1].
    """
    missing = [emotion for emotion in EMOTIONS if emotion not in scores]
    if missing:
        raise ValueError(f"scores lack {', '.join(missing)}; they hold {', '.join(scores) or 'nothing'}")
    for label, score in scores.items():
        if not 0.0 <= score <= 1.0:  # also refuses NaN
            raise ValueError(f"score of {label} is {score}; it must be in [0, 1]")


def check_dimensions(dimensions: Mapping[str, float]) -> None:
    """Check dimensions before they become rows; their range is the manifest's, and was checked in scoring.

    Raises:
        ValueError: one has no column, or is not finite.
    """
    for name, value in dimensions.items():
        if name not in DIMENSIONS:
            raise ValueError(f"dimension {name} is unknown; allowed are {', '.join(DIMENSIONS)}")
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}; a finite number is needed")
