"""Writes and reads the scores of finished jobs; it never changes a stored one (a trigger refuses it)."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from db.columns import db_now
from db.engine import reading
from db.reasons import ResultStatus
from db.rows import Claim, NewResult, Result, Segment
from db.schema import DIMENSIONS, EMOTIONS, results, segments

_SAME = ("label", "confidence", "is_uncertain", "n_windows", "speech_ms", "rejected_ms", "duration_ms", "audio_sha256")


def insert_results(connection: Connection, ended: Sequence[tuple[Claim, NewResult]]) -> None:
    """Write results and their segments inside the transaction that ends their jobs, at most one a recording and model.

    Where there is a result of this recording and model already, that one stays. They are written in order of the persons,
    so that two workers that mark the same ones do not wait for each other.
    """
    left = sorted(ended, key=_by_person)
    while left:
        # Of each recording one, since what comes back of a written row is the recording alone.
        first = {claim.recording.id: (claim, result) for claim, result in reversed(left)}
        _insert(connection, list(reversed(first.values())))
        left = [(claim, result) for claim, result in left if first[claim.recording.id][0] is not claim]


def _by_person(ended: tuple[Claim, NewResult]) -> tuple[str, str, int, int]:
    recording = ended[0].recording
    return recording.tenant, recording.subject or "", recording.id, ended[0].model.id


def _insert(connection: Connection, ended: Sequence[tuple[Claim, NewResult]]) -> None:
    new = postgresql_insert(results) if connection.dialect.name == "postgresql" else sqlite_insert(results)
    statement = new.values(created_at=db_now()).on_conflict_do_nothing().returning(results.c.recording_id)
    written = set(connection.scalars(statement, [_as_row(claim, result) for claim, result in ended]))
    rows = [row for claim, result in ended if claim.recording.id in written for row in _as_segment_rows(claim, result)]
    if rows:
        connection.execute(insert(segments), rows)


def _as_row(claim: Claim, result: NewResult) -> dict[str, Any]:
    trend = {label: dict(numbers) for label, numbers in result.trend.items()}
    return {
        "recording_id": claim.recording.id,
        "model_id": claim.model.id,
        "token": claim.token,
        "status": result.status,
        "trend": trend,
        "voice": dict(result.voice) or None,
        **{name: getattr(result, name) for name in _SAME},
        **{f"{name}_slope_per_min": trend.get(name, {}).get("slope_per_min") for name in EMOTIONS},
        **_wide(result.scores, result.dimensions),
    }


def _as_segment_rows(claim: Claim, result: NewResult) -> list[dict[str, Any]]:
    return [
        {
            "recording_id": claim.recording.id,
            "model_id": claim.model.id,
            "idx": idx,
            "start_ms": segment.start_ms,
            "end_ms": segment.end_ms,
            "speech_ms": segment.speech_ms,
            **_wide(segment.scores, segment.dimensions),
        }
        for idx, segment in enumerate(result.segments)
    ]


def result_of(engine: Engine, recording_id: int, model_id: int) -> Result | None:
    """Read the result of one recording under one model, with its segments; None before it is finished."""
    wanted = select(results).where(results.c.recording_id == recording_id, results.c.model_id == model_id)
    with reading(engine) as connection:
        row = connection.execute(wanted).one_or_none()
        if row is None:
            return None
        of_result = _read_segments(connection, recording_id, model_id)
    values = row._asdict()
    scores = read_scores(values) if values["status"] == ResultStatus.SCORED else {}
    same = {name: values[name] for name in (*_SAME, "recording_id", "model_id", "token", "trend", "created_at")}
    return Result(
        status=ResultStatus(values["status"]),
        scores=scores,
        dimensions=_dimensions(values),
        voice=values["voice"] or {},
        segments=of_result,
        **same,
    )


def segments_of(engine: Engine, recording_id: int, model_id: int) -> tuple[Segment, ...]:
    """Read the scored windows of one result in order of time; empty where there are none."""
    with reading(engine) as connection:
        return _read_segments(connection, recording_id, model_id)


def _read_segments(connection: Connection, recording_id: int, model_id: int) -> tuple[Segment, ...]:
    c = segments.c
    wanted = select(segments).where(c.recording_id == recording_id, c.model_id == model_id).order_by(c.idx)
    rows = [row._asdict() for row in connection.execute(wanted)]
    spans = ("start_ms", "end_ms", "speech_ms")
    return tuple(
        Segment(**{name: row[name] for name in spans}, scores=read_scores(row), dimensions=_dimensions(row))
        for row in rows
    )


def _wide(scores: Mapping[str, float], dimensions: Mapping[str, float]) -> dict[str, Any]:
    extra = {label: score for label, score in scores.items() if label not in EMOTIONS}
    columns = {emotion: scores.get(emotion) for emotion in EMOTIONS}
    return {**columns, "extra_scores": extra or None, **{name: dimensions.get(name) for name in DIMENSIONS}}


def read_scores(row: Mapping[str, Any]) -> dict[str, float]:
    """Put together the scores of a scored row: those of the four columns, and what else its model tells apart."""
    return {**{emotion: row[emotion] for emotion in EMOTIONS}, **(row["extra_scores"] or {})}


def _dimensions(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: row[name] for name in DIMENSIONS if row[name] is not None}
