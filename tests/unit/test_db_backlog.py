"""How much audio is ready to be scored, by the size of recordings; also run on PostgreSQL in tests/integration/test_roles_scaler.py."""

import pytest
from db_samples import PLENTY, a_recording, a_result, add_active_model, new_sqlite, set_job, take

from db import jobs, ledger, models, pump, recordings
from db.backlog import audio_s
from db.reasons import JobState, Lane


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def add(engine, *sizes_bytes):
    """Recordings of these sizes, with a job each that is in the queue; gives the job ids."""
    if models.active_model(engine) is None:
        add_active_model(engine)
    recordings.register(engine, [a_recording(f"{size}.ogg", size_bytes=size) for size in sizes_bytes])
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)
    return [job_id for job_id, _ in pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)]


def test_nothing_is_ready_before_anything_is_queued(engine):
    assert audio_s(engine) == 0


def test_before_anything_is_scored_a_byte_is_a_quarter_of_a_millisecond(engine):
    add(engine, 40_000, 80_000)

    assert audio_s(engine) == 30 + 1


def test_what_has_been_scored_says_how_long_a_byte_is(engine):
    (scored,) = add(engine, 10_000)
    ledger.finish(engine, take(engine, scored), a_result(speech_ms=9_000))  # 10 s of audio

    add(engine, 25_000)

    assert audio_s(engine) == 25 + 1


def test_what_runs_counts_and_what_waits_for_its_time_or_has_ended_does_not(engine):
    runs, waits, ended, queued = add(engine, 40_000, 400_000, 4_000_000, 80_000)
    take(engine, runs)
    set_job(engine, waits, state=JobState.PENDING, queued_at_s=None)
    ledger.fail_dead(engine, take(engine, ended), "NOT_AUDIO", detail="x")

    assert audio_s(engine) == 30 + 1
    assert queued


def test_a_note_of_no_length_still_asks_for_a_worker(engine):
    add(engine, 1)

    assert audio_s(engine) == 1
