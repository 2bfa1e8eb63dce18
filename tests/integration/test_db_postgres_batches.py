"""The behaviours of tests/unit/test_db_batches.py that SQL dialects and locks may change, on a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from db_samples import new_postgres
from roles import Roles

from db import batch_plan, batch_progress, batches, ledger, models, pump
from db.batch_plan import PLAN_PAGE, Choice
from tests.unit.test_db_batches import (  # noqa: F401 - the tests themselves
    a_model,
    count,
    due,
    fill_recordings,
    newer,
    scored,
    test_a_limit_is_held_over_pages,
    test_a_paused_batch_begins_nothing_more_and_what_runs_ends,
    test_a_rate_is_held_by_the_clock_of_the_database,
    test_a_sample_comes_again_is_part_of_a_larger_one_and_favours_no_period,
    test_cancelling_ends_what_waits_with_a_reason_and_another_batch_takes_it_over,
    test_only_recordings_with_a_label_of_the_active_model_can_be_chosen,
    test_recordings_without_audio_are_not_planned,
    test_speed_and_disk_are_measured_and_unknown_before_anything_was_scored,
    test_unscorable_recordings_are_tried_again_when_asked_for,
    test_what_no_model_could_score_is_not_tried_again_and_says_why,
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine


def test_planners_at_once_make_each_job_once(engine, newer):  # noqa: F811 - the fixture
    fill_recordings(engine, 2 * PLAN_PAGE)
    batch_id = batch_plan.begin(engine, Choice(model_id=newer.id))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: batch_plan.plan_all(engine, batch_id), range(4)))

    assert batches.find_batch(engine, batch_id).n_recordings == count(engine, "jobs") == 2 * PLAN_PAGE


def test_the_operators_role_carries_a_batch_and_a_worker_sees_that_it_is_paused(engine):
    roles = Roles(engine)
    model = models.add_model(engine, a_model("2.0"))
    fill_recordings(engine, 3)

    batch_id = batch_plan.begin(roles.scheduler, Choice(model_id=model.id))
    batch_plan.plan_all(roles.scheduler, batch_id)
    (job_id, _), *_ = pump.due_jobs(roles.scheduler, cap_outstanding=1, limit=1)
    batches.pause(roles.scheduler, batch_id)
    assert roles_claim(roles, job_id) is None
    batches.resume(roles.scheduler, batch_id)
    assert roles_claim(roles, job_id) is not None
    batches.set_rate(roles.scheduler, batch_id, 10)
    batches.cancel(roles.scheduler, batch_id)
    assert batches.end_cancelled(roles.scheduler, batch_id) == 2

    progress = batch_progress.read_progress(roles.scheduler, batches.find_batch(roles.scheduler, batch_id))
    assert progress.n_open == 1
    batch_progress.measure_bytes_per_result(roles.scheduler)
    batch_progress.measure_speed(roles.scheduler)


def roles_claim(roles, job_id):
    return ledger.claim(roles.worker, job_id, worker="w", lease_s=60.0)
