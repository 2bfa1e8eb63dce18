"""The behaviours of tests/unit/test_person_events.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_person_events import *  # noqa: F403 - the tests themselves

# Of `make test`: one refresh that tells; when it tells is arithmetic. The rest is `long`.
IN_MAKE_TEST = ("test_each_day_that_gets_other_values_is_told_once_a_refresh",)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
