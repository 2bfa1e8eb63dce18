"""The behaviours of tests/unit/test_db_voice.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_db_voice import *  # noqa: F403 - the tests themselves


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine


@pytest.fixture
def empty_url(postgres_server):
    with postgres_server.fresh_database() as url:
        yield url
