"""Counts for operators: every recording is counted once, of one tenant or of all; also run on PostgreSQL in tests/integration."""

from datetime import UTC, datetime, timedelta

import pytest
from db_samples import (
    MONDAY,
    a_model,
    a_recording,
    a_result,
    add_active_model,
    days_later,
    new_sqlite,
    scores,
    silence,
    take,
)

from db import jobs, ledger, models, operations, recordings
from db.reasons import JobState, Lane, Reason


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def filled(engine):
    """Six recordings of a tenant and two of another: scored, silent, failed, pending."""
    add_active_model(engine)
    found = [
        a_recording(f"{n}.wav", subject="ana", recorded_at=days_later(n), local_day=days_later(n).date())
        for n in (0, 1, 2, 8, 9, 10)
    ]
    found += [a_recording(f"c{n}.wav", subject="ana", tenant="clinic", local_day=MONDAY.date()) for n in range(2)]
    recordings.register(engine, found)
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)
    ledger.finish(engine, take(engine, 1), a_result(pooled=scores(0.0, 0.0, 0.0, 1.0)))
    ledger.finish(engine, take(engine, 2), a_result(pooled=scores(0.05, 0.15, 0.3, 0.5)))
    ledger.finish(engine, take(engine, 3), silence())
    ledger.fail_dead(engine, take(engine, 4), Reason.NOT_AUDIO, detail="x")
    ledger.finish(engine, take(engine, 5), a_result())
    return engine


def test_each_live_recording_is_in_one_state_of_each_model(filled):
    models.add_model(filled, a_model("2.0"))

    newest, active = operations.cover_models(filled)

    assert (active.n_scored, active.n_no_speech, active.n_failed, active.n_pending) == (3, 1, 1, 3)
    assert (active.n_recordings, active.n_without_job) == (8, 0)
    assert (newest.n_recordings, newest.n_without_job, newest.is_active) == (8, 8, False)


def test_a_tenant_is_counted_by_itself(filled):
    assert operations.cover_models(filled, tenant="clinic")[0].n_recordings == 2
    assert sum(one.n for one in operations.count_lanes(filled, tenant="clinic")) == 2
    assert not operations.count_failures(filled, tenant="clinic")
    assert operations.cover_models(filled, tenant="nobody")[0].n_recordings == 0
    assert not operations.list_week_scores(filled, since=MONDAY.date(), tenant="clinic")


def test_lanes_and_failures_are_counted(filled):
    lanes = {(one.lane, one.state): one.n for one in operations.count_lanes(filled)}

    assert lanes[Lane.NIGHTLY, JobState.DONE] == 4
    assert sum(lanes.values()) == 8
    assert [(one.reason, one.n) for one in operations.count_failures(filled)] == [("NOT_AUDIO", 1)]


def test_output_is_by_day_and_not_older_than_asked_for(filled):
    now = datetime.now(UTC)

    (today,) = operations.list_output(filled, since=now - timedelta(days=2))

    assert today.n_notes == 4
    assert abs((now.date() - today.day).days) <= 1
    assert today.duration_ms > 0
    assert not operations.list_output(filled, since=now + timedelta(days=1))


def test_scores_are_counted_by_week_and_every_note_is_in_one_bin(filled):
    found = operations.list_week_scores(filled, since=MONDAY.date())

    sad = [one for one in found if one.label == "sadness"]
    assert [(one.week, one.n_notes) for one in sad] == [(MONDAY.date(), 2), (MONDAY.date() + timedelta(days=7), 1)]
    assert all(sum(one.bins) == one.n_notes for one in found)
    assert sad[0].mean == pytest.approx(0.75)
    assert [place for place, n in enumerate(sad[0].bins) if n] == [5, 9], "a score of 1 is in the last bin"
    assert [one.week for one in operations.list_week_scores(filled, since=days_later(8).date())][:1] == [
        MONDAY.date() + timedelta(days=7)
    ]


def test_an_empty_database_counts_nothing(engine):
    assert operations.cover_models(engine) == []
    assert operations.count_lanes(engine) == []
