"""A result comes whole, with the end of its job, and holds nothing that is no score; also run on PostgreSQL."""

import json
import logging
from itertools import product

import pytest
from db_samples import (
    a_model,
    a_result,
    add_active_model,
    add_jobs,
    count,
    fill_old,
    new_sqlite,
    old_recording,
    scores,
    silence,
    take,
    upgrade_to,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, text, update

from db import ledger, migrate, models
from db.columns import db_now
from db.engine import make_engine
from db.errors import ConstraintViolated
from db.reasons import ResultStatus
from db.rows import NewResult, Segment
from db.schema import EMOTIONS, results, segments
from db.schema import jobs as jobs_table

NAN, HUGE = float("nan"), 7e300
SEGMENT = {"start_ms": 0, "end_ms": 8_000, "speech_ms": 8_000, **scores()}
RESULT = {"status": "SCORED", "label": "sadness", "confidence": 0.4, "is_uncertain": False, **scores()}
RESULT |= {"n_windows": 1, "speech_ms": 9_000, "rejected_ms": 0, "duration_ms": 9_000, "trend": {}}


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def empty_url(tmp_path):
    return f"sqlite:///{tmp_path / 'empty.db'}"


def finished(engine, result=None):
    """A finished job's claim."""
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)
    assert ledger.finish(engine, claim, result or a_result())
    return claim


def key_of(claim):
    return {"recording_id": claim.recording.id, "model_id": claim.model.id}


def write(engine, claim, *, of_result=None, of_segment=None):
    """End a job by hand, with a row of each table that holds something else than it should."""
    key = key_of(claim)
    done = {"state": "DONE", "lease_until_s": None, "finished_at": db_now()}
    with engine.begin() as connection:
        connection.execute(update(jobs_table).where(jobs_table.c.id == claim.job_id).values(**done))
        told = {"token": claim.token, "created_at": db_now()}
        connection.execute(insert(results).values(**key, **(told | RESULT | (of_result or {}))))
        connection.execute(insert(segments).values(**key, **({"idx": 0} | SEGMENT | (of_segment or {}))))


@pytest.mark.parametrize("idx", [-1, 0, 1, 2, 99])
def test_no_segment_is_added_to_a_result_that_is_there(engine, idx):
    claim = finished(engine)

    with pytest.raises(ConstraintViolated), engine.begin() as connection:
        connection.execute(insert(segments).values(**key_of(claim), idx=idx, **SEGMENT))

    assert count(engine, "segments") == 2


def test_no_segment_is_added_to_a_note_without_speech(engine):
    claim = finished(engine, silence())

    with pytest.raises(ConstraintViolated, match="segment comes in"), engine.begin() as connection:
        connection.execute(insert(segments).values(**key_of(claim), idx=0, **SEGMENT))


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "DEAD", "other token"])
def test_a_result_without_the_end_of_its_job_is_refused(engine, state):
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)
    values = {"state": state, "lease_until_s": None, "finished_at": db_now(), "reason": "NOT_AUDIO"}
    if state == "PENDING":
        values["finished_at"] = None
    if state == "other token":
        values |= {"state": "DONE", "lease_token": "another"}
    if state != "RUNNING":
        with engine.begin() as connection:
            connection.execute(update(jobs_table).where(jobs_table.c.id == job_id).values(**values))

    row = {**key_of(claim), "token": claim.token, "created_at": db_now(), **RESULT}
    with pytest.raises(ConstraintViolated, match="ends its job as DONE"), engine.begin() as connection:
        connection.execute(insert(results).values(**row))


@pytest.mark.parametrize("value", [NAN, HUGE, float("inf"), -5.0, -1e-9, 1.000001])
def test_what_is_no_probability_is_refused(engine, value):
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)

    for table, column in product(("of_result", "of_segment"), EMOTIONS):
        with pytest.raises(ConstraintViolated):
            write(engine, claim, **{table: {column: value}})

    assert count(engine, "results") == count(engine, "segments") == 0


# Refused one after the other on one job, since nothing of a refused one stays.
SENSELESS = (
    {"of_result": {"confidence": HUGE}},
    {"of_result": {"confidence": NAN}},
    {"of_result": {"sadness_slope_per_min": HUGE}},
    {"of_result": {"sadness_slope_per_min": float("-inf")}},
    {"of_result": {"arousal": HUGE}},
    {"of_segment": {"valence": -HUGE}},
    {"of_result": {"n_windows": -1}},
    {"of_result": {"speech_ms": -1}},
    {"of_result": {"speech_ms": 2**63 - 1}},
    {"of_result": {"n_windows": 0}},
    {"of_result": {"audio_sha256": "x" * 1_000_000}},
    {"of_result": {"token": "x" * 100}},
    {"of_segment": {"end_ms": 2**63 - 1}},
    {"of_segment": {"speech_ms": -1}},
    {"of_segment": {"idx": -1}},
    {"of_segment": {"idx": 1}},
    {"of_segment": {"end_ms": 0}},
    {"of_result": {"label": "joy"}},
    {"of_result": {"label": "\x1b[31manger"}},
    {"of_result": {"extra_scores": {"joy": 0.1}}},
    {"of_result": {"extra_scores": {"fear": 2.0}}},
    {"of_result": {"extra_scores": {"fear": "high"}}},
    {"of_result": {"extra_scores": {"fear": None}}},
    {"of_result": {"extra_scores": {"anger": 0.9}}},
    {"of_result": {"extra_scores": [0.1]}},
    {"of_segment": {"extra_scores": {"fear": -0.1}}},
    {"of_segment": {"extra_scores": {"joy": 0.1}}},
)


def test_what_readers_could_not_make_sense_of_is_refused(engine):
    add_active_model(engine, labels=(*EMOTIONS, "fear"))
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)

    for bad in SENSELESS:
        with pytest.raises(ConstraintViolated):
            write(engine, claim, **bad)

    assert count(engine, "results") == count(engine, "segments") == 0


def test_the_same_row_without_a_fault_is_taken(engine):
    add_active_model(engine, labels=(*EMOTIONS, "fear"))
    (job_id,) = add_jobs(engine, 1)

    more = {"extra_scores": {"fear": 0.5}, "arousal": 0.7, "valence": -0.7}
    write(engine, take(engine, job_id), of_result={**more, "sadness_slope_per_min": -60_000.0}, of_segment=more)

    assert count(engine, "segments") == 1


probability = st.floats(0.0, 1.0, width=32)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    windows=st.lists(st.tuples(*[probability] * len(EMOTIONS)), min_size=1, max_size=5),
    speech_ms=st.integers(1, 20_000),
    slope=st.floats(-60_000.0, 60_000.0),
)
def test_whatever_scoring_can_say_is_taken(engine, windows, speech_ms, slope):
    parts = [dict(zip(EMOTIONS, window, strict=True)) for window in windows]
    pooled = {name: sum(part[name] * speech_ms for part in parts) / (speech_ms * len(parts)) for name in EMOTIONS}
    label = max(pooled, key=pooled.__getitem__)
    said = NewResult(
        status=ResultStatus.SCORED,
        duration_ms=0,
        speech_ms=speech_ms * len(parts),
        rejected_ms=0,
        n_windows=len(parts),
        label=label,
        confidence=pooled[label],
        is_uncertain=True,
        scores=pooled,
        segments=tuple(
            Segment(start_ms=i, end_ms=i + 1, speech_ms=speech_ms, scores=part) for i, part in enumerate(parts)
        ),
        trend={name: {"slope_per_min": slope} for name in EMOTIONS},
    )

    assert finished(engine, said)


def test_rows_that_break_a_check_stay_and_are_told_while_new_ones_are_refused(empty_url, caplog):
    engine = make_engine(empty_url)
    upgrade_to(engine, "0006")
    fill_old(engine, [old_recording("anna/0.wav", subject="anna") | {"tenant": "default", "tenant_source": "default"}])
    forged = {"recording_id": 1, "model_id": 1, "idx": -1, **SEGMENT, "anger": 7e300}
    with engine.begin() as connection:
        connection.execute(insert(segments).values(forged))

    with caplog.at_level(logging.WARNING):
        migrate.upgrade(engine)

    assert count(engine, "segments") == 2
    if engine.dialect.name == "postgresql":
        assert "1 rows of segments break ck_segments_scores and stay" in caplog.text
    with pytest.raises(ConstraintViolated), engine.begin() as connection:
        connection.execute(insert(segments).values({**forged, "idx": 1}))


def test_an_upgrade_over_sound_rows_leaves_every_check_in_force(empty_url):
    engine = make_engine(empty_url)
    upgrade_to(engine, "0006")
    fill_old(engine, [old_recording("anna/0.wav", subject="anna") | {"tenant": "default", "tenant_source": "default"}])

    migrate.upgrade(engine)

    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM pg_constraint WHERE NOT convalidated")) == 0
    with engine.connect() as connection:
        assert json.dumps([row.idx for row in connection.execute(select(segments))]) == "[0]"
    assert models.add_model(engine, a_model("2.0")).version == "2.0"
