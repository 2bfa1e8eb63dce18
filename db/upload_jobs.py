"""Makes recordings of uploads, each with a job in the interactive lane, in one transaction."""

from sqlalchemy import Connection, Engine, select, update

from db.columns import db_now, db_now_s
from db.fences import lock_registration
from db.model_readers import find_canary
from db.reasons import JobState, Lane, RecordingState, UploadState
from db.recordings import register_in
from db.request_schema import uploads
from db.rows import NewRecording
from db.schema import jobs, recordings


def register(
    engine: Engine, upload_id: str, found: NewRecording, *, model_id: int | None, subject_key: str | None = None
) -> int | None:
    """Register the object of an upload whose bytes are there, and make its job, and that of the canary where the person is in it.

    What a scan has registered meanwhile stays as it is; a job of it that nobody has begun changes lanes.

    Args:
        engine: the database.
        upload_id: the upload.
        found: the object, with who and when as a scan reads them.
        model_id: the active model; None: there is none, and no job is made.
        subject_key: fingerprint of the key that subjects are stored under; None: they are plain text.

    Returns:
        The id of the recording; None where the upload or its object was erased, or another process has made it.

    Raises:
        SubjectKeyMismatch: the subjects in the database are stored otherwise.
    """
    with engine.begin() as connection:
        lock_registration(connection)
        mine = select(uploads.c.id).where(uploads.c.id == upload_id, uploads.c.state == UploadState.RECEIVED)
        if connection.scalar(mine.with_for_update()) is None:
            return None
        register_in(connection, [found], subject_key=subject_key)
        recording_id = _find_recording(connection, found)
        if recording_id is None:
            return None
        for one in _list_models(connection, recording_id, model_id):
            _add_job(connection, recording_id, one)
        ended = update(uploads).where(uploads.c.id == upload_id)
        values = {"state": UploadState.REGISTERED, "recording_id": recording_id, "subject": None}
        connection.execute(ended.values(values))
        return recording_id


def _find_recording(connection: Connection, found: NewRecording) -> int | None:
    c = recordings.c
    is_version = (c.store == found.store, c.bucket == found.bucket, c.key == found.key)
    wanted = select(c.id).where(*is_version, c.version_tag == found.version_tag, c.state == RecordingState.LIVE)
    recording_id: int | None = connection.scalar(wanted)
    return recording_id


def _list_models(connection: Connection, recording_id: int, active_id: int | None) -> list[int]:
    """Give the models that score a recording now, by the person's present name."""
    if active_id is None:
        return []
    canary = find_canary(connection)
    whose = select(recordings.c.tenant, recordings.c.subject).where(recordings.c.id == recording_id)
    row = connection.execute(whose).one()
    is_in = canary is not None and canary.scores(row.tenant, row.subject) and canary.model_id != active_id
    return [active_id, canary.model_id] if canary is not None and is_in else [active_id]


def _add_job(connection: Connection, recording_id: int, model_id: int) -> None:
    c = jobs.c
    is_job = (c.recording_id == recording_id, c.model_id == model_id)
    if connection.scalar(select(c.id).where(*is_job)) is None:
        values = {"recording_id": recording_id, "model_id": model_id, "state": JobState.PENDING}
        clock = {"next_run_at_s": db_now_s(), "created_at": db_now()}
        connection.execute(jobs.insert().values({**values, **clock, "lane": Lane.INTERACTIVE}))
        return
    waiting = update(jobs).where(*is_job, c.state == JobState.PENDING, c.lane == Lane.NIGHTLY)
    connection.execute(waiting.values(lane=Lane.INTERACTIVE))
