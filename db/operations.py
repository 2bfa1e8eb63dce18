"""Counts for whoever runs the system: lanes, failures, coverage of models, throughput, and scores week by week."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, case, func, select

from db.engine import reading
from db.reasons import JobState, Lane, RecordingState, ResultStatus
from db.schema import EMOTIONS, jobs, models, recordings, results

N_BINS = 10
_r, _s = recordings.c, results.c


@dataclass(frozen=True, kw_only=True)
class LaneCount:
    """How many jobs of a lane are in a state."""

    lane: Lane
    state: JobState
    n: int


@dataclass(frozen=True, kw_only=True)
class FailureCount:
    """How many live recordings one model could not score for one reason."""

    model: str
    reason: str
    n: int


@dataclass(frozen=True, kw_only=True)
class ModelCoverage:
    """What one model has made of the live recordings; those without a job are the rest of `n_recordings`."""

    model: str
    is_active: bool
    n_recordings: int
    n_scored: int
    n_no_speech: int
    n_failed: int
    n_cancelled: int
    n_pending: int

    @property
    def n_without_job(self) -> int:
        """Live recordings that this model was not given."""
        told = self.n_scored + self.n_no_speech + self.n_failed + self.n_cancelled + self.n_pending
        return self.n_recordings - told


@dataclass(frozen=True, kw_only=True)
class DayOutput:
    """What was finished on one day (UTC): notes with a result, and how much sound they were."""

    day: date
    n_notes: int
    duration_ms: int


@dataclass(frozen=True, kw_only=True)
class WeekScores:
    """The scores of one label in one week of recording under one model.

    `bins` counts the notes by score: ten of a tenth each, 1 with the last. `week` is the Monday.
    """

    model: str
    week: date
    label: str
    n_notes: int
    n_uncertain: int
    mean: float
    bins: tuple[int, ...]


def count_lanes(engine: Engine, *, tenant: str | None = None) -> list[LaneCount]:
    """Count jobs by lane and state, of one tenant's recordings or of all."""
    wanted = select(jobs.c.lane, jobs.c.state, func.count().label("n")).group_by(jobs.c.lane, jobs.c.state)
    if tenant is not None:
        wanted = wanted.join(recordings, _r.id == jobs.c.recording_id).where(_r.tenant == tenant)
    with reading(engine) as connection:
        rows = connection.execute(wanted.order_by(jobs.c.lane, jobs.c.state))
        return [LaneCount(lane=Lane(row.lane), state=JobState(row.state), n=row.n) for row in rows]


def count_failures(engine: Engine, *, tenant: str | None = None) -> list[FailureCount]:
    """Count the live recordings whose job died, by model and reason, most first."""
    name = _name_of_model()
    wanted = (
        select(name, jobs.c.reason, func.count().label("n"))
        .join(recordings, _r.id == jobs.c.recording_id)
        .join(models, models.c.id == jobs.c.model_id)
        .where(jobs.c.state == JobState.DEAD, *_live_of(tenant))
        .group_by(models.c.id, name, jobs.c.reason)
        .order_by(func.count().desc(), jobs.c.reason)
    )
    with reading(engine) as connection:
        rows = connection.execute(wanted)
        return [FailureCount(model=row.model, reason=row.reason or "UNKNOWN", n=row.n) for row in rows]


def cover_models(engine: Engine, *, tenant: str | None = None) -> list[ModelCoverage]:
    """Count what each model has made of the live recordings, the newest model first."""
    states = {
        "n_scored": _s.status == ResultStatus.SCORED,
        "n_no_speech": _s.status == ResultStatus.NO_SPEECH,
        "n_failed": and_(_s.status.is_(None), jobs.c.state == JobState.DEAD),
        "n_cancelled": and_(_s.status.is_(None), jobs.c.state == JobState.CANCELLED),
        "n_pending": and_(_s.status.is_(None), jobs.c.state.in_((JobState.PENDING, JobState.QUEUED, JobState.RUNNING))),
    }
    counts = [func.coalesce(func.sum(case((fits, 1), else_=0)), 0).label(name) for name, fits in states.items()]
    of_live = (
        select(jobs.c.model_id, *counts)
        .join(recordings, _r.id == jobs.c.recording_id)
        .outerjoin(results, and_(_s.recording_id == jobs.c.recording_id, _s.model_id == jobs.c.model_id))
        .where(*_live_of(tenant))
        .group_by(jobs.c.model_id)
        .subquery()
    )
    n_live = select(func.count()).select_from(recordings).where(*_live_of(tenant)).scalar_subquery()
    columns = [func.coalesce(of_live.c[name], 0).label(name) for name in states]
    wanted = (
        select(_name_of_model(), models.c.is_active, n_live.label("n_recordings"), *columns)
        .outerjoin(of_live, of_live.c.model_id == models.c.id)
        .order_by(models.c.id.desc())
    )
    with reading(engine) as connection:
        rows = [row._asdict() for row in connection.execute(wanted)]
    return [ModelCoverage(**{**row, **{name: int(row[name]) for name in states}}) for row in rows]


def list_output(engine: Engine, *, since: datetime, tenant: str | None = None) -> list[DayOutput]:
    """Count what was finished on each day since a moment, days of nothing left out."""
    day = (
        func.date(_s.created_at) if engine.dialect.name == "sqlite" else func.date(func.timezone("UTC", _s.created_at))
    )
    wanted = (
        select(day.label("day"), func.count().label("n_notes"), func.sum(_s.duration_ms).label("duration_ms"))
        .where(_s.created_at >= since)
        .group_by(day)
        .order_by(day)
    )
    if tenant is not None:
        wanted = wanted.join(recordings, _r.id == _s.recording_id).where(_r.tenant == tenant)
    with reading(engine) as connection:
        rows = [row._asdict() for row in connection.execute(wanted)]
    return [
        DayOutput(day=_as_day(row["day"]), n_notes=row["n_notes"], duration_ms=int(row["duration_ms"])) for row in rows
    ]


def list_week_scores(engine: Engine, *, since: date, tenant: str | None = None) -> list[WeekScores]:
    """Count scores of live recordings by week of recording, model and one of the four emotions, oldest week first."""
    sums: dict[str, Any] = {"n_notes": func.count(), "n_uncertain": func.sum(case((_s.is_uncertain, 1), else_=0))}
    for label in EMOTIONS:
        sums[label] = func.sum(_s[label])
        for place in range(N_BINS):
            sums[f"{label}_{place}"] = func.sum(case((is_in_bin(_s[label], place), 1), else_=0))
    wanted = _scored(tenant, since).add_columns(*(value.label(name) for name, value in sums.items()))
    by_week: dict[tuple[str, date], dict[str, float]] = {}
    with reading(engine) as connection:
        for row in connection.execute(wanted):
            values: Mapping[str, Any] = row._asdict()
            week = values["local_day"] - timedelta(days=values["local_day"].weekday())
            total = by_week.setdefault((values["model"], week), dict.fromkeys(sums, 0.0))
            for name in sums:
                total[name] += values[name]
    return [
        WeekScores(
            model=model,
            week=week,
            label=label,
            n_notes=int(total["n_notes"]),
            n_uncertain=int(total["n_uncertain"]),
            mean=total[label] / total["n_notes"],
            bins=tuple(int(total[f"{label}_{place}"]) for place in range(N_BINS)),
        )
        for (model, week), total in sorted(by_week.items(), key=lambda item: (item[0][1], item[0][0]))
        for label in EMOTIONS
    ]


def _scored(tenant: str | None, since: date) -> Select[Any]:
    name = _name_of_model()
    return (
        select(name, _r.local_day)
        .select_from(results)
        .join(recordings, _r.id == _s.recording_id)
        .join(models, models.c.id == _s.model_id)
        .where(_s.status == ResultStatus.SCORED, _r.local_day >= since, *_live_of(tenant))
        .group_by(models.c.id, name, _r.local_day)
    )


def is_in_bin(score: ColumnElement[Any], place: int) -> ColumnElement[bool]:
    """Make the condition that a score is in one of `N_BINS` equal steps; 1 is in the last."""
    is_above = score >= place / N_BINS
    return is_above if place == N_BINS - 1 else and_(is_above, score < (place + 1) / N_BINS)


def _live_of(tenant: str | None) -> list[ColumnElement[bool]]:
    return [_r.state == RecordingState.LIVE] + ([] if tenant is None else [_r.tenant == tenant])


def _name_of_model() -> ColumnElement[str]:
    return (models.c.name + "-" + models.c.version).label("model")


def _as_day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))
