"""The behaviours of tests/unit/test_db_activation.py, on a real PostgreSQL; locks and views differ there."""

import pytest
from db_samples import new_postgres

from tests.unit.test_db_activation import *  # noqa: F403 - the tests themselves


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
