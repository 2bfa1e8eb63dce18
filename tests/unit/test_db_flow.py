"""Jobs in numbers: making them, publishing them, taking them back; also run on PostgreSQL in tests/integration."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from db_samples import (
    PLENTY,
    a_model,
    a_recording,
    a_result,
    add_active_model,
    add_jobs,
    count,
    job_row,
    new_sqlite,
    score_all,
    set_job,
    take,
)

from db import history, jobs, leases, ledger, models, pump, recordings, results
from db.reasons import JobState, Lane, Outcome, Reason


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def test_making_jobs_twice_adds_none(engine):
    add_jobs(engine, 3)
    model = models.active_model(engine)

    assert jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY) == 0
    assert count(engine, "jobs") == 3


def test_jobs_are_made_in_batches_and_none_is_left_out(engine, monkeypatch):
    monkeypatch.setattr(jobs, "CREATE_BATCH", 4)
    assert len(add_jobs(engine, 11)) == 11


def test_eight_processes_that_make_jobs_at_once_make_each_job_once(engine):
    model = add_active_model(engine)
    recordings.register(engine, [a_recording(f"{i}.wav") for i in range(50)])

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY), range(8)))

    assert sum(made) == 50 == count(engine, "jobs")


def test_a_second_model_leaves_the_results_of_the_first(engine):
    add_jobs(engine, 2)
    first = models.active_model(engine)
    score_all(engine)
    before = [results.result_of(engine, recording_id, first.id) for recording_id in (1, 2)]
    second = models.add_model(engine, a_model("2.0"))

    assert jobs.create_jobs(engine, second.id, lane=Lane.BULK) == 2
    assert score_all(engine) == 2

    assert [results.result_of(engine, recording_id, first.id) for recording_id in (1, 2)] == before
    assert results.result_of(engine, 1, second.id).model_id == second.id
    assert history.counts(engine, model_id=second.id).by_state == {JobState.DONE: 2}
    assert [job.model_id for job in history.jobs_of(engine, 1)] == [first.id, second.id]


def test_the_pump_rings_each_job_once_and_in_order(engine):
    job_ids = add_jobs(engine, 5)

    first = pump.due_jobs(engine, cap_outstanding=PLENTY, limit=3)
    second = pump.due_jobs(engine, cap_outstanding=PLENTY, limit=3)
    third = pump.due_jobs(engine, cap_outstanding=PLENTY, limit=3)

    assert first + second == [(job_id, Lane.NIGHTLY) for job_id in job_ids]
    assert third == []


def test_the_pump_keeps_the_number_of_outstanding_jobs_under_its_cap(engine):
    job_ids = add_jobs(engine, 6)
    pump.due_jobs(engine, cap_outstanding=4, limit=PLENTY)
    assert (pump.read_outstanding(engine).n_outstanding, pump.due_jobs(engine, cap_outstanding=4, limit=PLENTY)) == (
        4,
        [],
    )

    running = take(engine, job_ids[0])
    assert pump.due_jobs(engine, cap_outstanding=4, limit=PLENTY) == []
    ledger.finish(engine, running, a_result())

    assert pump.due_jobs(engine, cap_outstanding=4, limit=PLENTY) == [(job_ids[4], Lane.NIGHTLY)]


def test_bulk_work_waits_while_nightly_work_is_due_or_queued(engine):
    bulk = add_jobs(engine, 2, lane=Lane.BULK)
    nightly = add_jobs(engine, 2)

    assert pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY) == [(job_id, Lane.NIGHTLY) for job_id in nightly]
    assert pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY) == []
    for job_id in nightly:
        take(engine, job_id)

    assert pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY) == [(job_id, Lane.BULK) for job_id in bulk]


def test_a_reprocess_that_fills_the_queue_leaves_room_for_nightly_work(engine):
    add_jobs(engine, 5, lane=Lane.BULK)
    assert len(pump.due_jobs(engine, cap_outstanding=3, limit=PLENTY)) == 3

    nightly = add_jobs(engine, 4)

    assert pump.due_jobs(engine, cap_outstanding=3, limit=PLENTY) == [(job_id, Lane.NIGHTLY) for job_id in nightly[:3]]


def test_bulk_work_does_not_wait_for_nightly_work_that_was_put_off(engine):
    bulk = add_jobs(engine, 1, lane=Lane.BULK)
    (later,) = add_jobs(engine, 1)
    set_job(engine, later, next_run_at_s=4e9)

    assert pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY) == [(bulk[0], Lane.BULK)]


def test_quarantined_work_comes_last_but_a_long_reprocess_does_not_starve_it(engine):
    quarantined = add_jobs(engine, 4, lane=Lane.QUARANTINE)
    bulk = add_jobs(engine, 10, lane=Lane.BULK)

    published = pump.due_jobs(engine, cap_outstanding=6, limit=PLENTY)

    assert [lane for _, lane in published] == [Lane.BULK] * 4 + [Lane.QUARANTINE] * 2
    assert {job_id for job_id, _ in published} == {*bulk[:4], *quarantined[:2]}


def test_what_was_rung_in_vain_is_rung_again_after_a_wait_that_doubles_up_to_a_cap(engine):
    (job_id,) = add_jobs(engine, 1)
    pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)
    waits_s = []
    for _ in range(6):
        for wait_s in (59, 119, 239, 479, 899, 901):
            set_job(engine, job_id, queued_at_s=now_s(engine) - wait_s - 1.5)
            if pump.due_jobs(engine, cap_outstanding=0, limit=PLENTY):
                waits_s.append(wait_s)
                break

    assert waits_s == [59, 119, 239, 479, 899, 899]


def test_how_long_a_message_may_go_unanswered_is_the_callers_choice(engine):
    (job_id,) = add_jobs(engine, 1)
    pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)
    set_job(engine, job_id, queued_at_s=now_s(engine) - 3.0)

    assert pump.due_jobs(engine, cap_outstanding=0, limit=PLENTY, redeliver_s=10.0) == []
    assert len(pump.due_jobs(engine, cap_outstanding=0, limit=PLENTY, redeliver_s=2.0)) == 1


def test_what_could_not_be_sent_is_due_again_at_once(engine):
    job_ids = add_jobs(engine, 2)
    pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)
    take(engine, job_ids[0])

    assert pump.unqueue(engine, job_ids) == 1
    assert pump.unqueue(engine, []) == 0

    assert pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY) == [(job_ids[1], Lane.NIGHTLY)]


def test_two_pumps_at_once_never_publish_a_job_twice(engine):
    job_ids = add_jobs(engine, 40)

    def publish(_):
        return [job_id for job_id, _ in pump.due_jobs(engine, cap_outstanding=PLENTY, limit=7)]

    with ThreadPoolExecutor(4) as pool:
        published = [job_id for ids in pool.map(publish, range(40)) for job_id in ids]

    assert len(published) == len(set(published))
    published += [job_id for job_id, _ in pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)]
    assert sorted(published) == job_ids


def test_a_lost_worker_costs_its_job_one_loss_then_quarantine_then_the_end(engine):
    (job_id,) = add_jobs(engine, 1)
    seen = []
    for _ in range(20):
        take(engine, job_id, lease_s=-1)
        swept = leases.expire_leases(engine)
        seen.append((swept.n_requeued, swept.n_quarantined, swept.n_dead))

    assert seen == [(1, 0, 0)] * 2 + [(0, 1, 0)] * 17 + [(0, 0, 1)]
    row = job_row(engine, job_id)
    assert (row["state"], row["reason"], row["lane"]) == (JobState.DEAD, Reason.WORKER_LOST, Lane.QUARANTINE)
    ended = [(attempt.outcome, attempt.reason) for attempt in history.attempts_of(engine, job_id)]
    assert ended == [(Outcome.LOST, Reason.WORKER_LOST)] * 20


def test_the_sweep_leaves_running_work_alone(engine):
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id, lease_s=30)

    assert leases.expire_leases(engine).n_expired == 0
    assert ledger.finish(engine, claim, a_result())


def test_two_sweeps_at_once_count_every_loss_once(engine, monkeypatch):
    monkeypatch.setattr(leases, "BATCH", 5)
    job_ids = add_jobs(engine, 30)
    for job_id in job_ids:
        take(engine, job_id, lease_s=-1)

    with ThreadPoolExecutor(2) as pool:
        swept = list(pool.map(lambda _: leases.expire_leases(engine).n_expired, range(2)))
    swept.append(leases.expire_leases(engine).n_expired)

    assert sum(swept) == 30
    assert {job_row(engine, job_id)["lost_count"] for job_id in job_ids} == {1}


def test_counts_say_how_many_jobs_stand_where_and_how_long_the_oldest_waits(engine):
    job_ids = add_jobs(engine, 4)
    add_jobs(engine, 1, lane=Lane.BULK)
    ledger.finish(engine, take(engine, job_ids[0]), a_result())
    ledger.fail_dead(engine, take(engine, job_ids[1]), Reason.MEMORY, detail="x")
    take(engine, job_ids[2])

    counted = history.counts(engine)

    assert counted.by_state == {JobState.DONE: 1, JobState.DEAD: 1, JobState.RUNNING: 1, JobState.PENDING: 2}
    assert counted.by_lane[(Lane.BULK, JobState.PENDING)] == 1
    assert counted.n_unfinished == 3
    assert 0 <= counted.oldest_pending_age_s < 60


def test_counts_of_an_empty_ledger_are_empty(engine):
    counted = history.counts(engine)

    assert (counted.by_state, counted.n_unfinished, counted.oldest_pending_at) == ({}, 0, None)


def now_s(engine):
    with engine.connect() as connection:
        return connection.scalar(ledger.db_now_s().select())
