"""Several jobs in one transaction: each keeps its own token, and what befalls one befalls no other. On PostgreSQL in tests/integration."""

import pytest
from db_samples import (
    MONDAY,
    a_model,
    a_recording,
    a_result,
    add_jobs,
    count,
    job_row,
    new_sqlite,
    set_job,
    silence,
    take,
)

from db import erasures, history, jobs, leases, ledger, models, recordings, results
from db.batch_schema import batches
from db.claims import SHORT_BYTES
from db.erasures import Chosen
from db.errors import ConstraintViolated
from db.ledger import Ending
from db.reasons import BatchState, ErasureScope, JobState, Lane, Outcome


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def claim_all(engine, job_ids):
    return ledger.claim_together(engine, job_ids, worker="w", lease_s=60.0)


def end(claim, result=None):
    return Ending(claim=claim, result=result or a_result(), wall_ms=claim.job_id * 10, peak_rss_kib=1)


def states(engine):
    return [job_row(engine, n + 1)["state"] for n in range(count(engine, "jobs"))]


def test_jobs_that_are_claimed_together_have_tokens_attempts_and_leases_of_their_own(engine):
    ids = add_jobs(engine, 3)

    claims = claim_all(engine, ids)

    assert [claim.job_id for claim in claims] == ids
    assert [claim.recording.id for claim in claims] == [job_row(engine, job_id)["recording_id"] for job_id in ids]
    assert len({claim.token for claim in claims}) == 3
    for claim in claims:
        (attempt,) = history.attempts_of(engine, claim.job_id)
        assert (attempt.n, attempt.outcome) == (1, None)
        assert job_row(engine, claim.job_id)["lease_token"] == claim.token


@pytest.mark.parametrize(
    "values",
    [
        {"next_run_at_s": 1e12},
        {"lane": Lane.QUARANTINE},
        {"lane": Lane.INTERACTIVE},
        {"lost_count": 1},
        {"failures": 1},
        {"transients": 1},
    ],
    ids=["later", "quarantine", "interactive", "lost once", "failed once", "waited once"],
)
def test_what_is_not_due_or_is_scored_alone_is_left_out(engine, values):
    first, second = add_jobs(engine, 2)
    set_job(engine, second, **values)

    assert [claim.job_id for claim in claim_all(engine, [first, second])] == [first]


def test_what_has_ended_is_left_out(engine):
    first, second = add_jobs(engine, 2)
    ledger.finish(engine, take(engine, second), silence())

    assert [claim.job_id for claim in claim_all(engine, [first, second])] == [first]


def test_a_large_recording_and_one_of_a_paused_batch_are_left_out(engine):
    first, second = add_jobs(engine, 2)
    recordings.register(engine, [a_recording("ben/long.wav", size_bytes=SHORT_BYTES + 1)])
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)
    with engine.begin() as connection:
        connection.execute(batches.insert().values(paused_batch()))
    set_job(engine, second, batch_id=1)

    assert [claim.job_id for claim in claim_all(engine, [first, second, 3])] == [first]


def paused_batch():
    unasked = {"is_of_person": False, "with_unscorable": False, "last_id": 0}
    return {"id": 1, "model_id": 1, "state": BatchState.PAUSED, "created_at": MONDAY, **unasked}


def test_results_that_are_finished_together_are_those_that_were_given(engine):
    claims = claim_all(engine, add_jobs(engine, 3))
    given = [a_result(speech_ms=4_000), silence(), a_result(speech_ms=8_000)]

    ours = ledger.finish_together(engine, [end(*pair) for pair in zip(claims, given, strict=True)])

    assert ours == {claim.job_id for claim in claims}
    for claim, result in zip(claims, given, strict=True):
        stored = results.result_of(engine, claim.recording.id, claim.model.id)
        (attempt,) = history.attempts_of(engine, claim.job_id)
        assert (stored.token, stored.status, stored.speech_ms) == (claim.token, result.status, result.speech_ms)
        assert stored.segments == result.segments
        assert (attempt.outcome, attempt.wall_ms) == (Outcome.DONE, claim.job_id * 10)


def test_of_jobs_that_are_finished_together_a_lost_and_an_erased_one_get_nothing(engine):
    kept, lost, erased = claims = claim_all(engine, add_jobs(engine, 3))
    set_job(engine, lost.job_id, lease_until_s=1.0)
    leases.expire_leases(engine)
    again = take(engine, lost.job_id)
    erasures.begin(engine, Chosen(recording_id=erased.recording.id), scope=ErasureScope.ALL)

    assert ledger.finish_together(engine, [end(claim) for claim in claims]) == {kept.job_id}

    assert states(engine) == [JobState.DONE, JobState.RUNNING, JobState.CANCELLED]
    assert (count(engine, "results"), count(engine, "segments")) == (1, 2)
    assert ledger.finish(engine, again, a_result())


def test_a_result_that_is_refused_takes_the_others_with_it_and_each_can_be_finished_alone(engine):
    bad, good = claims = claim_all(engine, add_jobs(engine, 2))
    refused = {bad.job_id: a_result(pooled={**a_result().scores, "envy": 0.2}), good.job_id: a_result()}

    with pytest.raises(ConstraintViolated):
        ledger.finish_together(engine, [end(claim, refused[claim.job_id]) for claim in claims])

    assert (count(engine, "results"), states(engine)) == (0, [JobState.RUNNING, JobState.RUNNING])
    assert ledger.finish(engine, good, a_result())


def test_two_versions_of_one_recording_are_finished_together(engine):
    (job_id,) = add_jobs(engine, 1)
    first = take(engine, job_id)
    second = models.add_model(engine, a_model("2.0"))
    jobs.create_jobs(engine, second.id, lane=Lane.BULK)
    claims = [first, take(engine, job_id + 1)]

    assert len(ledger.finish_together(engine, [end(claim) for claim in claims])) == 2
    assert (count(engine, "results"), count(engine, "segments")) == (2, 4)


def test_one_heartbeat_renews_all_that_are_held_and_tells_who_is_not(engine):
    held, lost = claim_all(engine, add_jobs(engine, 2))
    set_job(engine, lost.job_id, lease_until_s=1.0)
    leases.expire_leases(engine)
    before_s = job_row(engine, held.job_id)["lease_until_s"]

    tokens = {claim.job_id: claim.token for claim in (held, lost)}
    assert ledger.heartbeat_together(engine, tokens, lease_s=1_000.0) == {held.job_id}

    assert job_row(engine, held.job_id)["lease_until_s"] - before_s > 800
    assert job_row(engine, lost.job_id)["lease_until_s"] is None


def test_jobs_that_are_handed_back_wait_again_and_count_no_failure(engine):
    claims = claim_all(engine, add_jobs(engine, 2))

    assert ledger.release_together(engine, claims) == {claim.job_id for claim in claims}

    for claim in claims:
        row = job_row(engine, claim.job_id)
        assert (row["state"], row["failures"], row["lost_count"], row["lease_token"]) == (JobState.PENDING, 0, 0, None)
        assert history.attempts_of(engine, claim.job_id)[0].outcome == Outcome.RELEASED
    assert len(claim_all(engine, [claim.job_id for claim in claims])) == 2
