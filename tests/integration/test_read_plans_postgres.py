"""The behaviours of tests/unit/test_read_plans.py on a real PostgreSQL, under the roles that read there."""

import pytest
from db_samples import new_postgres
from filling import fill
from roles import Roles, run

from db import migrate
from tests.unit.test_read_plans import *  # noqa: F403 - the tests themselves
from tests.unit.test_read_plans import N_NOTES, N_PEOPLE, TENANT


@pytest.fixture(scope="module")
def engines(postgres_server):
    with new_postgres(postgres_server) as admin:
        fill(admin, n_notes=N_NOTES, n_people=N_PEOPLE)
        roles = Roles(admin)
        migrate.require_current(roles.http)
        run(admin, f"UPDATE reader_tenants SET tenant = '{TENANT}' WHERE role = 'tonalog_api'")
        yield roles.http, roles.api
