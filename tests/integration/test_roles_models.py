"""What each role of deploy/postgres/roles.sql may do with states of models and the canary; on a real PostgreSQL."""

import pytest
from db_samples import MONDAY, a_model, a_recording, a_result
from roles import add_work, claim, new_roles, run

from db import activation, canary, ledger, model_ends, models, recordings
from db.errors import DatabaseError
from db.model_readers import read_canary, read_reading
from db.reasons import Lane
from db.tenancy import asking
from people import refresh


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server, n_pooled=None) as roles:
        yield roles


def finish(roles, job_ids):
    for job_id in job_ids:
        assert ledger.finish(roles.worker, claim(roles, job_id), a_result())


def test_the_migrator_switches_back_retires_and_lets_a_canary_read_and_the_scheduler_feeds_it(roles):
    finish(roles, add_work(roles, 2))
    second = models.add_model(roles.migrator, a_model("2.0"))
    assert canary.start(roles.migrator, second, share=1.0).n_jobs == 2
    recordings.register(roles.scheduler, [a_recording("anna/9.wav", subject="anna", recorded_at=MONDAY)])
    assert canary.make_jobs(roles.scheduler, read_canary(roles.scheduler), lane=Lane.NIGHTLY) == 1
    refresh(roles.scheduler)

    assert canary.start(roles.migrator, second, share=1.0, force=True).canary.read_share == 1.0
    assert canary.stop(roles.migrator).model_id == second.id
    assert activation.activate(roles.migrator, second.id, force=True).model.is_active
    assert activation.roll_back(roles.migrator).model.version == "1.0"
    third = models.add_model(roles.migrator, a_model("3.0"))
    model_ends.retire(roles.migrator, third)
    model_ends.begin_removal(roles.migrator, third)
    assert model_ends.forget(roles.migrator, third)
    assert len(activation.list_activations(roles.scheduler)) == 3


def test_the_http_api_sees_a_share_and_the_canary_of_its_own_tenant_only(roles):
    models.activate(roles.migrator, models.add_model(roles.migrator, a_model("1.0")).id)
    second = models.add_model(roles.migrator, a_model("2.0"))

    canary.start(roles.migrator, second, tenant="clinic", force=True)
    with asking("clinic"):
        assert read_reading(roles.http).key_of("clinic", "zoe").version == "2.0"
    with asking("default"):
        assert read_canary(roles.http) is None
        assert read_reading(roles.http).key_of("default", "anna").version == "1.0"

    canary.stop(roles.migrator)
    canary.start(roles.migrator, second, share=1.0, force=True)
    with asking("default"):
        assert read_reading(roles.http).key_of("default", "anna").version == "2.0"


@pytest.fixture(scope="module")
def granted(postgres_server):
    """One database for all the questions that change nothing."""
    with new_roles(postgres_server, n_pooled=None) as roles:
        yield roles


@pytest.mark.parametrize("role", ["scheduler", "worker", "api", "http", "webhooks", "eraser"])
@pytest.mark.parametrize("statement", ["UPDATE model_readers SET read_share = 1", "DELETE FROM model_ends"])
def test_nobody_else_decides_who_reads_what(granted, role, statement):
    with pytest.raises(DatabaseError, match="permission denied"):
        run(getattr(granted, role), statement)
