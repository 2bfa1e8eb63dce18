"""Counts of the whole database for whoever watches it: what waits, and how old it is; and what there is in total."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Engine, func, select

from db.columns import db_now_s
from db.engine import reading
from db.model_ends import ModelState, read_states
from db.people_marks import count_marked
from db.reasons import JobState, Lane, RecordingState, ResultStatus, SlotState
from db.schema import erasure_objects, erasures, jobs, models, recordings, results, schedule_slots
from db.slots import read_pulses

_WAITS = (JobState.PENDING, JobState.QUEUED)
_UNFINISHED = (*_WAITS, JobState.RUNNING)
_MAX_MODELS = 20
_j, _s = jobs.c, results.c


@dataclass(frozen=True, kw_only=True)
class LaneQueue:
    """Jobs of one lane that are due or in the queue, and for how long the oldest of them has been due (0: none is)."""

    n: int
    age_s: float


@dataclass(frozen=True, kw_only=True)
class QueueFigures:
    """What is under way: cheap to read, since finished jobs are left out."""

    lanes: Mapping[Lane, LaneQueue]
    n_jobs: Mapping[tuple[Lane, JobState], int]
    n_erasures: int
    n_erasure_objects: int
    n_people_marked: int
    scan_at_s: float | None
    nightly_done_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ModelFigures:
    """What one model has made: results, and the length of their recordings, by status."""

    name: str
    state: ModelState
    n_results: Mapping[ResultStatus, int]
    audio_ms: Mapping[ResultStatus, int]


@dataclass(frozen=True, kw_only=True)
class TotalFigures:
    """What there is; each row of jobs, recordings and results is counted."""

    n_ended: Mapping[tuple[Lane, JobState], int]
    n_dead: Mapping[str, int]
    n_recordings: Mapping[RecordingState, int]
    models: tuple[ModelFigures, ...]


def read_queue(engine: Engine, *, scan_pulse: str, nightly: str) -> QueueFigures:
    """Read what is under way.

    Args:
        engine: the database.
        scan_pulse: name of the pulse of scans.
        nightly: name of the nightly schedule.
    """
    is_due = (_j.state.in_(_WAITS)) & (_j.next_run_at_s <= db_now_s())
    oldest = (db_now_s() - func.min(_j.next_run_at_s)).label("age_s")
    waiting = select(_j.lane, func.count().label("n"), oldest).where(is_due).group_by(_j.lane)
    done = schedule_slots.c.finished_at
    with reading(engine) as connection:
        lanes = {Lane(row.lane): LaneQueue(n=row.n, age_s=max(0.0, row.age_s)) for row in connection.execute(waiting)}
        n_jobs = _count_jobs(connection, _j.state.in_(_UNFINISHED))
        n_erasures = connection.scalar(
            select(func.count()).select_from(erasures).where(erasures.c.finished_at.is_(None))
        )
        n_objects = connection.scalar(select(func.count()).select_from(erasure_objects))
        is_done = (schedule_slots.c.name == nightly) & (schedule_slots.c.state == SlotState.DONE)
        last = connection.scalar(select(done).where(is_done).order_by(done.desc()).limit(1))
    pulse = read_pulses(engine).get(scan_pulse)
    none = LaneQueue(n=0, age_s=0.0)
    return QueueFigures(
        lanes={lane: lanes.get(lane, none) for lane in Lane},
        n_jobs={(lane, state): n_jobs.get((lane, state), 0) for lane in Lane for state in _UNFINISHED},
        n_erasures=n_erasures or 0,
        n_erasure_objects=n_objects or 0,
        n_people_marked=count_marked(engine),
        scan_at_s=None if pulse is None else pulse.at.timestamp(),
        nightly_done_at=last,
    )


def read_totals(engine: Engine) -> TotalFigures:
    """Count everything; models are the newest 20."""
    ended = _j.state.not_in(_UNFINISHED)
    dead = select(_j.reason, func.count().label("n")).where(_j.state == JobState.DEAD).group_by(_j.reason)
    state = recordings.c.state
    by_state = select(state, func.count().label("n")).group_by(state)
    audio_ms = func.sum(_s.duration_ms).label("audio_ms")
    of_models = select(_s.model_id, _s.status, func.count().label("n"), audio_ms).group_by(_s.model_id, _s.status)
    newest = select(models.c.id, models.c.name, models.c.version).order_by(models.c.id.desc())
    states = read_states(engine)
    with reading(engine) as connection:
        made: dict[int, dict[ResultStatus, tuple[int, int]]] = {}
        for row in connection.execute(of_models):
            made.setdefault(row.model_id, {})[ResultStatus(row.status)] = row.n, int(row.audio_ms or 0)
        return TotalFigures(
            n_ended=_count_jobs(connection, ended),
            n_dead={row.reason or "UNKNOWN": row.n for row in connection.execute(dead)},
            n_recordings={RecordingState(row.state): row.n for row in connection.execute(by_state)},
            models=tuple(
                ModelFigures(
                    name=f"{row.name}-{row.version}",
                    state=states.get(row.id, ModelState.CANDIDATE),
                    n_results={status: made.get(row.id, {}).get(status, (0, 0))[0] for status in ResultStatus},
                    audio_ms={status: made.get(row.id, {}).get(status, (0, 0))[1] for status in ResultStatus},
                )
                for row in connection.execute(newest.limit(_MAX_MODELS))
            ),
        )


def _count_jobs(connection: Connection, chosen: ColumnElement[bool]) -> dict[tuple[Lane, JobState], int]:
    counted = select(_j.lane, _j.state, func.count().label("n")).where(chosen).group_by(_j.lane, _j.state)
    return {(Lane(row.lane), JobState(row.state)): row.n for row in connection.execute(counted)}
