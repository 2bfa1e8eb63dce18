"""Batches of reprocessing: what they choose, what they cost, and how they are held up; also run on PostgreSQL."""

import time

import pytest
from db_samples import (
    PLENTY,
    a_model,
    a_recording,
    a_result,
    add_active_model,
    add_jobs,
    count,
    days_later,
    job_row,
    new_sqlite,
    scores,
    set_job,
    silence,
    take,
)
from sqlalchemy import select, text, update

from db import batch_plan, batch_progress, batches, jobs, ledger, model_ends, models, pump, recordings
from db.batch_plan import PLAN_PAGE, Choice
from db.batch_schema import batches as batch_table
from db.errors import BatchEnded, ModelRetired, RowNotFound
from db.reasons import OF_THE_RECORDING, BatchState, JobState, Lane, Reason
from db.schema import jobs as job_table
from db.schema import recordings as recording_table
from scheduler.batches import carry_on


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def scored(engine):
    """Four scored recordings under the active model; the third is silence, the fourth no audio."""
    ids = add_jobs(engine, 4)
    pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)
    happy = a_result(pooled=scores(happiness=0.7, anger=0.1, neutral=0.1, sadness=0.1))
    for job_id, result in zip(ids[:3], (a_result(), happy, silence()), strict=True):
        ledger.finish(engine, take(engine, job_id), result, wall_ms=2_000)
    ledger.fail_dead(engine, take(engine, ids[3]), Reason.NOT_AUDIO, detail="a picture")
    return engine


@pytest.fixture
def newer(engine):
    """A second model, not active."""
    return models.add_model(engine, a_model("2.0"))


def reprocess(engine, model, **chosen):
    batch_id = batch_plan.begin(engine, Choice(model_id=model.id, **chosen))
    batch_plan.plan_all(engine, batch_id)
    return batch_id


def test_no_batch_is_begun_with_a_retired_model(engine, newer):
    model_ends.retire(engine, newer)

    with pytest.raises(ModelRetired, match="is retired"):
        reprocess(engine, newer)


def jobs_of(engine, model):
    with engine.connect() as connection:
        of_model = select(job_table).where(job_table.c.model_id == model.id).order_by(job_table.c.id)
        return [row._asdict() for row in connection.execute(of_model)]


def due(engine, *, cap=PLENTY):
    return pump.due_jobs(engine, cap_outstanding=cap, limit=PLENTY)


def finish_all(engine, ids):
    return [ledger.finish(engine, take(engine, job_id), a_result(), wall_ms=2_000) for job_id, _ in ids]


def set_batch(engine, batch_id, **values):
    with engine.begin() as connection:
        connection.execute(update(batch_table).where(batch_table.c.id == batch_id).values(values))


def test_a_plan_counts_what_the_batch_then_makes_and_a_second_batch_finds_nothing(scored, newer):
    planned = batch_plan.measure(scored, Choice(model_id=newer.id))
    n_before = count(scored, "jobs")
    batch = batches.find_batch(scored, reprocess(scored, newer))

    assert (planned.n_recordings, planned.n_unscorable, n_before) == (3, 1, 4)
    counted = {name: getattr(batch, name) for name in planned.__dataclass_fields__}
    assert counted == planned.__dict__
    assert (planned.n_bytes, planned.audio_ms) == (3_000, 22_000)
    assert batch.planned_at is not None
    assert batch_plan.measure(scored, Choice(model_id=newer.id)) == batch_plan.Plan()


def test_what_no_model_could_score_is_not_tried_again_and_says_why(scored, newer):
    batch_id = reprocess(scored, newer)

    *waiting, known = sorted(jobs_of(scored, newer), key=lambda job: job["state"] == "DEAD")
    assert [(job["state"], job["batch_id"]) for job in waiting] == [("PENDING", batch_id)] * 3
    assert (known["state"], known["reason"], known["batch_id"]) == ("DEAD", "NOT_AUDIO", None)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in OF_THE_RECORDING])
def test_what_failed_for_another_reason_is_tried_with_the_new_model(engine, newer, reason):
    (job_id,) = add_jobs(engine, 1)
    set_job(engine, job_id, state="DEAD", reason=reason, finished_at=days_later(0))

    assert batch_plan.measure(engine, Choice(model_id=newer.id)).n_recordings == 1


def test_unscorable_recordings_are_tried_again_when_asked_for(scored, newer):
    reprocess(scored, newer)
    batch = batches.find_batch(scored, reprocess(scored, newer, with_unscorable=True))

    assert (batch.n_recordings, batch.n_unscorable) == (1, 0)
    assert {job["state"] for job in jobs_of(scored, newer)} == {"PENDING"}


@pytest.mark.parametrize(
    ("chosen", "keys"),
    [
        ({}, {"a1", "a2", "b3", "x4"}),
        ({"subject": "anna", "tenant": "default"}, {"a1", "a2"}),
        ({"tenant": "clinic"}, {"x4"}),
        ({"since": days_later(2)}, {"a2", "b3", "x4"}),
        ({"until": days_later(2)}, {"a1"}),
        ({"limit": 3}, {"a1", "a2", "b3"}),
        ({"sample": 1.0}, {"a1", "a2", "b3", "x4"}),
        ({"sample": 1e-6}, set()),
    ],
)
def test_a_batch_can_be_narrowed(engine, newer, chosen, keys):
    late = {"uploaded_at": days_later(9)}
    found = [("a1", "anna", 0), ("a2", "anna", 2), ("b3", "ben", 4)]
    notes = [a_recording(key, subject=who, recorded_at=days_later(day), **late) for key, who, day in found]
    recordings.register(engine, [*notes, a_recording("x4", tenant="clinic", **late)])

    planned = batch_plan.measure(engine, Choice(model_id=newer.id, **chosen)).n_recordings
    reprocess(engine, newer, **chosen)

    assert {take(engine, job_id).recording.key for job_id, _ in due(engine)} == keys
    assert planned == len(keys)


def test_only_recordings_with_a_label_of_the_active_model_can_be_chosen(scored, newer):
    active = models.active_model(scored)

    reprocess(scored, newer, only_label="happiness", label_model_id=active.id)

    assert [job["recording_id"] for job in jobs_of(scored, newer)] == [2]


def test_a_batch_of_one_person_names_nobody(scored, newer):
    batch_id = reprocess(scored, newer, subject="anna", tenant="default")

    with scored.connect() as connection:
        row = connection.execute(text(f"SELECT * FROM batches WHERE id = {batch_id}")).one()
    assert "anna" not in str(tuple(row))
    assert batches.find_batch(scored, batch_id).n_recordings == 3


def fill_recordings(engine, n):
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n})"
    now = "'2026-11-02 08:30:00.000000'" if engine.dialect.name == "sqlite" else "now()"
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO recordings (store, bucket, key, version_tag, size_bytes, subject_source, recorded_at_source, "
                f"uploaded_at, registered_at, state) {numbers} "
                f"SELECT 's3', 'b', 'k' || i, 'v', 10, 'key', 'key', {now}, {now}, 'LIVE' FROM n"
            )
        )


def test_a_sample_comes_again_is_part_of_a_larger_one_and_favours_no_period(engine):
    n = 20_000
    fill_recordings(engine, n)

    def sampled(share):
        with engine.connect() as connection:
            return set(connection.scalars(select(recording_table.c.id).where(batch_plan._is_sampled(share))))

    tenth = sampled(0.1)
    assert tenth == sampled(0.1)
    assert sampled(0.01) < tenth < sampled(0.5) < sampled(1.0)
    assert len(sampled(1.0)) == n
    for period in (1, 2, 7, 10, 16, 100):
        shares = [sum(i % period == rest for i in tenth) * period / n for rest in range(period)]
        six_deviations = 6 * (0.1 * 0.9 * period / n) ** 0.5
        assert max(abs(share - 0.1) for share in shares) < six_deviations, period


def test_planning_goes_on_where_it_was_killed_and_takes_what_was_registered_before_it_began(engine, newer):
    fill_recordings(engine, PLAN_PAGE + 10)
    batch_id = batch_plan.begin(engine, Choice(model_id=newer.id))
    assert batch_plan.plan_next(engine, batch_id)
    recordings.register(engine, [a_recording("later.wav")])
    half = batches.find_batch(engine, batch_id)
    carry_on(engine, budget_s=60.0)
    whole = batches.find_batch(engine, batch_id)

    assert (half.n_recordings, half.planned_at) == (PLAN_PAGE, None)
    assert whole.n_recordings == count(engine, "jobs") == PLAN_PAGE + 10
    assert whole.planned_at is not None


def test_a_limit_is_held_over_pages(engine, newer):
    fill_recordings(engine, PLAN_PAGE + 10)

    reprocess(engine, newer, limit=PLAN_PAGE + 3)

    assert count(engine, "jobs") == PLAN_PAGE + 3
    assert batch_plan.measure(engine, Choice(model_id=newer.id, limit=4)).n_recordings == 4


def test_a_paused_batch_begins_nothing_more_and_what_runs_ends(scored, newer):
    batch_id = reprocess(scored, newer)
    first, second, third = (job_id for job_id, _ in due(scored))
    running = take(scored, first)
    batches.pause(scored, batch_id)

    assert due(scored) == []
    assert ledger.claim(scored, second, worker="w", lease_s=60) is None  # its message was in the queue
    assert ledger.finish(scored, running, a_result())
    set_job(
        scored, third, state="QUEUED", queued_at_s=0.0
    )  # a pump that had chosen it while the batch was being paused
    assert due(scored) == []
    assert job_row(scored, third)["state"] == "PENDING"

    batches.resume(scored, batch_id)
    assert {job_id for job_id, _ in due(scored)} == {second, third}


def test_cancelling_ends_what_waits_with_a_reason_and_another_batch_takes_it_over(scored, newer):
    batch_id = reprocess(scored, newer)
    running, *_ = due(scored, cap=2)
    claim = take(scored, running[0])
    batches.cancel(scored, batch_id)
    assert due(scored) == []
    carry_on(scored, budget_s=60.0)

    ended = {job["id"]: (job["state"], job["reason"]) for job in jobs_of(scored, newer) if job["batch_id"]}
    assert ended == {running[0]: ("RUNNING", None), **{i: ("CANCELLED", "CANCELLED") for i in ended if i != running[0]}}
    assert batches.find_batch(scored, batch_id).finished_at is None
    assert ledger.finish(scored, claim, a_result())
    carry_on(scored, budget_s=60.0)
    batch = batches.find_batch(scored, batch_id)
    assert (batch.state, batch.n_done, batch.n_cancelled) == (BatchState.CANCELLED, 1, 2)

    again = batches.find_batch(scored, reprocess(scored, newer))
    assert again.n_recordings == 2
    assert len(finish_all(scored, due(scored))) == 2
    assert batch_progress.read_progress(scored, batch).by_state[JobState.CANCELLED] == 2


def test_a_batch_that_ended_cannot_be_changed(scored, newer):
    batch_id = reprocess(scored, newer)
    finish_all(scored, due(scored))
    carry_on(scored, budget_s=60.0)

    for change in (batches.pause, batches.resume, batches.cancel):
        with pytest.raises(BatchEnded, match="is done"):
            change(scored, batch_id)
    with pytest.raises(BatchEnded):
        batches.set_rate(scored, batch_id, 5)
    with pytest.raises(RowNotFound, match="batches list"):
        batches.pause(scored, 77)


def test_a_done_batch_goes_on_when_its_dead_jobs_are_sent_back(scored, newer):
    batch_id = reprocess(scored, newer)
    first, *others = due(scored)
    finish_all(scored, others)
    ledger.fail_dead(scored, take(scored, first[0]), Reason.INTERNAL, detail="x")
    carry_on(scored, budget_s=60.0)
    done = batches.find_batch(scored, batch_id)
    assert (done.state, done.n_done, done.n_failed, done.done_ms) == (BatchState.DONE, 2, 1, 20_000)
    assert batch_progress.read_progress(scored, done).by_reason == {"INTERNAL": 1}

    assert jobs.retry(scored, job_id=first[0]) == 1
    assert batches.find_batch(scored, batch_id).state is BatchState.RUNNING
    assert due(scored) == [first]


def test_a_rate_is_held_by_the_clock_of_the_database(engine, newer):
    fill_recordings(engine, 200)
    began_s = time.monotonic()
    batch_id = reprocess(engine, newer)
    batches.set_rate(engine, batch_id, 3_600)

    def advance(seconds):
        with engine.begin() as connection:
            connection.execute(update(batch_table).values(allowance_at_s=batch_table.c.allowance_at_s - seconds))

    first = [*due(engine), *due(engine)]
    assert 1 <= len(first) <= 1 + time.monotonic() - began_s + 1
    advance(10)
    tenth = due(engine)
    assert 10 <= len(tenth) <= 10 + time.monotonic() - began_s + 1
    advance(5_000)
    assert len(due(engine)) == 60 - len(first) - len(tenth)  # no more than a minute's worth waits in the queue at once
    finish_all(engine, tenth)
    advance(30)
    assert len(due(engine)) == len(tenth)
    batches.set_rate(engine, batch_id, None)
    assert len(due(engine)) == 200 - 60 - len(tenth)


def test_a_slow_rate_lets_one_job_through_now_and_then(engine, newer):
    fill_recordings(engine, 3)
    set_batch(engine, reprocess(engine, newer), rate_per_h=1, allowance=0.0, allowance_at_s=0.0)

    assert len(due(engine)) == 1
    assert due(engine) == []


def test_progress_says_hours_and_time_left_from_what_ended_lately(scored, newer):
    batch_id = reprocess(scored, newer)
    before = batch_progress.read_progress(scored, batches.find_batch(scored, batch_id))
    finish_all(scored, due(scored)[:1])
    during = batch_progress.read_progress(scored, batches.find_batch(scored, batch_id))
    batches.set_rate(scored, batch_id, 1)
    slowed = batch_progress.read_progress(scored, batches.find_batch(scored, batch_id))

    assert (before.n_open, before.audio_ms, before.eta_s) == (3, 22_000, None)
    assert (during.n_open, during.done_ms) == (2, 10_000)
    assert 0 < during.eta_s < 60
    assert slowed.eta_s == 2 * 3_600


def test_speed_and_disk_are_measured_and_unknown_before_anything_was_scored(engine):
    assert batch_progress.measure_speed(engine) is None
    assert batch_progress.measure_bytes_per_result(engine) is None
    (job_id,) = add_jobs(engine, 1)
    ledger.finish(engine, take(engine, job_id), a_result(), wall_ms=2_000)

    speed = batch_progress.measure_speed(engine)
    assert (speed.n_jobs, speed.audio_per_wall, speed.n_processes) == (1, 5.0, 1)
    assert batch_progress.measure_bytes_per_result(engine) > 0


def test_a_suspect_of_a_batch_comes_back_to_the_bulk_lane(scored, newer):
    reprocess(scored, newer)
    first, *_ = due(scored)
    claim = take(scored, first[0])
    set_job(scored, first[0], lane=Lane.QUARANTINE)
    ledger.fail_dead(scored, claim, Reason.WORKER_LOST, detail="x")

    assert jobs.retry(scored, job_id=first[0]) == 1
    assert job_row(scored, first[0])["lane"] == Lane.BULK


def test_recordings_without_audio_are_not_planned(scored, newer):
    with scored.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO erasures (id, scope, requested_at, n_recordings, n_results) "
                "VALUES (1, 'AUDIO', '2026-01-01 00:00:00.000000', 1, 0)"
            )
        )
        connection.execute(text("INSERT INTO removed_audio (recording_id, erasure_id) VALUES (1, 1)"))

    reprocess(scored, newer)

    first = jobs_of(scored, newer)[0]
    reasons = {job["recording_id"]: job["reason"] for job in jobs_of(scored, newer)}
    assert first["model_id"] == newer.id
    assert reasons == {1: "OBJECT_MISSING", 2: None, 3: None, 4: "NOT_AUDIO"}


def test_the_active_models_missing_results_can_be_made_by_a_batch(engine):
    recordings.register(engine, [a_recording("a.wav")])
    active = add_active_model(engine)

    reprocess(engine, active)

    assert len(due(engine)) == 1
