"""Arousal and valence as rows, and the upgrade that brought them; also run on PostgreSQL in tests/integration."""

import pytest
from db_samples import (
    a_result,
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
from sqlalchemy import insert, text, update

from db import ledger, migrate, models, results, trends
from db.columns import db_now
from db.engine import make_engine
from db.errors import ConstraintViolated
from db.schema import jobs as jobs_table
from db.schema import results as results_table
from db.schema import segments as segments_table

BEFORE = "0004"
VIEWS = ("v1_note", "v1_segment", "v1_subject_day")
SAID = {"arousal": 0.7, "valence": -0.5}


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def empty_url(tmp_path):
    return f"sqlite:///{tmp_path / 'empty.db'}"


def columns(engine, view):
    with engine.connect() as connection:
        return list(connection.execute(text(f"SELECT * FROM {view}")).keys())


def insert_as_before(engine, claim):
    """What the release before this one writes of a job: it names its columns, and these are not among them."""
    key = {"recording_id": claim.recording.id, "model_id": claim.model.id}
    said = {"label": "sadness", "confidence": 0.4, "is_uncertain": False, **scores()}
    spans = {"n_windows": 1, "speech_ms": 9_000, "rejected_ms": 0, "duration_ms": 9_000}
    told = {"token": claim.token, "status": "SCORED", "trend": {}, "created_at": db_now()}
    segment = {"idx": 0, "start_ms": 0, "end_ms": 8_000, "speech_ms": 8_000}
    done = {"state": "DONE", "lease_until_s": None, "finished_at": db_now()}
    with engine.begin() as connection:
        connection.execute(update(jobs_table).where(jobs_table.c.id == claim.job_id).values(**done))
        connection.execute(insert(results_table).values(**key, **said, **spans, **told))
        connection.execute(insert(segments_table).values(**key, **segment, **scores()))


@pytest.fixture
def upgraded(empty_url):
    """A database of the release before with a row, upgraded; and the columns of its views before and after that."""
    engine = make_engine(empty_url)
    upgrade_to(engine, BEFORE)
    fill_old(engine, [old_recording("anna/0000.wav", subject="anna")])
    old = {view: columns(engine, view) for view in VIEWS}
    upgrade_to(engine, "0005")
    between = {view: columns(engine, view) for view in VIEWS}
    migrate.upgrade(engine)
    return engine, (old, between)


@pytest.mark.parametrize("said", [SAID, {"valence": 0.0}, {}], ids=["both", "one", "none"])
def test_what_was_said_is_read_again_and_nothing_is_added(engine, said):
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)
    ledger.finish(engine, claim, a_result(dimensions=said))

    found = results.result_of(engine, claim.recording.id, claim.model.id)
    (note,) = trends.list_notes(engine)

    assert found.dimensions == said
    assert [segment.dimensions for segment in found.segments] == [said, said]
    assert (note.arousal, note.valence) == (said.get("arousal"), said.get("valence"))


def test_silence_has_no_dimensions(engine):
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)
    ledger.finish(engine, claim, silence())

    assert results.result_of(engine, claim.recording.id, claim.model.id).dimensions == {}


def test_the_upgrade_keeps_each_row_and_says_nothing_for_it(upgraded):
    engine, _ = upgraded

    found = results.result_of(engine, 1, models.active_model(engine).id)

    assert (found.scores, found.dimensions) == (scores(), {})
    assert [segment.dimensions for segment in found.segments] == [{}]
    assert [(note.status, note.arousal, note.valence) for note in trends.list_notes(engine)] == [("scored", None, None)]


@pytest.mark.parametrize("view", VIEWS)
def test_the_upgrade_keeps_each_column_of_a_view_in_its_place_and_puts_two_last(upgraded, view):
    _, (old, between) = upgraded

    assert between[view] == [*old[view], "arousal", "valence"]


@pytest.mark.parametrize("table", [results_table, segments_table])
def test_after_the_upgrade_results_still_cannot_be_changed(upgraded, table):
    engine, _ = upgraded

    with pytest.raises(ConstraintViolated, match=f"{table.name} are immutable"), engine.begin() as connection:
        connection.execute(update(table).values(arousal=0.9))


def test_a_worker_of_the_release_before_writes_on_beside_one_of_this(upgraded):
    engine, _ = upgraded
    old, new = (take(engine, job_id) for job_id in add_jobs(engine, 2))

    insert_as_before(engine, old)
    ledger.finish(engine, new, a_result(dimensions=SAID))

    assert count(engine, "results") == 3
    assert sorted(note.arousal or 0.0 for note in trends.list_notes(engine)) == [0.0, 0.0, 0.7]
