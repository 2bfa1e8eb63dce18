"""Persons with scored notes under a model that has a baseline section; asserts nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from db_samples import PLENTY, a_model, a_recording, a_result, take
from sqlalchemy import insert, select

from db import jobs, ledger, models, pump, recordings
from db.people_rows import read_relative
from db.people_schema import (
    baseline_notes,
    relative_results,
    subject_baselines,
    subject_days,
    subject_marks,
    subject_trends,
)
from db.reasons import Lane
from db.schema import EMOTIONS
from db.schema import jobs as jobs_table
from db.schema import recordings as recordings_table
from trends import MIDDLE_MIX, Baseline, BaselineRule, Reference, measure_level, write_baseline

FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
REFERENCE = Reference(
    EMOTIONS,
    tuple(tuple(-0.4 if row == column else -2.5 for column in range(4)) for row in range(4)),
)
SECTION = Baseline(REFERENCE, BaselineRule(MIDDLE_MIX))
TABLES = (subject_baselines, baseline_notes, relative_results, subject_days, subject_trends)
STAMPS = {"created_at", "related_at", "refreshed_at"}


def add_model(engine, version="1.0", section=SECTION, **others):
    """A registered and active model whose manifest has a baseline section; None: none."""
    manifest = {"format": 1} | ({} if section is None else {"baseline": write_baseline(section)})
    return models.activate(
        engine, models.add_model(engine, a_model(version, manifest=manifest, **others)).id, force=True
    )


def a_scored(scores, *, speech_ms=16_000, is_uncertain=False):
    """A result with the levels that the worker writes."""
    made = a_result(pooled=scores, speech_ms=speech_ms, is_uncertain=is_uncertain)
    levels = {}
    for label, score in scores.items():
        level = measure_level([score, score], [speech_ms // 2, speech_ms // 2])
        numbers = {"level": level.level, "spread": level.spread, "n_effective": level.n_effective}
        levels[label] = {**made.trend.get(label, {}), **numbers}
    return replace(made, trend=levels)


def draw_scores(rng, shift=(0.0, 0.0, 0.0, 0.0)):
    """Scores of one note, with a part that is constant for a person."""
    logits = 2.0 * np.eye(4)[rng.integers(4)] + rng.normal(0, 0.6, 4) + np.array(shift)
    raised = np.exp(logits)
    return dict(zip(EMOTIONS, (raised / raised.sum()).tolist(), strict=True))


def register(engine, subject, times, *, tenant="default", prefix=None):
    """Register notes of somebody; gives their ids in the order of the times."""
    found = [
        a_recording(
            f"{prefix or subject}/{tenant}/{at:%Y%m%dT%H%M%S}.wav", subject=subject, tenant=tenant, recorded_at=at
        )
        for at in times
    ]
    recordings.register(engine, found)
    c = recordings_table.c
    with engine.connect() as connection:
        ids = {row.key: row.id for row in connection.execute(select(c.id, c.key).where(c.state == "LIVE"))}
    return [ids[new.key] for new in found]


def score(engine, model, results_by_id):
    """Make and finish the jobs of these recordings under a model."""
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)
    c = jobs_table.c
    with engine.connect() as connection:
        wanted = select(c.recording_id, c.id).where(c.model_id == model.id, c.state == "QUEUED")
        by_recording = {row.recording_id: row.id for row in connection.execute(wanted)}
    for recording_id, result in results_by_id.items():
        ledger.finish(engine, take(engine, by_recording[recording_id]), result)


def add_notes(engine, model, subject, scores, *, start=FIRST, step=timedelta(days=1), tenant="default"):
    """Register and score one note a step; gives the ids."""
    ids = register(engine, subject, [start + step * place for place in range(len(scores))], tenant=tenant)
    score(engine, model, dict(zip(ids, map(a_scored, scores), strict=True)))
    return ids


def everything(engine, but=STAMPS):
    """All rows that are kept, without when they were written."""
    with engine.connect() as connection:
        return {
            table.name: [
                {name: value for name, value in row._asdict().items() if name not in but}
                for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in TABLES
        }


def n_notes_behind(engine, ids):
    """By which baseline each note was judged, as the number of notes behind it."""
    found = read_relative(engine, ids)
    return [found[recording_id].n_notes for recording_id in ids]


def make_scores(n, seed=0, shift=(0.0, 0.0, 0.0, 0.0)):
    rng = np.random.default_rng(seed)
    return [draw_scores(rng, shift) for _ in range(n)]


def mark(engine, subject, tenant="default"):
    with engine.begin() as connection:
        connection.execute(insert(subject_marks).values(tenant=tenant, subject=subject))


def correct(engine, recording_id, **others):
    """Give a registered note another person or time, as `identify` does."""
    known = recordings.get(engine, recording_id)
    values = {"subject": known.subject, "recorded_at": known.recorded_at} | others
    changed = a_recording(known.key, known.version_tag, tenant=known.tenant, **values)
    if recordings.correct(engine, [changed], cause="identify") != 1:
        raise LookupError(f"recording {recording_id} was not corrected")
