"""The behaviours of tests/unit/test_db_canary.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_db_canary import *  # noqa: F403 - the tests themselves


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
