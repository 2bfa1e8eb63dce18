"""Batches of reprocessing: begin one, pause, resume and cancel it, and set how fast it may go."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, func, insert, select, update

from db.batch_schema import batches
from db.columns import db_now, db_now_s
from db.engine import reading
from db.errors import BatchEnded, RowNotFound
from db.reasons import BatchState, JobState, Reason
from db.schema import jobs, models, recordings, results

CANCEL_PAGE = 5_000
MAX_RATE_PER_H = 10_000_000
_c = batches.c
OPEN_STATES = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One reprocess: what was chosen, what the plan counted, and how it ended.

    `model` is `NAME-VERSION`. `known_ms` is the audio of the planned recordings that have a result of any model, and
    `known_bytes` their size. `n_done` to `done_ms` are None until the batch has finished.
    """

    id: int
    model_id: int
    model: str
    state: BatchState
    since: datetime | None
    until: datetime | None
    tenant: str | None
    is_of_person: bool
    sample: float | None
    only_label: str | None
    max_recordings: int | None
    with_unscorable: bool
    n_recordings: int
    n_unscorable: int
    n_bytes: int
    known_ms: int
    known_bytes: int
    rate_per_h: int | None
    created_at: datetime
    planned_at: datetime | None
    finished_at: datetime | None
    n_done: int | None
    n_failed: int | None
    n_cancelled: int | None
    done_ms: int | None

    @property
    def audio_ms(self) -> float | None:
        """Give the audio of all planned recordings, those without a result guessed by their size; None: nothing to go by."""
        return guess_audio_ms(n_bytes=self.n_bytes, known_ms=self.known_ms, known_bytes=self.known_bytes)


def guess_audio_ms(*, n_bytes: int, known_ms: int, known_bytes: int) -> float | None:
    """Give the length of `n_bytes` of audio of which a part is known.

    >>> guess_audio_ms(n_bytes=3000, known_ms=50, known_bytes=1000)
    150.0
    """
    if n_bytes == known_bytes:
        return float(known_ms)
    return None if known_bytes == 0 else known_ms * n_bytes / known_bytes


def list_batches(engine: Engine, *, limit: int | None = None) -> list[Batch]:
    """Read batches, the newest first."""
    with reading(engine) as connection:
        return [_as_batch(row) for row in connection.execute(_read().order_by(_c.id.desc()).limit(limit))]


def find_batch(engine: Engine, batch_id: int) -> Batch:
    """Read one batch.

    Raises:
        RowNotFound: there is none of this number.
    """
    with reading(engine) as connection:
        row = connection.execute(_read().where(_c.id == batch_id)).one_or_none()
    if row is None:
        raise RowNotFound(f"there is no batch {batch_id}: `tonalog batches list` shows what there is")
    return _as_batch(row)


def list_unfinished(engine: Engine) -> list[Batch]:
    """Read the batches that are not at their end yet, the oldest first."""
    with reading(engine) as connection:
        return [_as_batch(row) for row in connection.execute(_read().where(_c.finished_at.is_(None)).order_by(_c.id))]


def insert_batch(connection: Connection, values: dict[str, Any]) -> int:
    """Write a new batch inside a transaction; it ends with the recordings that are registered now."""
    newest = select(func.coalesce(func.max(recordings.c.id), 0)).scalar_subquery()
    statement = insert(batches).values(**values, last_id=newest, created_at=db_now())
    return int(connection.execute(statement.returning(_c.id)).scalar_one())


def pause(engine: Engine, batch_id: int) -> None:
    """Let no further job of a batch begin; those that run end.

    Raises:
        RowNotFound: there is no such batch.
        BatchEnded: it has been cancelled or is done.
    """
    with engine.begin() as connection:
        _change_state(connection, batch_id, BatchState.PAUSED)
        take_back_paused(connection)


def resume(engine: Engine, batch_id: int) -> None:
    """Let a paused batch go on.

    Raises:
        RowNotFound: there is no such batch.
        BatchEnded: it has been cancelled or is done.
    """
    with engine.begin() as connection:
        _change_state(connection, batch_id, BatchState.RUNNING)


def cancel(engine: Engine, batch_id: int) -> None:
    """Give a batch up: no further job of it begins from now on, and `end_cancelled` ends those that wait.

    Raises:
        RowNotFound: there is no such batch.
        BatchEnded: it is done.
    """
    with engine.begin() as connection:
        _change_state(connection, batch_id, BatchState.CANCELLED, but=(BatchState.DONE,))


def set_rate(engine: Engine, batch_id: int, per_h: int | None) -> None:
    """Set how many jobs of a batch may be enqueued in an hour; None: as many as there is room for.

    Raises:
        RowNotFound: there is no such batch.
        BatchEnded: it has been cancelled or is done.
    """
    with engine.begin() as connection:
        _require_open(connection, batch_id)
        # At most one job at once at first, so that a new rate is not begun with what an old one saved up.
        values = {"rate_per_h": per_h, "allowance": 1.0, "allowance_at_s": db_now_s()}
        connection.execute(update(batches).where(_c.id == batch_id).values(values))


def end_cancelled(engine: Engine, batch_id: int) -> int:
    """End one page of the jobs of a cancelled batch that have not begun.

    Returns:
        How many were ended; 0 when none waits any more.
    """
    waits = (jobs.c.batch_id == batch_id, jobs.c.state.in_((JobState.PENDING, JobState.QUEUED)))
    page = select(jobs.c.id).where(*waits).limit(CANCEL_PAGE).with_for_update(skip_locked=True)
    ended = {
        "state": JobState.CANCELLED,
        "reason": Reason.CANCELLED,
        "detail": f"batch {batch_id} was cancelled",
        "finished_at": db_now(),
        "queued_at_s": None,
    }
    with engine.begin() as connection:
        ids = connection.scalars(page).all()
        if ids:
            connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(ended))
        return len(ids)


def close_if_ended(engine: Engine, batch_id: int) -> bool:
    """Note that a batch has finished, with its final figures, once it is planned and none of its jobs is to come.

    Returns:
        Whether it has finished now.
    """
    open_job = select(jobs.c.id).where(jobs.c.batch_id == batch_id, jobs.c.state.in_(OPEN_STATES)).limit(1)
    wanted = select(_c.state, _c.planned_at).where(_c.id == batch_id, _c.finished_at.is_(None)).with_for_update()
    with engine.begin() as connection:
        row = connection.execute(wanted).one_or_none()
        if row is None or (row.planned_at is None and row.state != BatchState.CANCELLED):
            return False
        if connection.execute(open_job).first() is not None:
            return False
        counted = count_jobs(connection, batch_id)
        final = {
            "n_done": counted.get(JobState.DONE, 0),
            "n_failed": counted.get(JobState.DEAD, 0),
            "n_cancelled": counted.get(JobState.CANCELLED, 0),
            "done_ms": sum_done_ms(connection, batch_id),
            "finished_at": db_now(),
            "state": BatchState.CANCELLED if row.state == BatchState.CANCELLED else BatchState.DONE,
        }
        connection.execute(update(batches).where(_c.id == batch_id).values(final))
        return True


def reopen(connection: Connection, batch_ids: set[int]) -> None:
    """Let batches that are done go on inside a transaction that gave jobs of theirs a fresh start."""
    if batch_ids:
        cleared = dict.fromkeys(("finished_at", "n_done", "n_failed", "n_cancelled", "done_ms"))
        done = update(batches).where(_c.id.in_(batch_ids), _c.state == BatchState.DONE)
        connection.execute(done.values(state=BatchState.RUNNING, **cleared))


def count_jobs(connection: Connection, batch_id: int) -> dict[JobState, int]:
    """Count the jobs of a batch by state; reads the index alone."""
    counted = select(jobs.c.state, func.count()).where(jobs.c.batch_id == batch_id).group_by(jobs.c.state)
    return {JobState(state): n for state, n in connection.execute(counted)}


def sum_done_ms(connection: Connection, batch_id: int) -> int:
    """Add up the audio of the jobs of a batch that have a result, in ms."""
    of_job = (results.c.recording_id == jobs.c.recording_id) & (results.c.model_id == jobs.c.model_id)
    total = select(func.coalesce(func.sum(results.c.duration_ms), 0)).select_from(jobs.join(results, of_job))
    return int(connection.execute(total.where(jobs.c.batch_id == batch_id, jobs.c.state == JobState.DONE)).scalar_one())


def take_back_paused(connection: Connection) -> int:
    """Make jobs of paused batches PENDING again that were enqueued, so that they take nobody's place in the queue."""
    paused = select(_c.id).where(_c.state == BatchState.PAUSED)
    statement = update(jobs).where(jobs.c.batch_id.in_(paused), jobs.c.state == JobState.QUEUED)
    back = {"state": JobState.PENDING, "queued_at_s": None, "queue_count": 0}
    return connection.execute(statement.values(back)).rowcount


def _change_state(
    connection: Connection,
    batch_id: int,
    state: BatchState,
    *,
    but: tuple[BatchState, ...] = (BatchState.CANCELLED, BatchState.DONE),
) -> None:
    _require_open(connection, batch_id, but=but)
    connection.execute(update(batches).where(_c.id == batch_id).values(state=state))


def _require_open(
    connection: Connection, batch_id: int, *, but: tuple[BatchState, ...] = (BatchState.CANCELLED, BatchState.DONE)
) -> None:
    state = connection.scalar(select(_c.state).where(_c.id == batch_id).with_for_update())
    if state is None:
        raise RowNotFound(f"there is no batch {batch_id}: `tonalog batches list` shows what there is")
    if state in but:
        words = "was cancelled" if state == BatchState.CANCELLED else "is done"
        raise BatchEnded(f"batch {batch_id} {words}: `tonalog reprocess` begins another one")


def _read() -> Select[Any]:
    own = [_c[name] for name in Batch.__dataclass_fields__ if name != "model"]
    name = (models.c.name + "-" + models.c.version).label("model")
    return select(*own, name).join(models, models.c.id == _c.model_id)


def _as_batch(row: Any) -> Batch:
    values = row._asdict()
    return Batch(**{**values, "state": BatchState(values["state"])})
