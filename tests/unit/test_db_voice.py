"""Measures of the voice as rows, in the view, and the upgrade that brought them; also run on PostgreSQL in tests/integration."""

import json

import pytest
from db_samples import a_result, add_jobs, new_sqlite, silence, take, upgrade_to
from sqlalchemy import insert, text, update

from db import ledger, migrate, models, notes, results
from db.columns import db_now
from db.engine import make_engine
from db.errors import ConstraintViolated
from db.schema import jobs as jobs_table
from db.schema import results as results_table
from db.schema import segments as segments_table

VOICE = {"pitch_median_hz": 187.4, "pause_share": 0.0}


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def empty_url(tmp_path):
    return f"sqlite:///{tmp_path / 'empty.db'}"


def finish(engine, result):
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)
    ledger.finish(engine, claim, result)
    return claim


def read_view(engine):
    with engine.connect() as connection:
        voice = connection.scalar(text("SELECT voice FROM v1_note"))
    return json.loads(voice) if isinstance(voice, str) else voice


def write_as_any_client(engine, *, voice, status="SCORED"):
    """Write a result with a statement of its own, past what `NewResult` checks."""
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)
    scored = {"label": "sadness", "confidence": 0.4, "is_uncertain": False, "n_windows": 1}
    scored |= {"anger": 0.1, "happiness": 0.2, "neutral": 0.3, "sadness": 0.4}
    key = {"recording_id": claim.recording.id, "model_id": claim.model.id}
    spans = {"speech_ms": 9_000, "rejected_ms": 0, "duration_ms": 9_000}
    rest = {"token": claim.token, "status": status, "trend": {}, "created_at": db_now()}
    done = {"state": "DONE", "lease_until_s": None, "finished_at": db_now()}
    segment = {"idx": 0, "start_ms": 0, "end_ms": 8_000, "speech_ms": 8_000}
    segment |= {name: scored[name] for name in ("anger", "happiness", "neutral", "sadness")}
    with engine.begin() as connection:
        connection.execute(update(jobs_table).where(jobs_table.c.id == claim.job_id).values(**done))
        told = scored if status == "SCORED" else {"n_windows": 0}
        connection.execute(insert(results_table).values(**key, **told, **spans, **rest, voice=voice))
        if status == "SCORED":
            connection.execute(insert(segments_table).values(**key, **segment))


@pytest.mark.parametrize("voice", [VOICE, {}], ids=["some", "none"])
def test_what_was_measured_is_read_again_everywhere_and_nothing_is_added(engine, voice):
    claim = finish(engine, a_result(voice=voice))

    (note,) = notes.get_notes(engine, "default", [claim.recording.id], model_id=claim.model.id).values()

    assert results.result_of(engine, claim.recording.id, claim.model.id).voice == voice
    assert note.voice == (voice or None)
    assert read_view(engine) == (voice or None)


def test_silence_has_no_voice(engine):
    claim = finish(engine, silence())

    assert results.result_of(engine, claim.recording.id, claim.model.id).voice == {}
    assert read_view(engine) is None


@pytest.mark.parametrize(
    ("voice", "status"),
    [
        ([1.0], "SCORED"),
        ({"pitch_median_hz": "high"}, "SCORED"),
        ({"pitch_median_hz": 1e9}, "SCORED"),
        ({"Pitch of Anna": 1.0}, "SCORED"),
        (VOICE, "NO_SPEECH"),
    ],
    ids=["a list", "text", "too large", "a strange name", "of silence"],
)
def test_the_database_refuses_what_is_no_measure(engine, voice, status):
    with pytest.raises(ConstraintViolated, match="measures of a voice"):
        write_as_any_client(engine, voice=voice, status=status)


def test_the_database_takes_measures_from_any_client(engine):
    write_as_any_client(engine, voice=VOICE)

    assert read_view(engine) == VOICE


def test_the_upgrade_keeps_each_column_of_the_view_in_its_place_and_says_nothing_for_old_rows(empty_url):
    engine = make_engine(empty_url)
    upgrade_to(engine, "0012")
    with engine.connect() as connection:
        before = list(connection.execute(text("SELECT * FROM v1_note")).keys())
    migrate.upgrade(engine)
    with engine.connect() as connection:
        after = list(connection.execute(text("SELECT * FROM v1_note")).keys())

    assert after == [*before, "voice"]


def test_a_worker_of_the_release_before_writes_on_without_the_column(engine):
    write_as_any_client(engine, voice=None)

    assert read_view(engine) is None
    assert results.result_of(engine, 1, models.active_model(engine).id).voice == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_measure_that_is_no_number_becomes_no_row(value):
    with pytest.raises(ValueError, match="pitch_median_hz of the voice is"):
        a_result(voice={"pitch_median_hz": value})
