"""Says how far the jobs of one place have come, cheaply enough to ask twice a second; it never changes a job."""

from dataclasses import dataclass

from sqlalchemy import Engine, and_, case, func, select

from db.engine import reading
from db.reasons import JobState, RecordingState
from db.schema import jobs, recordings, results

_TERMINAL = (JobState.DONE, JobState.DEAD, JobState.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Live recordings of one place under one model: how many, how many have ended, and how much audio that was.

    `n_waiting` of them failed and wait to be tried again, one of them for `waiting_reason`.
    """

    n_recordings: int
    n_ended: int
    n_waiting: int
    waiting_reason: str | None
    total_bytes: int
    ended_bytes: int
    ended_ms: int

    @property
    def is_complete(self) -> bool:
        """Whether every recording has a result or a reason."""
        return self.n_ended == self.n_recordings

    @property
    def expected_ms(self) -> float:
        """Guess the length of all the audio: what has ended, plus the rest at the same bytes per ms."""
        if self.ended_ms == 0 or self.ended_bytes == 0:
            return 0.0
        return self.ended_ms * self.total_bytes / self.ended_bytes


def progress(engine: Engine, model_id: int, *, store: str, bucket: str, prefix: str = "") -> Progress:
    """Count the live recordings under a prefix that have ended under one model."""
    c = recordings.c
    has_ended = jobs.c.state.in_(_TERMINAL)
    waits = and_(jobs.c.state == JobState.PENDING, jobs.c.reason.is_not(None))
    columns = (
        func.count(),
        func.coalesce(func.sum(case((has_ended, 1), else_=0)), 0),
        func.coalesce(func.sum(case((waits, 1), else_=0)), 0),
        func.max(case((waits, jobs.c.reason))),
        func.coalesce(func.sum(c.size_bytes), 0),
        # Dead recordings have no length, so their bytes would spoil the guess.
        func.coalesce(func.sum(case((results.c.duration_ms.is_not(None), c.size_bytes), else_=0)), 0),
        func.coalesce(func.sum(results.c.duration_ms), 0),
    )
    of_job = and_(jobs.c.recording_id == c.id, jobs.c.model_id == model_id)
    of_result = and_(results.c.recording_id == c.id, results.c.model_id == model_id)
    chosen = [c.state == RecordingState.LIVE, c.store == store, c.bucket == bucket]
    if prefix:
        chosen.append(func.substr(c.key, 1, len(prefix)) == prefix)
    statement = select(*columns).outerjoin(jobs, of_job).outerjoin(results, of_result).where(*chosen)
    with reading(engine) as connection:
        n, n_ended, n_waiting, reason, total_bytes, ended_bytes, ended_ms = connection.execute(statement).one()
    return Progress(
        n_recordings=n,
        n_ended=int(n_ended),
        n_waiting=int(n_waiting),
        waiting_reason=reason,
        total_bytes=int(total_bytes),
        ended_bytes=int(ended_bytes),
        ended_ms=int(ended_ms),
    )
