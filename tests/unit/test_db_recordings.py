"""Object versions: new, known, replaced and put back; also run on PostgreSQL in tests/integration."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from db_samples import MONDAY, a_recording, a_result, add_active_model, count, job_row, new_sqlite, take
from sqlalchemy import event

from db import history, jobs, ledger, models, recordings, results
from db.reasons import JobState, Lane, Reason, RecordingState


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def scheduled(engine, *found):
    """Register and give every recording a job; gives the ids of all jobs."""
    recordings.register(engine, list(found))
    model = models.active_model(engine) or add_active_model(engine)
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    return [
        job.id for recording in range(1, count(engine, "recordings") + 1) for job in history.jobs_of(engine, recording)
    ]


def test_registering_says_what_is_new_and_what_was_known(engine):
    first = recordings.register(engine, [a_recording("a"), a_recording("b")])
    second = recordings.register(engine, [a_recording("a"), a_recording("b"), a_recording("c")])

    assert (first.n_new, first.n_known) == (2, 0)
    assert (second.n_new, second.n_known) == (1, 2)


def test_many_recordings_are_registered_in_batches(engine, monkeypatch):
    monkeypatch.setattr(recordings, "BATCH", 10)
    found = [a_recording(f"{i}.wav") for i in range(35)]

    assert recordings.register(engine, found).n_new == 35
    assert len(recordings.known_versions(engine, "local", "notes", keys=[new.key for new in found])) == 35


def test_what_a_recording_says_of_itself_is_kept(engine):
    recorded_at = datetime(2026, 11, 1, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    new = a_recording(
        "anna/x.opus",
        subject="anna",
        subject_source="metadata",
        recorded_at=recorded_at,
        recorded_at_precision="second",
        recorded_at_source="key",
    )
    recordings.register(engine, [new])

    (found,) = recordings.find(engine, "anna/x.opus")

    for name in recordings.NewRecording.__dataclass_fields__:
        assert getattr(found, name) == getattr(new, name)
    assert found.recorded_at.utcoffset() == timedelta(0)
    assert found.state is RecordingState.LIVE


def test_a_time_without_a_zone_is_refused(engine):
    with pytest.raises(Exception, match="2026-11-02T08:30:00 has no time zone"):
        recordings.register(engine, [a_recording("a", uploaded_at=MONDAY.replace(tzinfo=None))])


def test_a_new_version_supersedes_the_old_one_and_cancels_what_nobody_has_begun(engine):
    (old_job,) = scheduled(engine, a_recording("a", "v1"))

    recordings.register(engine, [a_recording("a", "v2")])

    assert [(found.version_tag, found.state) for found in recordings.find(engine, "a")] == [
        ("v2", RecordingState.LIVE),
        ("v1", RecordingState.SUPERSEDED),
    ]
    row = job_row(engine, old_job)
    assert (row["state"], row["reason"]) == (JobState.CANCELLED, Reason.OBJECT_CHANGED)


def test_a_superseded_version_keeps_its_result(engine):
    (old_job,) = scheduled(engine, a_recording("a", "v1"))
    claim = take(engine, old_job)
    ledger.finish(engine, claim, a_result())
    before = results.result_of(engine, claim.recording.id, claim.model.id)

    scheduled(engine, a_recording("a", "v2"))

    assert job_row(engine, old_job)["state"] == JobState.DONE
    after = results.result_of(engine, claim.recording.id, claim.model.id)
    assert after == before
    assert after.scores == a_result().scores


def test_work_on_a_version_that_is_superseded_meanwhile_may_still_finish(engine):
    (old_job,) = scheduled(engine, a_recording("a", "v1"))
    claim = take(engine, old_job)

    recordings.register(engine, [a_recording("a", "v2")])

    assert ledger.finish(engine, claim, a_result())


def test_superseded_recordings_get_no_jobs(engine):
    recordings.register(engine, [a_recording("a", "v1")])
    recordings.register(engine, [a_recording("a", "v2")])

    assert jobs.create_jobs(engine, add_active_model(engine).id, lane=Lane.NIGHTLY) == 1


@pytest.mark.parametrize("end", ["cancelled", "object changed", "scored"])
def test_a_version_that_comes_back_is_live_again_and_so_is_its_cancelled_work(engine, end):
    (old_job,) = scheduled(engine, a_recording("a", "v1"))
    if end == "object changed":
        ledger.fail_dead(engine, take(engine, old_job), Reason.OBJECT_CHANGED, detail="412")
    elif end == "scored":
        ledger.finish(engine, take(engine, old_job), a_result())
    _, new_job = scheduled(engine, a_recording("a", "v2"))

    known = recordings.known_versions(engine, "local", "notes", keys=["a"])
    back = recordings.register(engine, [a_recording("a", "v1")])

    assert set(known) == {("a", "v2")}
    assert back.n_new == 0
    assert recordings.find(engine, "a")[0].version_tag == "v1"
    assert job_row(engine, old_job)["state"] == (JobState.DONE if end == "scored" else JobState.PENDING)
    assert job_row(engine, new_job)["state"] == JobState.CANCELLED


def test_of_two_versions_in_one_listing_the_last_one_is_live(engine):
    recordings.register(engine, [a_recording("a", "v1"), a_recording("a", "v2"), a_recording("a", "v2")])

    states = [(found.version_tag, found.state) for found in recordings.find(engine, "a")]

    assert states == [("v2", RecordingState.LIVE), ("v1", RecordingState.SUPERSEDED)]


def test_the_same_key_in_another_bucket_is_another_recording(engine):
    recordings.register(engine, [a_recording("a"), a_recording("a", bucket="others"), a_recording("a", store="s3")])

    assert {found.state for found in recordings.find(engine, "a")} == {RecordingState.LIVE}
    assert recordings.known_versions(engine, "s3", "notes", keys=["a", "b"]).keys() == {("a", "v1")}


def test_scanners_that_race_with_versions_of_one_key_leave_one_live(engine):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: recordings.register(engine, [a_recording("a", f"v{n % 4}")]), range(16)))

    found = recordings.find(engine, "a")
    assert (sum(done.n_new for done in made), len(found)) == (4, 4)
    assert [one.state for one in found].count(RecordingState.LIVE) == 1


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ("anna/1.wav", ["anna/1.wav"]),
        ("1.wav", ["ben/1.wav", "anna/1.wav"]),
        ("2", ["ben/1.wav"]),
        ("%", []),
        ("9" * 30, []),
    ],
)
def test_a_recording_is_found_by_id_by_key_and_by_the_end_of_its_key(engine, wanted, keys):
    recordings.register(engine, [a_recording("anna/1.wav"), a_recording("ben/1.wav")])

    assert [found.key for found in recordings.find(engine, wanted)] == keys


def test_a_recording_is_read_by_id(engine):
    recordings.register(engine, [a_recording("a")])

    assert recordings.get(engine, 1).key == "a"
    assert recordings.get(engine, 2) is None


def test_a_page_costs_as_many_statements_as_one_recording(engine):
    def count_statements(found):
        asked = []

        def note(_connection, _cursor, statement, _parameters, _context, is_many):
            asked.append("many" if is_many and engine.dialect.name == "postgresql" else statement.split()[0])

        event.listen(engine, "before_cursor_execute", note)
        try:
            assert recordings.register(engine, found).n_new == len(found)
            recordings.known_versions(engine, "local", "notes", keys=[new.key for new in found])
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return asked

    of_one = count_statements([a_recording("one.wav", subject="anna", recorded_at=MONDAY)])
    of_page = count_statements([a_recording(f"{n}.wav", subject=f"person-{n}") for n in range(recordings.BATCH)])

    assert of_page == of_one
    assert "many" not in of_page
