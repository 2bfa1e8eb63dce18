"""A recording beyond the size limit ends as TOO_LARGE by what was registered: nobody reads or downloads it first."""

import time
from datetime import UTC, datetime

import pytest
from db_samples import set_job

from config.settings import Settings
from db import history, jobs, pump, recordings
from db.reasons import JobState, Lane, Reason
from db.rows import NewRecording
from scheduler.naming import Naming
from scheduler.scan import scan
from storage.open import open_bucket, open_place
from tests.unit.test_worker_tasks import Place
from worker import tasks

TOO_MANY_BYTES = 200 * 2**30


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def register(place, **changes):
    """Register a version of 200 GB that is not there at all, and return its queued job's id."""
    facts = {"store": "local", "bucket": str(place.notes.resolve()), "key": "a.wav", "version_tag": "0" * 64, **changes}
    new = NewRecording(size_bytes=TOO_MANY_BYTES, uploaded_at=datetime(2026, 3, 1, tzinfo=UTC), **facts)
    recordings.register(place.engine, [new])
    return queue_job(place)


def queue_job(place):
    jobs.create_jobs(place.engine, place.model.id, lane=Lane.NIGHTLY)
    ((job_id, _),) = pump.due_jobs(place.engine, cap_outstanding=100, limit=100)
    return job_id


@pytest.mark.parametrize("lane", [Lane.NIGHTLY, Lane.QUARANTINE])
@pytest.mark.parametrize("where", [{}, {"store": "s3", "bucket": "nowhere"}])
def test_a_recording_that_is_too_large_ends_before_anything_of_it_is_fetched(place, where, lane, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    job_id = register(place, **where)
    set_job(place.engine, job_id, lane=lane)
    started_s = time.monotonic()

    tasks.score(job_id)

    job = place.job()
    assert (job.state, job.reason) == (JobState.DEAD, Reason.TOO_LARGE)
    assert job.detail == f"the file has {TOO_MANY_BYTES} bytes, allowed are {100 * 2**20}"
    assert time.monotonic() - started_s < 60


def test_a_sparse_file_of_200_gb_is_registered_once_and_ends_as_too_large_while_its_neighbour_is_scored(place):
    settings = Settings(home=place.notes.parent / "home")
    for name, n_bytes in (("ana.wav", 0), ("ben.wav", TOO_MANY_BYTES)):
        with (place.notes / name).open("wb") as file:
            file.truncate(n_bytes)
    started_s = time.monotonic()

    found = []
    for _ in range(2):
        store, prefix = open_place(settings, str(place.notes))
        found.append(scan(place.engine, store, prefix=prefix, naming=Naming.of(settings)))
    jobs.create_jobs(place.engine, place.model.id, lane=Lane.NIGHTLY)
    for job_id, _ in pump.due_jobs(place.engine, cap_outstanding=100, limit=100):
        tasks.score(job_id)

    assert [seen.n_new for seen in found] == [2, 0]
    (recording,) = recordings.find(place.engine, "ben.wav")
    (job,) = history.jobs_of(place.engine, recording.id)
    assert (job.state, job.reason) == (JobState.DEAD, Reason.TOO_LARGE)
    assert str(TOO_MANY_BYTES) in job.detail
    assert time.monotonic() - started_s < 60


def test_a_higher_limit_reads_what_was_too_large_and_makes_another_version_of_it(place):
    (place.notes / "a.wav").write_bytes(bytes(2 * 2**20))
    for max_size_mb in (1, 2):
        settings = Settings(home=place.notes.parent / "home", max_size_mb=max_size_mb)
        for store in (open_place(settings, str(place.notes))[0], open_bucket(settings, "local", str(place.notes))):
            assert store.head("a.wav").version_tag.startswith("unread:") == (max_size_mb == 1)
            scan(place.engine, store, prefix="", naming=Naming.of(settings))

    versions = recordings.find(place.engine, "a.wav")
    assert [version.state.value for version in versions] == ["LIVE", "SUPERSEDED"]
