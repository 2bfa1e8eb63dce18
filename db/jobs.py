"""Makes jobs for recordings and brings dead ones back; it never runs one."""

from collections.abc import Sequence

from sqlalchemy import Engine, Select, and_, case, exists, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from db.batch_schema import batches
from db.batches import reopen
from db.columns import db_now, db_now_s
from db.engine import reading
from db.fences import lock_registration
from db.model_ends import require_in_use
from db.model_rows import read_model
from db.reasons import BatchState, JobState, Lane, Reason, RecordingState
from db.schema import jobs, recordings

CREATE_BATCH = 5_000


def create_jobs(
    engine: Engine,
    model_id: int,
    *,
    lane: Lane,
    tenant: str | None = None,
) -> int:
    """Make the jobs that are missing for one model; a second call adds none.

    One short transaction for every 5,000 recording ids, so that it can be interrupted and run again, and never holds
    up the workers.

    Args:
        engine: the database.
        model_id: the model version to score with.
        lane: which queue the jobs go through.
        tenant: only this tenant's recordings.

    Returns:
        The number of jobs made.

    Raises:
        ModelRetired: the model version was retired or removed.
    """
    missing = _missing(model_id)
    if tenant is not None:
        missing = missing.where(recordings.c.tenant == tenant)
    with reading(engine) as connection:
        if (model := read_model(connection, model_id)) is not None:
            require_in_use(connection, model)
        last_id = connection.scalar(select(func.max(recordings.c.id))) or 0
    n_made = 0
    for low in range(0, last_id, CREATE_BATCH):
        part = missing.where(recordings.c.id > low, recordings.c.id <= low + CREATE_BATCH)
        n_made += _insert(engine, model_id, part, lane=lane)
    return n_made


def create_jobs_of(engine: Engine, model_id: int, people: Sequence[tuple[str, str]], *, lane: Lane) -> int:
    """Make the jobs that are missing for one model of some people's recordings, in one transaction; gives how many.

    Args:
        engine: the database.
        model_id: the model version to score with, which is neither retired nor removed.
        people: tenant and present name of each, a few hundred at most.
        lane: which queue the jobs go through.
    """
    of_people = tuple_(recordings.c.tenant, recordings.c.subject).in_(list(people))
    return _insert(engine, model_id, _missing(model_id).where(of_people), lane=lane)


def _insert(engine: Engine, model_id: int, wanted: Select[int], *, lane: Lane) -> int:
    insert = postgresql_insert if engine.dialect.name == "postgresql" else sqlite_insert
    columns = ["recording_id", "model_id", "state", "lane", "next_run_at_s", "created_at"]
    values = (literal(model_id), literal(JobState.PENDING.value), literal(lane.value), db_now_s(), db_now())
    with engine.begin() as connection:
        lock_registration(connection)
        statement = insert(jobs).from_select(columns, wanted.add_columns(*values)).on_conflict_do_nothing()
        return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def retry(
    engine: Engine,
    *,
    reason: Reason | None = None,
    recording_id: int | None = None,
    job_id: int | None = None,
) -> int:
    """Give dead jobs of live recordings a fresh start; the history of their attempts stays.

    Args:
        engine: the database.
        reason: only jobs that ended with this reason.
        recording_id: only the jobs of this recording.
        job_id: only this job.

    Returns:
        The number of jobs that are PENDING again. Those of the quarantine lane go through the nightly one, and those of a
        batch through the bulk one again: a batch that was done goes on, and one that was cancelled loses them.
    """
    is_live = exists().where(recordings.c.id == jobs.c.recording_id, recordings.c.state == RecordingState.LIVE)
    chosen = [jobs.c.state == JobState.DEAD, is_live]
    for column, value in ((jobs.c.reason, reason), (jobs.c.recording_id, recording_id), (jobs.c.id, job_id)):
        if value is not None:
            chosen.append(column == value)
    is_suspect = jobs.c.lane == Lane.QUARANTINE
    lane = case((is_suspect & jobs.c.batch_id.is_(None), Lane.NIGHTLY), (is_suspect, Lane.BULK), else_=jobs.c.lane)
    is_given_up = exists().where(batches.c.id == jobs.c.batch_id, batches.c.state == BatchState.CANCELLED)
    batch_id = case((is_given_up, None), else_=jobs.c.batch_id)
    fresh = {"failures": 0, "transients": 0, "lost_count": 0, "queue_count": 0}
    cleared = dict.fromkeys(("reason", "detail", "finished_at", "first_transient_at_s", "queued_at_s", "worker"))
    statement = update(jobs).where(*chosen)
    statement = statement.values(
        state=JobState.PENDING, lane=lane, batch_id=batch_id, next_run_at_s=db_now_s(), **fresh, **cleared
    )
    with engine.begin() as connection:
        changed = connection.execute(statement.returning(jobs.c.batch_id)).all()
        reopen(connection, {row.batch_id for row in changed if row.batch_id is not None})
        return len(changed)


def count_outstanding() -> Select[int]:
    """Give the statement that counts what has been published and has not ended."""
    return select(func.count()).where(jobs.c.state.in_((JobState.QUEUED, JobState.RUNNING)))


def _missing(model_id: int) -> Select[int]:
    has_job = exists().where(and_(jobs.c.recording_id == recordings.c.id, jobs.c.model_id == model_id))
    return select(recordings.c.id).where(recordings.c.state == RecordingState.LIVE, ~has_job)
