"""Makes recordings of uploads, each with a job in the interactive lane, in one transaction."""

from sqlalchemy import Engine, select, update

from db.fences import lock_registration
from db.lane_jobs import find_live, make_jobs
from db.reasons import Lane, UploadState
from db.recordings import register_in
from db.request_schema import uploads
from db.rows import NewRecording


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
        recording_id = find_live(connection, found)
        if recording_id is None:
            return None
        make_jobs(connection, recording_id, model_id=model_id, lane=Lane.INTERACTIVE)
        ended = update(uploads).where(uploads.c.id == upload_id)
        values = {"state": UploadState.REGISTERED, "recording_id": recording_id, "subject": None}
        connection.execute(ended.values(values))
        return recording_id
