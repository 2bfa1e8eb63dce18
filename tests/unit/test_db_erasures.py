"""Erasing in the database: nothing is left, nothing is written later; also run on PostgreSQL in tests/integration."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from db_samples import (
    MONDAY,
    a_model,
    a_recording,
    a_result,
    add_active_model,
    count,
    days_later,
    dump,
    job_row,
    new_sqlite,
    set_job,
    take,
)

from db import erasures, history, jobs, ledger, models, pump, recordings, removals, results, trends
from db.backoff import retry_later
from db.erasures import Chosen
from db.fences import erasure_mark
from db.leases import expire_leases
from db.reasons import ErasureScope, JobState, Lane, Outcome, Reason, RecordingState

ALL, AUDIO = ErasureScope.ALL, ErasureScope.AUDIO
CANARY = Chosen(subject="canary-subject")


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def canary(name="1.wav", version_tag="canary-tag", **others):
    said = {"subject": "canary-subject", "subject_source": "metadata", "bucket": "canary-bucket", **others}
    return a_recording(f"canary-key/{name}", version_tag, **said)


def scheduled(engine, *found):
    """Register and make jobs; gives the job ids by key."""
    recordings.register(engine, list(found))
    model = models.active_model(engine) or add_active_model(engine)
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    live = [recordings.find(engine, new.key)[0] for new in found]
    return {one.key: history.jobs_of(engine, one.id)[0].id for one in live}


def carry_out(engine):
    """Do what is left to do, as if storage had removed every object."""
    removals.forget_objects(engine, removals.objects_to_remove(engine))
    removals.finish(engine)


def test_nothing_of_a_person_is_left_and_others_keep_everything(engine):
    made = scheduled(engine, canary("1.wav"), canary("2.wav"), a_recording("ben/1.wav", subject="ben"))
    for job_id in made.values():
        ledger.finish(engine, take(engine, job_id), a_result())

    extent = erasures.measure(engine, CANARY, scope=ALL)
    erasure_id = erasures.begin(engine, CANARY, scope=ALL)
    carry_out(engine)

    assert (extent.n_recordings, extent.n_results, extent.n_objects, extent.n_running) == (2, 2, 2, 0)
    assert "canary" not in dump(engine)
    assert (count(engine, "results"), count(engine, "segments")) == (1, 2)
    assert [note.subject for note in trends.list_notes(engine)] == ["ben"]
    audit = removals.read_erasure(engine, erasure_id)
    assert (audit.n_recordings, audit.n_results, audit.n_objects, audit.n_left) == (2, 2, 2, 0)
    assert audit.requested_at <= audit.finished_at


def test_every_version_of_a_key_goes_with_it(engine):
    scheduled(engine, canary(version_tag="canary-old"))
    scheduled(engine, canary(version_tag="canary-new", subject=None))
    (live, old) = recordings.find(engine, "canary-key/1.wav")

    erasures.begin(engine, Chosen(recording_id=old.id), scope=ALL)
    carry_out(engine)

    assert recordings.get(engine, live.id).state is RecordingState.ERASED
    assert "canary" not in dump(engine)


def test_what_an_attempt_in_flight_finishes_is_not_written(engine):
    (job_id,) = scheduled(engine, canary()).values()
    claim = take(engine, job_id)

    assert erasures.measure(engine, CANARY, scope=ALL).n_running == 1
    erasures.begin(engine, CANARY, scope=ALL)

    assert not ledger.heartbeat(engine, claim.token, job_id=job_id, lease_s=60)
    assert not ledger.finish(engine, claim, a_result())
    assert not ledger.fail_dead(engine, claim, Reason.NOT_AUDIO, detail="text")
    assert not ledger.release(engine, claim)
    assert not retry_later(engine, claim, Reason.INTERNAL, detail="?", is_transient=False, jitter=1.0)
    row = job_row(engine, job_id)
    assert (row["state"], row["reason"], row["lease_token"]) == (JobState.CANCELLED, Reason.ERASED, None)
    assert (count(engine, "results"), count(engine, "segments")) == (0, 0)
    (attempt,) = history.attempts_of(engine, job_id)
    assert (attempt.outcome, attempt.reason) == (Outcome.ERASED, Reason.ERASED)


@pytest.mark.parametrize("before", ["waits", "is queued", "is done", "is dead", "is scored and waits for a retry"])
def test_a_message_that_comes_again_finds_nothing_to_do(engine, before):
    (job_id,) = scheduled(engine, canary()).values()
    if before == "is queued":
        pump.due_jobs(engine, cap_outstanding=9, limit=9)
    elif before == "is done":
        ledger.finish(engine, take(engine, job_id), a_result())
    elif before == "is dead":
        ledger.fail_dead(engine, take(engine, job_id), Reason.NOT_AUDIO, detail="canary-detail")
    elif before == "is scored and waits for a retry":
        retry_later(
            engine, take(engine, job_id), Reason.INTERNAL, detail="canary-detail", is_transient=False, jitter=1.0
        )

    erasures.begin(engine, CANARY, scope=ALL)
    carry_out(engine)

    assert ledger.claim(engine, job_id, worker="late", lease_s=60) is None
    assert pump.due_jobs(engine, cap_outstanding=9, limit=9) == []
    assert jobs.retry(engine) == 0
    assert jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.BULK) == 0
    assert count(engine, "results") == 0
    assert "canary" not in dump(engine)


def test_a_lease_that_ran_out_is_not_taken_back_after_the_erasure(engine):
    (job_id,) = scheduled(engine, canary()).values()
    take(engine, job_id)
    set_job(engine, job_id, lease_until_s=1.0)

    erasures.begin(engine, CANARY, scope=ALL)

    assert expire_leases(engine).n_expired == 0
    assert job_row(engine, job_id)["state"] == JobState.CANCELLED


def test_workers_scanners_and_an_erasure_at_once_leave_nothing(engine):
    found = [canary(f"{n}.wav") for n in range(12)]
    claims = [take(engine, job_id) for job_id in scheduled(engine, *found).values()]
    bulk = models.add_model(engine, a_model("2.0")).id
    mark = erasure_mark(engine)

    with ThreadPoolExecutor(8) as pool:
        steps = [pool.submit(ledger.finish, engine, claim, a_result()) for claim in claims[:6]]
        steps += [pool.submit(erasures.begin, engine, CANARY, scope=ALL)]
        steps += [pool.submit(jobs.create_jobs, engine, bulk, lane=Lane.BULK)]
        steps += [pool.submit(recordings.register, engine, found, mark=mark)]
        steps += [pool.submit(ledger.finish, engine, claim, a_result()) for claim in claims[6:]]
        for step in steps:
            step.result()
    carry_out(engine)

    assert (count(engine, "results"), count(engine, "segments")) == (0, 0)
    assert set(history.counts(engine).by_state) == {JobState.CANCELLED}
    assert "canary" not in dump(engine)


def test_a_scan_does_not_bring_back_an_object_that_is_not_gone_yet(engine):
    scheduled(engine, canary())
    erasures.begin(engine, CANARY, scope=ALL)

    again = recordings.register(engine, [canary(), canary(version_tag="other"), a_recording("ben/1.wav")])

    assert (again.n_new, again.n_known) == (1, 2)
    carry_out(engine)
    assert recordings.register(engine, [canary()]).n_new == 1  # uploaded again, by whoever wants it scored


def test_a_listing_from_before_an_erasure_registers_nothing_after_it(engine):
    scheduled(engine, canary())
    before = erasure_mark(engine)
    erasures.begin(engine, CANARY, scope=ALL)
    begun = erasure_mark(engine)
    carry_out(engine)

    for mark in (before, begun):
        assert recordings.register(engine, [canary()], mark=mark).n_new == 0

    assert "canary" not in dump(engine)
    assert recordings.register(engine, [a_recording("ben/1.wav")], mark=erasure_mark(engine)).n_new == 1


def test_what_is_left_to_remove_is_remembered_until_it_is_gone(engine):
    scheduled(engine, canary("1.wav"), canary("2.wav"), canary("3.wav"))
    erasure_id = erasures.begin(engine, CANARY, scope=ALL)
    first, *others = removals.objects_to_remove(engine)

    removals.forget_objects(engine, [first])
    removals.forget_objects(engine, [first])  # another process came to the same end
    removals.finish(engine)

    (unfinished,) = removals.unfinished(engine)
    assert (unfinished.id, unfinished.n_objects, unfinished.n_left) == (erasure_id, 1, 2)
    assert removals.objects_to_remove(engine, after_id=first.id) == others
    assert removals.objects_to_remove(engine, limit=1) == others[:1]
    carry_out(engine)
    assert removals.unfinished(engine) == []


def test_nobody_to_erase_leaves_no_audit(engine):
    scheduled(engine, canary())

    for nobody in (Chosen(subject="nobody"), Chosen(recording_id=99), Chosen(before=days_later(-900))):
        assert erasures.begin(engine, nobody, scope=ALL) is None
    erasures.begin(engine, CANARY, scope=ALL)
    carry_out(engine)

    assert erasures.begin(engine, CANARY, scope=ALL) is None
    assert erasures.begin(engine, Chosen(recording_id=1), scope=ALL) is None
    assert count(engine, "erasures") == 1


def test_age_is_of_the_recording_or_else_of_its_registration(engine):
    scheduled(
        engine,
        a_recording("old", recorded_at=days_later(-400)),
        a_recording("young", recorded_at=days_later(-10)),
        a_recording("unknown", uploaded_at=days_later(-900)),
    )
    registered_at = recordings.find(engine, "unknown")[0].registered_at

    def old(before):
        return [one.id for one in erasures.list_old(engine, Chosen(before=before), scope=ALL, limit=9)]

    assert old(days_later(-365)) == [1]
    assert old(days_later(-5)) == [1, 2]
    assert old(registered_at + timedelta(seconds=1)) == [1, 2, 3]
    assert len(erasures.list_old(engine, Chosen(before=MONDAY + timedelta(days=9999)), scope=ALL, limit=2)) == 2


def test_an_old_version_does_not_take_the_new_one_with_it(engine):
    scheduled(engine, a_recording("a", "v1", recorded_at=days_later(-400)))
    scheduled(engine, a_recording("a", "v2", recorded_at=days_later(-1)))

    assert erasures.begin(engine, Chosen(before=days_later(-365)), scope=ALL) is None


def test_audio_can_go_while_results_stay(engine):
    made = scheduled(engine, canary("1.wav"), canary("2.wav"))
    done, running = made.values()
    ledger.finish(engine, take(engine, done), a_result())
    claim = take(engine, running)

    erasure_id = erasures.begin(engine, CANARY, scope=AUDIO)

    assert {item.key for item in removals.objects_to_remove(engine)} == set(made)
    carry_out(engine)
    assert not ledger.finish(engine, claim, a_result())
    assert [note.status for note in trends.subject_trend(engine, "canary-subject")] == ["scored", "cancelled"]
    assert results.result_of(engine, 1, 1).scores == a_result().scores
    assert removals.read_erasure(engine, erasure_id).n_results == 0
    assert erasures.begin(engine, CANARY, scope=AUDIO) is None
    assert erasures.begin(engine, CANARY, scope=ALL) is not None
    carry_out(engine)
    assert "canary" not in dump(engine)


def test_audio_that_is_put_back_is_scored_and_grows_old_again(engine):
    (job_id,) = scheduled(engine, canary()).values()
    erasures.begin(engine, CANARY, scope=AUDIO)
    carry_out(engine)

    assert recordings.known_versions(engine, "local", "canary-bucket", keys=["canary-key/1.wav"]) == {}
    recordings.register(engine, [canary()])

    assert job_row(engine, job_id)["state"] == JobState.PENDING
    assert erasures.measure(engine, CANARY, scope=AUDIO).n_objects == 1
