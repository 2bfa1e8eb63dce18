"""Writes and reads the scores of finished jobs; it never changes a stored one (a trigger refuses it)."""

from collections.abc import Mapping
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


def insert_result(connection: Connection, claim: Claim, result: NewResult) -> bool:
    """Write a result and its segments inside the transaction that ends the job.

    Returns:
        False when there is a result of this recording and model already; that one stays.
    """
    key = {"recording_id": claim.recording.id, "model_id": claim.model.id}
    trend = {label: dict(numbers) for label, numbers in result.trend.items()}
    slopes = {f"{name}_slope_per_min": trend.get(name, {}).get("slope_per_min") for name in EMOTIONS}
    values = {name: getattr(result, name) for name in _SAME}
    values |= {"token": claim.token, "status": result.status, "trend": trend, "created_at": db_now()}
    values["voice"] = dict(result.voice) or None
    new = postgresql_insert(results) if connection.dialect.name == "postgresql" else sqlite_insert(results)
    wide = _wide(result.scores, result.dimensions)
    statement = new.values(**key, **values, **slopes, **wide).on_conflict_do_nothing()
    if connection.execute(statement.returning(results.c.recording_id)).first() is None:
        return False
    rows = [
        {
            **key,
            "idx": idx,
            "start_ms": segment.start_ms,
            "end_ms": segment.end_ms,
            "speech_ms": segment.speech_ms,
            **_wide(segment.scores, segment.dimensions),
        }
        for idx, segment in enumerate(result.segments)
    ]
    if rows:
        connection.execute(insert(segments), rows)
    return True


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
