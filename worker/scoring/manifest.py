"""What a bundle's manifest says, with every word checked; never reads a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from trends import read_baseline
from worker.audio.decode import SAMPLING_RATE_HZ
from worker.audio.frontend import FrontEnd
from worker.audio.vad import VadConfig
from worker.audio.windows import WindowConfig

FORMATS = (1,)
LABELS = ("anger", "happiness", "neutral", "sadness")
MAX_LABELS = 32
MIN_WINDOW_MS, MAX_WINDOW_MS = 100, 60_000
MAX_OVERLAP = 16
"""A hop of a sixteenth of a window has each second of speech scored sixteen times; less would cost hours."""
MAX_VAD_MS = 120_000
"""The detector holds so much of the signal at the most: 8 MB."""
MAX_TRIM_DB = 200.0
OutputName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_./:-]{1,128}$")]
_LABEL = re.compile("[a-z_]{1,32}")
DimensionName = Literal["arousal", "valence"]


def _refuse_unknown_fields(kind: type[Any]) -> Callable[[object], object]:
    allowed = [field.name for field in fields(kind)]

    def check(value: object) -> object:
        unknown = sorted(set(value) - set(allowed)) if isinstance(value, Mapping) else []
        if unknown:
            raise ValueError(f"unknown keys {unknown}, allowed are {allowed}")
        return value

    return check


def _check_format(value: int) -> int:
    if value not in FORMATS:
        raise ValueError(f"format {value} is unknown, allowed are {list(FORMATS)}")
    return value


def _check_labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    odd = [label for label in labels if not _LABEL.fullmatch(label)]
    if odd:
        raise ValueError(f"labels {odd} are not allowed: a label is 1 to 32 of a to z and _")
    if len(labels) > MAX_LABELS:
        raise ValueError(f"there are {len(labels)} labels, allowed are {MAX_LABELS}")
    missing = [label for label in LABELS if label not in labels]
    if missing:
        raise ValueError(f"labels {list(labels)} lack {missing}, all of {list(LABELS)} are needed")
    if len(set(labels)) != len(labels):
        raise ValueError(f"labels {list(labels)} name one twice, each is allowed once")
    return labels


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class Pooling(_Part):
    """How windows become a note: the mean, weighted by speech that is new in each window, or not."""

    kind: Literal["mean"]
    weight: Literal["new_speech_ms", "equal"]


class SpeechGate(_Part):
    """Which output says that a window holds speech, and from which probability it is believed."""

    output: OutputName
    threshold: float = Field(ge=0.0, le=1.0)


class Dimension(_Part):
    """Which output says how aroused or pleasant a window sounds, and between which values."""

    output: OutputName
    low: float = Field(ge=-1000.0, le=1000.0)
    high: float = Field(ge=-1000.0, le=1000.0)

    @model_validator(mode="after")
    def _check_span(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low} and high is {self.high}, allowed is low < high")
        return self


class Manifest(_Part):
    """Everything that turns the graph into a scorer; what tunes the model lives here and nowhere else.

    Attributes:
        format: of this file.
        name: of the model.
        version: of the model; rows in SQL point to it.
        labels: in the order of the graph's output; the four and what the model adds.
        sampling_rate_hz: of what the graph takes.
        front_end: what is done to each window.
        vad: what counts as speech.
        min_speech_ms: a recording with less speech is not scored.
        window: how speech is cut.
        padding: shorter windows end in exact zeros, which the graph masks.
        pooling: how windows become a note.
        temperature: of the calibration inside the graph, for the record.
        uncertain_below: a confidence under this is uncertain.
        speech_gate: windows under it are not pooled; None if the graph has none.
        dimensions: name to the output that says it; empty if the graph has none, as in bundles older than this key.
        baseline: reference and rule of a person's own baseline, as `trends.write_baseline` gives them; None in bundles older than this key.
        quantisation: of the graph, for the record.
        batch: windows that the graph is run on at once: one, so that no score depends on a neighbour.
        opset: of the graph, for the record.
        training: corpora with their licences and how it was trained, for the record.
        metrics: measured in training, for the record.
        licence: of the model.
        sha256: of model.onnx, in hex.
    """

    format: Annotated[int, AfterValidator(_check_format)]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)
    version: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.+-]*$", max_length=64)
    labels: Annotated[tuple[str, ...], AfterValidator(_check_labels)]
    sampling_rate_hz: Literal[16000]
    front_end: Annotated[FrontEnd, BeforeValidator(_refuse_unknown_fields(FrontEnd))]
    vad: Annotated[VadConfig, BeforeValidator(_refuse_unknown_fields(VadConfig))]
    min_speech_ms: int = Field(ge=0, le=600_000)
    window: Annotated[WindowConfig, BeforeValidator(_refuse_unknown_fields(WindowConfig))]
    padding: Literal["zeros_masked"]
    pooling: Pooling
    temperature: float = Field(gt=0.0, le=100.0)
    uncertain_below: float = Field(ge=0.0, le=1.0)
    speech_gate: SpeechGate | None
    dimensions: dict[DimensionName, Dimension] = Field(default_factory=dict)
    baseline: dict[str, Any] | None = None
    quantisation: dict[str, Any]
    batch: Literal[1]
    opset: int = Field(ge=1, le=1000)
    training: dict[str, Any]
    metrics: dict[str, Any]
    licence: str = Field(min_length=1, max_length=200)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if both := sorted(set(self.labels) & set(self.dimensions)):
            raise ValueError(f"{both} are labels and dimensions, allowed is one of the two")
        return self

    @model_validator(mode="after")
    def _check_baseline(self) -> Self:
        if self.baseline is not None:
            read_baseline(self.baseline, labels=self.labels)
        return self

    @model_validator(mode="after")
    def _check_costs(self) -> Self:
        """Refuse what would make a recording cost hours or gigabytes."""
        window, hop_ms = self.window.window_ms, self.window.hop_ms
        if not MIN_WINDOW_MS <= window <= MAX_WINDOW_MS:
            raise ValueError(f"window_ms is {window}, allowed are {MIN_WINDOW_MS} to {MAX_WINDOW_MS}")
        if hop_ms < max(MIN_WINDOW_MS, window // MAX_OVERLAP):
            raise ValueError(f"hop_ms is {hop_ms}, allowed are {max(MIN_WINDOW_MS, window // MAX_OVERLAP)} to {window}")
        for field in fields(self.vad):
            value = getattr(self.vad, field.name)
            if field.name.endswith("_ms") and value > MAX_VAD_MS:
                raise ValueError(f"vad {field.name} is {value}, allowed are at most {MAX_VAD_MS}")
        trim_db = self.front_end.trim_top_db
        if trim_db is not None and trim_db > MAX_TRIM_DB:
            raise ValueError(f"trim_top_db is {trim_db}, allowed are at most {MAX_TRIM_DB}")
        return self

    def as_document(self) -> dict[str, Any]:
        """Return every key as JSON has it, except dimensions and baseline where there are none.

        So a bundle that was registered before those keys existed is still the same bundle.
        """
        return self.model_dump(
            mode="json", exclude={key for key in ("dimensions", "baseline") if not getattr(self, key)}
        )

    @property
    def n_window_samples(self) -> int:
        """Length of what the graph is fed, in samples."""
        return self.window.window_ms * SAMPLING_RATE_HZ // 1000
