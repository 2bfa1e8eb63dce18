"""The behaviours of tests/unit/test_api_people.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_api_people import *  # noqa: F403 - the tests themselves


@pytest.fixture(scope="module")
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
