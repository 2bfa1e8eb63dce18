"""Says how far a batch has come and when it may end, and how fast workers have been of late."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, select, text

from db.batches import Batch, count_jobs, sum_done_ms
from db.columns import db_now
from db.engine import reading
from db.reasons import JobState, Outcome
from db.schema import attempts, jobs, results

N_RECENT = 1_000
"""Attempts that speeds are measured on: the newest."""
RECENT_S = 1_800.0
"""A batch's own speed is that of the last half hour."""
_TABLES = ("results", "segments", "jobs", "attempts")


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What the newest finished attempts took: ms of audio for each ms of one process, and how many processes were at it at once."""

    n_jobs: int
    audio_per_wall: float
    n_processes: int


@dataclass(frozen=True, kw_only=True)
class BatchProgress:
    """How far a batch has come.

    `audio_ms` and `eta_s` are None where there is nothing to go by; `eta_s` is also None while nothing of the batch ends.
    """

    by_state: Mapping[JobState, int]
    by_reason: Mapping[str, int]
    done_ms: int
    audio_ms: float | None
    eta_s: float | None

    @property
    def n_open(self) -> int:
        """Jobs that are still to end."""
        return sum(self.by_state.get(state, 0) for state in (JobState.PENDING, JobState.QUEUED, JobState.RUNNING))


def measure_speed(engine: Engine) -> Speed | None:
    """Measure how fast workers are on the newest 1,000 finished attempts; None where there is none with a time."""
    c = attempts.c
    newest = select(c.job_id, c.started_at, c.ended_at, c.wall_ms).where(c.outcome == Outcome.DONE, c.wall_ms > 0)
    recent = newest.order_by(c.id.desc()).limit(N_RECENT).subquery()
    of_result = (results.c.recording_id == jobs.c.recording_id) & (results.c.model_id == jobs.c.model_id)
    joined = recent.join(jobs, jobs.c.id == recent.c.job_id).join(results, of_result)
    columns = (recent.c.started_at, recent.c.ended_at, recent.c.wall_ms, results.c.duration_ms)
    with reading(engine) as connection:
        rows = connection.execute(select(*columns).select_from(joined)).all()
    if not rows:
        return None
    spans = [(row.started_at, row.ended_at) for row in rows]
    audio_ms, wall_ms = sum(row.duration_ms for row in rows), sum(row.wall_ms for row in rows)
    return Speed(n_jobs=len(rows), audio_per_wall=audio_ms / wall_ms, n_processes=count_at_once(spans))


def count_at_once(spans: Sequence[tuple[datetime, datetime]]) -> int:
    """Give the largest number of spans that overlap.

    >>> from datetime import datetime
    >>> at = [datetime(2026, 1, 1, 0, minute) for minute in range(4)]
    >>> count_at_once([(at[0], at[2]), (at[1], at[3]), (at[2], at[3])])
    2
    """
    steps = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def measure_bytes_per_result(engine: Engine) -> float | None:
    """Measure what one result takes of the database's disk, with segments, job and attempts; None where there is none."""
    with reading(engine) as connection:
        n_results = _count_results(connection)
        if not n_results:
            return None
        if connection.dialect.name == "sqlite":
            pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
            return float(connection.execute(text(pages)).scalar_one()) / n_results
        sizes = " + ".join(f"pg_total_relation_size('public.{name}')" for name in _TABLES)
        return float(connection.execute(text(f"SELECT {sizes}")).scalar_one()) / n_results


def read_progress(engine: Engine, batch: Batch) -> BatchProgress:
    """Count the jobs of a batch by state and reason, add up their audio, and guess when it ends."""
    with reading(engine) as connection:
        by_state = _final_counts(batch) or count_jobs(connection, batch.id)
        done_ms = sum_done_ms(connection, batch.id) if batch.done_ms is None else batch.done_ms
        failed = select(jobs.c.reason, func.count()).where(jobs.c.batch_id == batch.id, jobs.c.state == JobState.DEAD)
        by_reason = {row[0]: row[1] for row in connection.execute(failed.group_by(jobs.c.reason))}
        recent_ms, span_s = _recent(connection, batch.id)
    progress = BatchProgress(
        by_state=by_state,
        by_reason=by_reason,
        done_ms=done_ms,
        audio_ms=_expect_ms(batch, by_state, done_ms),
        eta_s=None,
    )
    return progress if not progress.n_open else _with_eta(progress, batch, recent_ms=recent_ms, span_s=span_s)


def _final_counts(batch: Batch) -> dict[JobState, int]:
    """Give how a finished batch ended: its cancelled jobs may be another batch's by now."""
    if batch.finished_at is None:
        return {}
    ended = {JobState.DONE: batch.n_done, JobState.DEAD: batch.n_failed, JobState.CANCELLED: batch.n_cancelled}
    return {state: n or 0 for state, n in ended.items()}


def _expect_ms(batch: Batch, by_state: Mapping[JobState, int], done_ms: int) -> float | None:
    """Take the plan's audio; where that is unknown, guess from what has ended."""
    if batch.audio_ms is not None:
        return batch.audio_ms
    n_done = by_state.get(JobState.DONE, 0)
    return None if n_done == 0 else done_ms * batch.n_recordings / n_done


def _with_eta(progress: BatchProgress, batch: Batch, *, recent_ms: int, span_s: float) -> BatchProgress:
    if progress.audio_ms is None or recent_ms == 0 or span_s <= 0:
        return progress
    share_open = progress.n_open / max(1, sum(progress.by_state.values()))
    left_s = progress.audio_ms * share_open / 1000 / (recent_ms / 1000 / span_s)
    if batch.rate_per_h is not None:
        left_s = max(left_s, progress.n_open * 3600 / batch.rate_per_h)
    return BatchProgress(**{**progress.__dict__, "eta_s": left_s})


def _recent(connection: Connection, batch_id: int) -> tuple[int, float]:
    """Give the audio that a batch finished lately, in ms, and since how many seconds that was going on."""
    c = attempts.c
    newest = select(c.job_id, c.started_at, c.ended_at).where(c.outcome == Outcome.DONE)
    recent = newest.order_by(c.id.desc()).limit(N_RECENT).subquery()
    of_result = (results.c.recording_id == jobs.c.recording_id) & (results.c.model_id == jobs.c.model_id)
    joined = recent.join(jobs, jobs.c.id == recent.c.job_id).join(results, of_result)
    columns = (recent.c.started_at, recent.c.ended_at, results.c.duration_ms, db_now().label("now"))
    rows = connection.execute(select(*columns).select_from(joined).where(jobs.c.batch_id == batch_id)).all()
    fresh = [row for row in rows if (row.now - row.ended_at).total_seconds() <= RECENT_S]
    if not fresh:
        return 0, 0.0
    span_s = (fresh[0].now - min(row.started_at for row in fresh)).total_seconds()
    return sum(row.duration_ms for row in fresh), span_s


def _count_results(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":
        known = "SELECT reltuples FROM pg_class WHERE oid = to_regclass('public.results')"
        estimate = int(connection.execute(text(known)).scalar_one())
        if estimate > 0:
            return estimate
    return connection.scalar(select(func.count()).select_from(results)) or 0
