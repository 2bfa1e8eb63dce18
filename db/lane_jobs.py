"""Makes the jobs of one recording in a lane, in the transaction that registers it."""

from sqlalchemy import Connection, select, update

from db.columns import db_now, db_now_s
from db.model_readers import find_canary
from db.reasons import JobState, Lane, RecordingState
from db.rows import NewRecording
from db.schema import jobs, recordings


def find_live(connection: Connection, found: NewRecording) -> int | None:
    """Give the id of a registered version; None where it is not live, such as one that is being erased."""
    c = recordings.c
    is_version = (c.store == found.store, c.bucket == found.bucket, c.key == found.key)
    wanted = select(c.id).where(*is_version, c.version_tag == found.version_tag, c.state == RecordingState.LIVE)
    recording_id: int | None = connection.scalar(wanted)
    return recording_id


def make_jobs(connection: Connection, recording_id: int, *, model_id: int | None, lane: Lane) -> None:
    """Make the missing jobs of a recording: of the active model, and of the canary where its person is in it.

    A nightly job that nobody has begun changes to the lane `interactive` where that is asked for.

    Args:
        connection: of the transaction that registers.
        recording_id: the recording.
        model_id: the active model; None: there is none, and no job is made.
        lane: of the jobs.
    """
    for one in _list_models(connection, recording_id, model_id):
        _make_job(connection, recording_id, one, lane=lane)


def _list_models(connection: Connection, recording_id: int, active_id: int | None) -> list[int]:
    """Give the models that score a recording now, by the person's present name."""
    if active_id is None:
        return []
    canary = find_canary(connection)
    whose = select(recordings.c.tenant, recordings.c.subject).where(recordings.c.id == recording_id)
    row = connection.execute(whose).one()
    is_in = canary is not None and canary.scores(row.tenant, row.subject) and canary.model_id != active_id
    return [active_id, canary.model_id] if canary is not None and is_in else [active_id]


def _make_job(connection: Connection, recording_id: int, model_id: int, *, lane: Lane) -> None:
    c = jobs.c
    is_job = (c.recording_id == recording_id, c.model_id == model_id)
    if connection.scalar(select(c.id).where(*is_job)) is None:
        values = {"recording_id": recording_id, "model_id": model_id, "state": JobState.PENDING}
        clock = {"next_run_at_s": db_now_s(), "created_at": db_now()}
        connection.execute(jobs.insert().values({**values, **clock, "lane": lane}))
    elif lane is Lane.INTERACTIVE:
        waiting = update(jobs).where(*is_job, c.state == JobState.PENDING, c.lane == Lane.NIGHTLY)
        connection.execute(waiting.values(lane=lane))
