"""Who may measure, compare and read drift by the roles of deploy/postgres/roles.sql; on a real PostgreSQL."""

from datetime import timedelta

import pytest
from compare_samples import SAD
from db_samples import MONDAY, a_model, a_result
from roles import add_work, claim, new_roles

from db import ledger, models
from db.compare import read_pairs
from db.drift import read_drift, write_drift
from db.errors import DatabaseError
from scheduler.drifting import measure_night
from tests.unit.test_db_drift import a_night


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server, n_pooled=None) as roles:
        yield roles


def test_the_scheduler_measures_and_everybody_else_is_refused(roles):
    (job_id,) = add_work(roles)
    ledger.finish(roles.worker, claim(roles, job_id), a_result())
    other = models.add_model(roles.migrator, a_model("1.1"))
    night = MONDAY.date() + timedelta(days=2)

    assert measure_night(roles.scheduler, night) == [], "a note without a time is of no day"
    write_drift(roles.scheduler, a_night(other))
    write_drift(roles.scheduler, a_night(other))
    assert [one.model for one in read_drift(roles.scheduler)] == ["whisper3-1.1"]
    assert [pair.a.label for pair in read_pairs(roles.scheduler, a=1, b=other.id)] == [max(SAD, key=SAD.get)]
    for role in ("worker", "api", "http", "webhooks", "eraser"):
        with pytest.raises(DatabaseError, match="permission denied"):
            read_drift(getattr(roles, role))
