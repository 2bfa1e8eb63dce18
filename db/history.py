"""Reads how the ledger stands and how each job got there; it never changes a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select

from db.columns import db_now
from db.engine import reading
from db.reasons import JobState, Lane, Reason, RecordingState
from db.rows import Job
from db.schema import attempts, jobs, models, recordings

_JOB_COLUMNS = [jobs.c[name] for name in Job.__dataclass_fields__]


@dataclass(frozen=True, kw_only=True)
class JobCounts:
    """How many jobs there are, by state and by (lane, state), and since when the oldest unfinished one waits."""

    by_state: Mapping[JobState, int]
    by_lane: Mapping[tuple[Lane, JobState], int]
    oldest_pending_at: datetime | None
    oldest_pending_age_s: float | None

    @property
    def n_unfinished(self) -> int:
        """Jobs that are still to end."""
        return sum(self.by_state.get(state, 0) for state in (JobState.PENDING, JobState.QUEUED, JobState.RUNNING))


@dataclass(frozen=True, kw_only=True)
class DeadJob:
    """A job that ended without a result, and why; `is_live` says whether its recording is still what its key holds.

    `detail` is what the last attempt said.
    """

    job_id: int
    recording_id: int
    key: str
    model_name: str
    model_version: str
    reason: str
    detail: str | None
    attempts: int
    finished_at: datetime
    is_live: bool


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try at a job; `ended_at` and `outcome` are None while it runs."""

    n: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    reason: str | None
    detail: str | None
    worker: str
    wall_ms: int | None
    peak_rss_kib: int | None


def counts(engine: Engine, *, model_id: int | None = None) -> JobCounts:
    """Count jobs, of one model or of all."""
    of_model = [] if model_id is None else [jobs.c.model_id == model_id]
    unfinished = jobs.c.state.in_((JobState.PENDING, JobState.QUEUED, JobState.RUNNING))
    grouped = (
        select(jobs.c.lane, jobs.c.state, func.count().label("n")).where(*of_model).group_by(jobs.c.lane, jobs.c.state)
    )
    oldest = select(func.min(jobs.c.created_at), db_now().label("now")).where(unfinished, *of_model)
    by_state: dict[JobState, int] = {}
    by_lane: dict[tuple[Lane, JobState], int] = {}
    with reading(engine) as connection:
        for lane, state, n in connection.execute(grouped):
            by_lane[(Lane(lane), JobState(state))] = n
            by_state[JobState(state)] = by_state.get(JobState(state), 0) + n
        oldest_at, now = connection.execute(oldest).one()
    age_s = None if oldest_at is None else (now - oldest_at).total_seconds()
    return JobCounts(by_state=by_state, by_lane=by_lane, oldest_pending_at=oldest_at, oldest_pending_age_s=age_s)


def dead_jobs(engine: Engine, *, limit: int = 100, reason: Reason | None = None) -> list[DeadJob]:
    """List the jobs that died last, newest first; of one reason or of all."""
    c = jobs.c
    columns = [c.id.label("job_id"), c.recording_id, recordings.c.key, models.c.name.label("model_name")]
    columns += [models.c.version.label("model_version"), c.reason, c.detail, c.attempts, c.finished_at]
    columns.append((recordings.c.state == RecordingState.LIVE).label("is_live"))
    chosen = [c.state == JobState.DEAD] + ([] if reason is None else [c.reason == reason])
    statement = (
        select(*columns).join(recordings, recordings.c.id == c.recording_id).join(models, models.c.id == c.model_id)
    )
    statement = statement.where(*chosen).order_by(c.finished_at.desc(), c.id.desc()).limit(limit)
    with reading(engine) as connection:
        return [DeadJob(**row._asdict()) for row in connection.execute(statement)]


def jobs_of(engine: Engine, recording_id: int) -> list[Job]:
    """Read the jobs of one recording, one for each model version that it was given to."""
    statement = select(*_JOB_COLUMNS).where(jobs.c.recording_id == recording_id).order_by(jobs.c.model_id)
    with reading(engine) as connection:
        rows = [row._asdict() for row in connection.execute(statement)]
    return [Job(**{**row, "state": JobState(row["state"]), "lane": Lane(row["lane"])}) for row in rows]


def attempts_of(engine: Engine, job_id: int) -> list[Attempt]:
    """Read the history of one job, first attempt first."""
    columns = [attempts.c[name] for name in Attempt.__dataclass_fields__]
    statement = select(*columns).where(attempts.c.job_id == job_id).order_by(attempts.c.n)
    with reading(engine) as connection:
        return [Attempt(**row._asdict()) for row in connection.execute(statement)]
