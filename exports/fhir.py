"""Notes as FHIR R4 Observations, one a line, with a code system of our own (https://hl7.org/fhir/R4/observation.html)."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

from db.notes import AppNote, NoteStatus
from db.people_rows import RelativeResult
from db.rows import Model
from exports.dictionary import WORDS
from exports.json_lines import write_json_lines
from exports.rows import RowSource
from exports.texts import as_line

SYSTEM = "urn:tonalog:expressed-emotion"  # of our codes; `CodeSystem.json` of an export lists them
NOTE_SYSTEM = "urn:tonalog:note"  # of the ids of notes
_SUBJECT_SYSTEM = "urn:tonalog:subject:"  # and the tenant, in which a name is somebody's
_ABSENT_SYSTEM = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_ABSENT_URL = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_CODE, _TITLE = "expressed-emotion-in-voice", "Expressed emotion in the voice, as a model hears it"
# Status -> status of the Observation, and why it has no value (both R4's own codes).
_STATES = {
    NoteStatus.SCORED: ("final", None),
    NoteStatus.NO_SPEECH: ("final", "not-applicable"),
    NoteStatus.FAILED: ("final", "error"),
    NoteStatus.CANCELLED: ("cancelled", "not-performed"),
    NoteStatus.PENDING: ("registered", "temp-unknown"),
}
_SINGLE = {
    "is-uncertain": "Whether the highest score is too low to rely on",
    "relative-is-uncertain": "Whether the highest relative score is too low to rely on",
    "baseline-notes": "Of how many earlier notes of the person the relative scores know",
    "speech-duration": "How much of the note is speech",
    "recording-duration": "How long the note is",
}
_DIMENSIONS = {"arousal": "How active the voice sounds", "valence": "How pleasant the voice sounds"}
# Measure -> code, text, unit, and whether that is one of UCUM, which has no semitones.
_VOICE = {
    "pitch_median_hz": ("voice-pitch-median", "Median pitch of the voice", "Hz", True),
    "pitch_spread_semitones": (
        "voice-pitch-spread",
        "How far the pitch moves within 4 s of speech, as a standard deviation",
        "semitones",
        False,
    ),
    "level_spread_db": (
        "voice-level-spread",
        "How far the level moves within 4 s of speech, as a standard deviation",
        "dB",
        True,
    ),
    "onsets_per_s": ("voice-onsets", "Syllable-like onsets in a second of speech", "/s", True),
    "pause_share": ("voice-pause-share", "Share of pauses between the first and the last speech", "1", True),
    "speaking_share": ("voice-speaking-share", "Share of speech in the whole recording", "1", True),
}
_Json = dict[str, Any]


def write_fhir(source: RowSource, folder: Path, _about: _Json) -> dict[str, int]:
    """Write `Observation.ndjson` and `CodeSystem.json`; gives how many Observations."""
    observations = (
        make_observation(note, tenant=source.chosen.tenant, model=source.model)
        for note in source.snapshot.notes(source.chosen)
    )
    n_rows = write_json_lines(folder / "Observation.ndjson", observations)
    code_system = make_code_system(source.model)
    (folder / "CodeSystem.json").write_text(as_line(code_system) + "\n", encoding="utf-8")
    return {"Observation": n_rows}


def make_observation(note: AppNote, *, tenant: str, model: Model | None) -> _Json:
    """Write one note; what has no score says why in `dataAbsentReason`."""
    status, absent = _STATES[note.status]
    observation: _Json = {
        "resourceType": "Observation",
        "id": f"note-{note.id}" if model is None else f"note-{note.id}-model-{model.id}",
        "identifier": [{"system": NOTE_SYSTEM, "value": str(note.id)}],
        "status": status,
        "code": _concept(_CODE, _TITLE),
        **_effective(note),
        "note": [{"text": WORDS}],
    }
    if note.subject is not None:
        identifier = {"system": _SUBJECT_SYSTEM + quote(tenant, safe=""), "value": note.subject}
        observation["subject"] = {"type": "Patient", "identifier": identifier}
    if model is not None:
        observation["contained"] = [_device(model)]
        observation["device"] = {"reference": "#model"}
    if note.scored_at is not None:
        observation["issued"] = note.scored_at.astimezone(UTC).isoformat()
    if absent is None and note.label is not None:
        observation["valueCodeableConcept"] = _concept(note.label, _of_label(note.label))
        observation["component"] = list(_components(note))
    else:
        coded: _Json = {"coding": [{"system": _ABSENT_SYSTEM, "code": absent}]}
        observation["dataAbsentReason"] = coded if note.reason is None else {**coded, "text": note.reason}
    return observation


def make_code_system(model: Model | None) -> _Json:
    """Write the code system: every code that an Observation under this model may have."""
    labels = () if model is None else model.labels
    texts = {_CODE: _TITLE, **{label: _of_label(label) for label in labels}}
    texts |= {f"relative-{label}": _of_relative(label) for label in labels} | _DIMENSIONS | _SINGLE
    texts |= {code: text for code, text, _, _ in _VOICE.values()}
    return {
        "resourceType": "CodeSystem",
        "id": "expressed-emotion",
        "url": SYSTEM,
        "version": "none" if model is None else f"{model.name}-{model.version}",
        "name": "TonalogExpressedEmotion",
        "title": _TITLE,
        "status": "active",
        "description": WORDS,
        "caseSensitive": True,
        "content": "complete",
        "count": len(texts),
        "concept": [{"code": code, "display": text} for code, text in texts.items()],
    }


def _components(note: AppNote) -> Iterator[_Json]:
    yield from (_amount(label, _of_label(label), score) for label, score in (note.scores or {}).items())
    yield {"code": _concept("is-uncertain", _SINGLE["is-uncertain"]), "valueBoolean": note.is_uncertain}
    if note.relative is not None and note.relative.scores is not None:
        yield from _relative(note.relative, note.relative.scores)
    for name, text in _DIMENSIONS.items():
        if getattr(note, name) is not None:
            yield _amount(name, text, getattr(note, name))
    yield from _voice(note.voice or {})
    for code, value in (("speech-duration", note.speech_ms), ("recording-duration", note.duration_ms)):
        yield _amount(code, _SINGLE[code], value, unit="ms")


def _voice(voice: Mapping[str, float]) -> Iterator[_Json]:
    for name, (code, text, unit, is_ucum) in _VOICE.items():
        if name in voice:
            yield _amount(code, text, voice[name], unit=unit, is_ucum=is_ucum)


def _relative(relative: RelativeResult, scores: Mapping[str, float]) -> Iterator[_Json]:
    yield from (_amount(f"relative-{label}", _of_relative(label), score) for label, score in scores.items())
    code = "relative-is-uncertain"
    yield {"code": _concept(code, _SINGLE[code]), "valueBoolean": relative.is_uncertain}
    yield {"code": _concept("baseline-notes", _SINGLE["baseline-notes"]), "valueInteger": relative.n_notes}


def _effective(note: AppNote) -> _Json:
    if note.recorded_at is None:
        return {"_effectiveDateTime": {"extension": [{"url": _ABSENT_URL, "valueCode": "unknown"}]}}
    if note.recorded_at_precision == "day" and note.local_day is not None:
        return {"effectiveDateTime": note.local_day.isoformat()}
    return {"effectiveDateTime": _local(note.recorded_at, note.utc_offset_min).isoformat()}


def _local(moment: datetime, offset_min: int | None) -> datetime:
    return moment.astimezone(timezone(timedelta(minutes=offset_min or 0)))


def _device(model: Model) -> _Json:
    return {
        "resourceType": "Device",
        "id": "model",
        "deviceName": [{"name": model.name, "type": "model-name"}],
        "version": [{"value": model.version}],
        "type": {"text": "model that scores the emotion that a voice expresses"},
    }


def _amount(code: str, text: str, value: Any, *, unit: str = "1", is_ucum: bool = True) -> _Json:
    quantity = {"value": value, "unit": unit}
    if is_ucum:
        quantity |= {"system": "http://unitsofmeasure.org", "code": unit}
    return {"code": _concept(code, text), "valueQuantity": quantity}


def _concept(code: str, text: str) -> _Json:
    return {"coding": [{"system": SYSTEM, "code": code, "display": text}], "text": text}


def _of_label(label: str) -> str:
    return f"{label} expressed in the voice"


def _of_relative(label: str) -> str:
    return f"{label} expressed in the voice, relative to what is usual for this person"
