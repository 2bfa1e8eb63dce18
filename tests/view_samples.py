"""Notes with an end each, and what a view shows; asserts nothing."""

import json

from db_samples import PLENTY, a_recording, add_active_model, days_later, take
from sqlalchemy import text

from db import jobs, ledger, models, pump
from db.reasons import Lane, Reason


def note(subject, day, **others):
    moment = days_later(day)
    key = f"{subject}/{moment:%Y-%m-%d}.wav"
    return a_recording(
        key, subject=subject, subject_source="key", recorded_at=moment, recorded_at_source="key", **others
    )


def end_jobs(engine, ends):
    """Finish the due job of every key in `ends` with its result, or as dead with its reason."""
    model = models.active_model(engine) or add_active_model(engine)
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    for job_id, _ in pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY):
        claim = take(engine, job_id)
        end = ends.get(claim.recording.key)
        if isinstance(end, Reason):
            ledger.fail_dead(engine, claim, end, detail="x")
        elif end is not None:
            ledger.finish(engine, claim, end)


def as_json(document):
    """SQLite's documents are text."""
    return json.loads(document) if isinstance(document, str) else document


def rows(engine, view):
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT * FROM {view}")).all()
