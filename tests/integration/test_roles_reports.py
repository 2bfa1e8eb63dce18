"""Pages by the role of `tonalog api` in deploy/postgres/roles.sql; on a real PostgreSQL."""

from datetime import UTC, datetime

import pytest
from db_samples import a_result
from kept_person import keep
from roles import add_work, claim, new_roles

from db import ledger, people_rows
from db.tenancy import asking
from pictures.collect_person import collect_person
from pictures.operations import collect_operations
from tests.unit.persons import a_person


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server) as roles:
        yield roles


def test_it_reads_what_each_page_shows(roles):
    (job_id,) = add_work(roles)
    ledger.finish(roles.worker, claim(roles, job_id), a_result())
    keep(roles.admin, a_person(subject="anna"), model_id=1)

    with asking("default"):
        person = collect_person(roles.http, "default", "anna")
        relative = people_rows.read_relative(roles.http, [1], model_id=1)
        page = collect_operations(roles.http, at=datetime.now(UTC), tenant="default")
    with asking("clinic"):
        other = collect_operations(roles.http, at=datetime.now(UTC))

    assert person.mix.relative is not None
    assert relative == {}
    assert page.coverage[0].n_scored == 1
    assert page.lanes[0].n == 1
    assert page.output[0].n_notes == 1
    assert not other.lanes, "row-level security holds it to its tenant"
