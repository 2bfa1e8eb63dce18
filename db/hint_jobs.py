"""Registers one object that a notification named, and makes its job, in one transaction."""

from sqlalchemy import Engine

from db.fences import lock_registration, read_mark
from db.lane_jobs import find_live, make_jobs
from db.reasons import Lane
from db.recordings import register_in
from db.rows import NewRecording


def register(
    engine: Engine,
    found: NewRecording,
    *,
    mark: int,
    model_id: int | None,
    lane: Lane = Lane.NIGHTLY,
    subject_key: str | None = None,
) -> bool:
    """Register an object version as a scan would, with the jobs that a scan would make for it.

    Args:
        engine: the database.
        found: the version that the store holds, with who and when as a scan reads them.
        mark: what `fences.erasure_mark` said before the store was asked.
        model_id: the active model; None: there is none, and no job is made.
        lane: of its jobs.
        subject_key: fingerprint of the key that subjects are stored under; None: they are plain text.

    Returns:
        False where an erasure has begun or ended since `mark`, or the object is being erased: nothing is written, and the
        store has to be asked again.

    Raises:
        SubjectKeyMismatch: the subjects in the database are stored otherwise.
    """
    with engine.begin() as connection:
        lock_registration(connection)
        if mark != read_mark(connection):
            return False
        register_in(connection, [found], subject_key=subject_key)
        recording_id = find_live(connection, found)
        if recording_id is None:
            return False
        make_jobs(connection, recording_id, model_id=model_id, lane=lane)
        return True
