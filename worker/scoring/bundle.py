"""Load a model bundle and check every word of its manifest; never runs the model and never reads outside the folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from worker.audio.decode import SAMPLING_RATE_HZ
from worker.audio.frontend import FrontEnd
from worker.audio.vad import VadConfig
from worker.audio.windows import WindowConfig

FORMATS = (1,)
LABELS = ("anger", "happiness", "neutral", "sadness")
MANIFEST_FILE, MODEL_FILE, CARD_FILE = "manifest.json", "model.onnx", "MODEL_CARD.md"
LICENCE_PREFIXES = ("LICENSE", "LICENCE", "NOTICE")


class BundleError(Exception):
    """A bundle that cannot be used; the message names the value and what was allowed."""


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
    missing = [label for label in LABELS if label not in labels]
    if missing:
        raise ValueError(f"labels {list(labels)} lack {missing}, all of {list(LABELS)} are needed")
    if len(set(labels)) != len(labels):
        raise ValueError(f"labels {list(labels)} name one twice, each is allowed once")
    return labels


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Pooling(_Part):
    """How windows become a note: the mean, weighted by speech that is new in each window, or not."""

    kind: Literal["mean"]
    weight: Literal["new_speech_ms", "equal"]


class SpeechGate(_Part):
    """Which output says that a window holds speech, and from which probability it is believed."""

    output: str = Field(min_length=1)
    threshold: float = Field(ge=0.0, le=1.0)


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
        quantisation: of the graph, for the record.
        batch: windows that the graph is run on at once: one, so that no score depends on a neighbour.
        opset: of the graph, for the record.
        training: corpora with their licences and how it was trained, for the record.
        metrics: measured in training, for the record.
        licence: of the model.
        sha256: of model.onnx, in hex.
    """

    format: Annotated[int, AfterValidator(_check_format)]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    version: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.+-]*$")
    labels: Annotated[tuple[str, ...], AfterValidator(_check_labels)]
    sampling_rate_hz: Literal[16000]
    front_end: Annotated[FrontEnd, BeforeValidator(_refuse_unknown_fields(FrontEnd))]
    vad: Annotated[VadConfig, BeforeValidator(_refuse_unknown_fields(VadConfig))]
    min_speech_ms: int = Field(ge=0)
    window: Annotated[WindowConfig, BeforeValidator(_refuse_unknown_fields(WindowConfig))]
    padding: Literal["zeros_masked"]
    pooling: Pooling
    temperature: float = Field(gt=0.0)
    uncertain_below: float = Field(ge=0.0, le=1.0)
    speech_gate: SpeechGate | None
    quantisation: dict[str, Any]
    batch: Literal[1]
    opset: int = Field(ge=1)
    training: dict[str, Any]
    metrics: dict[str, Any]
    licence: str = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @property
    def n_window_samples(self) -> int:
        """Length of what the graph is fed, in samples."""
        return self.window.window_ms * SAMPLING_RATE_HZ // 1000


@dataclass(frozen=True)
class Bundle:
    """A model, ready to be made a session of.

    Attributes:
        manifest: checked.
        folder: where it was read.
        model_bytes: model.onnx, whose sha256 is the manifest's.
    """

    manifest: Manifest
    folder: Path
    model_bytes: bytes


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle folder and check it. The model is read once, so that what was checked is what runs.

    Args:
        folder: holds manifest.json, model.onnx, MODEL_CARD.md and licence texts, and nothing else.

    Returns:
        The bundle.

    Raises:
        BundleError: a file is missing or not allowed there, the manifest does not hold what it should, or the model
            is not the one that the manifest was written for.
    """
    _check_files(folder)
    manifest = _read_manifest(folder / MANIFEST_FILE)
    model_bytes = (folder / MODEL_FILE).read_bytes()
    sha256 = hashlib.sha256(model_bytes).hexdigest()
    if sha256 != manifest.sha256:
        raise BundleError(f"sha256 of {MODEL_FILE} in {folder} is {sha256}, the manifest allows {manifest.sha256}")
    return Bundle(manifest, folder, model_bytes)


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        raise BundleError(f"{folder} is not a folder, a bundle is a folder with {MANIFEST_FILE} and {MODEL_FILE}")
    held = sorted(path.name for path in folder.iterdir())
    needed = (MANIFEST_FILE, MODEL_FILE, CARD_FILE)
    missing = [name for name in needed if name not in held]
    if missing:
        raise BundleError(f"{folder} lacks {missing}, a bundle needs {list(needed)}")
    unknown = [name for name in held if name not in needed and not name.startswith(LICENCE_PREFIXES)]
    if unknown:
        raise BundleError(f"{folder} holds {unknown}, allowed are {list(needed)} and licence texts")


def _read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc']) or 'manifest'} is {_shorten(one['input'])}: {one['msg']}"
            for one in error.errors(include_url=False)
        )
        raise BundleError(f"{path}: {wrong}") from error


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line of a terminal
