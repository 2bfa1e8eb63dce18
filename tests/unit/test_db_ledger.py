"""The life of one attempt; the same tests run on PostgreSQL in tests/integration."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from db_samples import a_result, add_active_model, add_jobs, count, job_row, new_sqlite, scores, set_job, silence, take

from db import backoff, history, jobs, leases, ledger, recordings, results
from db.backoff import BACKOFF_CAP_FACTOR, BACKOFF_FIRST_S, GIVE_UP_AFTER_S
from db.columns import db_now_s
from db.errors import DatabaseError
from db.reasons import JobState, Lane, Outcome, Reason, ResultStatus
from db.rows import NewResult
from db.schema import EMOTIONS


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def test_a_claim_brings_the_recording_and_the_model_and_opens_an_attempt(engine):
    (job_id,) = add_jobs(engine, 1)

    claim = ledger.claim(engine, job_id, worker="host-1", lease_s=60)

    assert (claim.job_id, claim.attempt_n, claim.lane) == (job_id, 1, Lane.NIGHTLY)
    assert (claim.recording.key, claim.model.version) == ("anna/0000.wav", "1.0")
    (attempt,) = history.attempts_of(engine, job_id)
    assert (attempt.n, attempt.worker, attempt.outcome) == (1, "host-1", None)


def test_of_eight_claims_at_once_one_wins(engine):
    job_ids = add_jobs(engine, 5)

    def race(worker):
        return [ledger.claim(engine, job_id, worker=str(worker), lease_s=60) for job_id in job_ids]

    with ThreadPoolExecutor(8) as pool:
        tries = list(pool.map(race, range(8)))

    for claims in zip(*tries, strict=True):
        assert sum(claim is not None for claim in claims) == 1
    assert count(engine, "attempts") == len(job_ids)


@pytest.mark.parametrize("end", ["finish", "fail", "cancel"])
def test_a_job_that_has_ended_cannot_be_claimed(engine, end):
    (job_id,) = add_jobs(engine, 1)
    if end == "cancel":
        recordings.register(engine, [replace_version(engine, job_id)])
    elif end == "finish":
        ledger.finish(engine, take(engine, job_id), a_result())
    else:
        ledger.fail_dead(engine, take(engine, job_id), Reason.NOT_AUDIO, detail="starts with %PDF")

    assert ledger.claim(engine, job_id, worker="late", lease_s=60) is None


def test_a_job_that_was_put_off_cannot_be_claimed_before_its_time(engine):
    (job_id,) = add_jobs(engine, 1)
    backoff.retry_later(engine, take(engine, job_id), Reason.INTERNAL, detail="x", is_transient=True)

    early = ledger.claim(engine, job_id, worker="replayed message", lease_s=60)
    set_job(engine, job_id, next_run_at_s=0.0)

    assert early is None
    assert ledger.claim(engine, job_id, worker="w", lease_s=60).attempt_n == 2


def test_claiming_an_unknown_job_gives_nothing(engine):
    assert ledger.claim(engine, 99, worker="w", lease_s=60) is None


def test_a_heartbeat_makes_the_lease_longer(engine):
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id, lease_s=10)
    before_s = job_row(engine, job_id)["lease_until_s"]

    assert ledger.heartbeat(engine, claim.token, job_id=job_id, lease_s=100)

    assert job_row(engine, job_id)["lease_until_s"] - before_s > 80


def test_a_finished_job_has_its_result_its_segments_and_its_history(engine):
    add_active_model(engine, labels=(*EMOTIONS, "surprise"))
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)
    result = a_result(pooled={**scores(), "surprise": 0.05})

    assert ledger.finish(engine, claim, result, wall_ms=1_234, peak_rss_kib=200_000)

    stored = results.result_of(engine, claim.recording.id, claim.model.id)
    assert NewResult(**{name: getattr(stored, name) for name in NewResult.__dataclass_fields__}) == result
    assert stored.token == claim.token == job_row(engine, job_id)["lease_token"]
    assert results.segments_of(engine, claim.recording.id, claim.model.id) == result.segments
    (attempt,) = history.attempts_of(engine, job_id)
    assert (attempt.outcome, attempt.wall_ms, attempt.peak_rss_kib) == (Outcome.DONE, 1_234, 200_000)
    assert attempt.ended_at >= attempt.started_at
    assert job_row(engine, job_id)["state"] == JobState.DONE


def test_a_note_without_speech_is_a_result_without_scores(engine):
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)

    ledger.finish(engine, claim, silence())

    stored = results.result_of(engine, claim.recording.id, claim.model.id)
    assert (stored.status, stored.label, stored.scores, stored.segments) == (ResultStatus.NO_SPEECH, None, {}, ())


def test_finishing_twice_gives_one_result(engine):
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)

    first = ledger.finish(engine, claim, a_result())
    second = ledger.finish(engine, claim, a_result(pooled=scores(anger=0.9)))

    assert (first, second) == (True, False)
    assert count(engine, "results") == 1
    assert results.result_of(engine, claim.recording.id, claim.model.id).scores == scores()


def test_after_its_lease_was_taken_back_a_worker_writes_nothing(engine):
    (job_id,) = add_jobs(engine, 1)
    lost = take(engine, job_id, lease_s=-1)
    leases.expire_leases(engine)
    new = take(engine, job_id)

    outcomes = (
        ledger.heartbeat(engine, lost.token, job_id=job_id, lease_s=60),
        ledger.finish(engine, lost, a_result()),
        ledger.fail_dead(engine, lost, Reason.INTERNAL, detail="late"),
        ledger.release(engine, lost),
        backoff.retry_later(engine, lost, Reason.INTERNAL, detail="late", is_transient=True),
    )

    assert outcomes == (False, False, False, False, None)
    assert count(engine, "results") == 0
    assert ledger.finish(engine, new, a_result())
    assert [attempt.outcome for attempt in history.attempts_of(engine, job_id)] == [Outcome.LOST, Outcome.DONE]


def test_a_failing_write_of_the_result_leaves_the_job_running(engine):
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)
    broken = a_result()
    backwards = replace(broken.segments[0], start_ms=5, end_ms=1)

    with pytest.raises(DatabaseError, match="span"):
        ledger.finish(engine, claim, replace(broken, segments=(backwards,)))

    assert (count(engine, "results"), job_row(engine, job_id)["state"]) == (0, JobState.RUNNING)
    assert ledger.finish(engine, claim, a_result())


def test_a_dead_job_says_why(engine):
    (job_id,) = add_jobs(engine, 1)
    ledger.fail_dead(engine, take(engine, job_id), Reason.ZERO_BYTES, detail="d" * 2_000, wall_ms=3)

    (dead,) = history.dead_jobs(engine, limit=10)

    assert (dead.job_id, dead.key, dead.reason, dead.attempts) == (job_id, "anna/0000.wav", Reason.ZERO_BYTES, 1)
    assert dead.detail == "d" * ledger.DETAIL_LENGTH
    (attempt,) = history.attempts_of(engine, job_id)
    assert (attempt.outcome, attempt.reason, attempt.wall_ms) == (Outcome.DEAD, Reason.ZERO_BYTES, 3)


def test_released_work_can_be_taken_at_once_and_counts_as_no_failure(engine):
    (job_id,) = add_jobs(engine, 1)

    assert ledger.release(engine, take(engine, job_id))

    assert take(engine, job_id).attempt_n == 2
    row = job_row(engine, job_id)
    assert (row["failures"], row["lost_count"], row["transients"]) == (0, 0, 0)


def test_passing_trouble_waits_twice_as_long_each_time_and_never_uses_up_attempts(engine):
    (job_id,) = add_jobs(engine, 1)
    delays_s = []
    for _ in range(9):
        claim = take(engine, job_id)
        put_off = backoff.retry_later(engine, claim, Reason.STORAGE_DENIED, detail="403", is_transient=True)
        delays_s.append(put_off.delay_s)
        assert put_off.state is JobState.PENDING
        set_job(engine, job_id, next_run_at_s=0.0)

    assert delays_s == [30, 60, 120, 240, 480, 960, *[BACKOFF_FIRST_S * BACKOFF_CAP_FACTOR] * 3]
    assert job_row(engine, job_id)["failures"] == 0


def test_the_first_wait_and_with_it_the_longest_is_the_callers_choice(engine):
    (job_id,) = add_jobs(engine, 1)
    delays_s = []
    for _ in range(9):
        claim = take(engine, job_id)
        trouble = {"detail": "503", "is_transient": True, "backoff_s": 0.5}
        delays_s.append(backoff.retry_later(engine, claim, Reason.STORAGE_UNAVAILABLE, **trouble).delay_s)
        set_job(engine, job_id, next_run_at_s=0.0)

    assert delays_s == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_jitter_shortens_the_wait(engine):
    (job_id,) = add_jobs(engine, 1)

    put_off = backoff.retry_later(
        engine, take(engine, job_id), Reason.INTERNAL, detail="x", is_transient=True, jitter=0.5
    )

    assert put_off.delay_s == 15
    with engine.connect() as connection:
        wait_s = job_row(engine, job_id)["next_run_at_s"] - connection.scalar(db_now_s().select())
    assert 10 < wait_s <= 15


def test_after_a_day_of_passing_trouble_the_job_is_given_up(engine):
    (job_id,) = add_jobs(engine, 1)
    backoff.retry_later(engine, take(engine, job_id), Reason.INTERNAL, detail="x", is_transient=True)
    begun_s = job_row(engine, job_id)["first_transient_at_s"]
    set_job(engine, job_id, next_run_at_s=0.0, first_transient_at_s=begun_s - GIVE_UP_AFTER_S)

    end = backoff.retry_later(engine, take(engine, job_id), Reason.STORAGE_DENIED, detail="403", is_transient=True)

    assert (end.state, end.reason) == (JobState.DEAD, Reason.GAVE_UP)
    row = job_row(engine, job_id)
    assert (row["state"], row["reason"], row["detail"]) == (JobState.DEAD, Reason.GAVE_UP, "STORAGE_DENIED: 403")


def test_the_third_failure_of_its_own_ends_a_job(engine):
    (job_id,) = add_jobs(engine, 1)
    ends = []
    for _ in range(3):
        end = backoff.retry_later(engine, take(engine, job_id), Reason.MEMORY, detail="2 GiB", is_transient=False)
        ends.append((end.state, end.delay_s))
        if end.state is JobState.PENDING:
            set_job(engine, job_id, next_run_at_s=0.0)

    assert ends == [(JobState.PENDING, 30), (JobState.PENDING, 60), (JobState.DEAD, None)]
    assert job_row(engine, job_id)["reason"] == Reason.MEMORY
    outcomes = [attempt.outcome for attempt in history.attempts_of(engine, job_id)]
    assert outcomes == [Outcome.RETRY, Outcome.RETRY, Outcome.DEAD]


def test_retrying_gives_dead_jobs_a_fresh_start_and_keeps_their_history(engine):
    job_ids = add_jobs(engine, 3)
    for job_id, reason in zip(job_ids, (Reason.MEMORY, Reason.MEMORY, Reason.NOT_AUDIO), strict=True):
        ledger.fail_dead(engine, take(engine, job_id), reason, detail="x")
    set_job(engine, job_ids[0], lane=Lane.QUARANTINE, lost_count=4, failures=2)

    assert jobs.retry(engine, reason=Reason.MEMORY) == 2
    assert jobs.retry(engine, reason=Reason.MEMORY) == 0

    row = job_row(engine, job_ids[0])
    fresh = (row["state"], row["lane"], row["lost_count"], row["failures"], row["reason"], row["finished_at"])
    assert fresh == (JobState.PENDING, Lane.NIGHTLY, 0, 0, None, None)
    assert take(engine, job_ids[0]).attempt_n == 2
    assert len(history.attempts_of(engine, job_ids[0])) == 2
    assert job_row(engine, job_ids[2])["state"] == JobState.DEAD


def test_retrying_can_be_narrowed_to_one_recording_or_job(engine):
    job_ids = add_jobs(engine, 3)
    claims = [take(engine, job_id) for job_id in job_ids]
    for claim in claims:
        ledger.fail_dead(engine, claim, Reason.MEMORY, detail="x")

    assert jobs.retry(engine, recording_id=claims[1].recording.id) == 1
    assert jobs.retry(engine, job_id=job_ids[2]) == 1

    assert [job_row(engine, job_id)["state"] for job_id in job_ids] == ["DEAD", "PENDING", "PENDING"]


def test_a_dead_job_of_a_replaced_object_is_not_retried(engine):
    (job_id,) = add_jobs(engine, 1)
    ledger.fail_dead(engine, take(engine, job_id), Reason.NOT_AUDIO, detail="x")
    recordings.register(engine, [replace_version(engine, job_id)])

    assert jobs.retry(engine) == 0


def replace_version(engine, job_id):
    """The same object with other content."""
    old = recordings.get(engine, job_row(engine, job_id)["recording_id"])
    names = ("store", "bucket", "key", "size_bytes", "uploaded_at")
    return recordings.NewRecording(version_tag="other", **{name: getattr(old, name) for name in names})
