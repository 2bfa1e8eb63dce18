"""The behaviours of tests/unit/test_exports_person.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_exports_person import *  # noqa: F403 - the tests themselves

# Of `make test`: what is read; the page and its refusals know no database. The rest is `long`.
IN_MAKE_TEST = (
    "test_every_row_about_the_person_is_there",
    "test_every_table_that_can_name_a_person_is_in_the_export",
    "test_nobody_elses_name_or_key_is_in_any_file",
    "test_a_former_name_of_somebody_of_another_tenant_brings_nothing",
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
