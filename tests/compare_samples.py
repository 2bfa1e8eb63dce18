"""Notes under two versions of a model; asserts nothing."""

from datetime import timedelta

from db_samples import MONDAY, PLENTY, a_model, a_recording, a_result, scores, silence, take
from sqlalchemy import select

from db import jobs, ledger, models, pump, recordings
from db.reasons import Lane
from db.schema import jobs as jobs_table
from db.schema import recordings as recordings_table

SAD, ANGRY = scores(), scores(anger=0.6, sadness=0.1, happiness=0.1, neutral=0.2)


def add_versions(engine):
    """Two registered versions, of which the first is active."""
    a, b = (models.add_model(engine, a_model(version)) for version in ("1.0", "1.1"))
    return models.activate(engine, a.id), b


def add_notes(engine, subject, n, *, tenant="default"):
    """Register a note a day; gives their ids."""
    keys = [f"{tenant}/{subject}/{place:03}.wav" for place in range(n)]
    found = [
        a_recording(key, subject=subject, tenant=tenant, recorded_at=MONDAY + timedelta(days=place))
        for place, key in enumerate(keys)
    ]
    recordings.register(engine, found)
    c = recordings_table.c
    with engine.connect() as connection:
        ids = {row.key: row.id for row in connection.execute(select(c.key, c.id).where(c.key.in_(keys)))}
    return [ids[key] for key in keys]


def score(engine, model, pooled_by_id, *, wall_ms=1_000):
    """Score recordings under a version; None in place of scores: nobody speaks."""
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)
    c = jobs_table.c
    with engine.connect() as connection:
        wanted = select(c.recording_id, c.id).where(c.model_id == model.id, c.recording_id.in_(pooled_by_id))
        by_recording = {row.recording_id: row.id for row in connection.execute(wanted)}
    for recording_id, pooled in pooled_by_id.items():
        result = silence() if pooled is None else a_result(pooled=pooled)
        ledger.finish(engine, take(engine, by_recording[recording_id]), result, wall_ms=wall_ms, peak_rss_kib=1_024)


def fill_two(engine):
    """Ana is angry under the second version only, ben is silent there, and one note of nobody is not scored by it."""
    a, b = add_versions(engine)
    ana, ben = add_notes(engine, "ana", 3), add_notes(engine, "ben", 2, tenant="clinic")
    (nobody,) = add_notes(engine, None, 1)
    score(engine, a, dict.fromkeys([*ana, *ben, nobody], SAD))
    score(engine, b, {**dict.fromkeys(ana, ANGRY), ben[0]: None, ben[1]: SAD}, wall_ms=2_000)
    return a, b
