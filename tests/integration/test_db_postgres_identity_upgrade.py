"""The behaviours of tests/unit/test_db_identity_upgrade.py, on a real PostgreSQL."""

import pytest

from tests.unit.test_db_identity_upgrade import *  # noqa: F403 - the tests themselves


@pytest.fixture
def empty_url(postgres_server):
    with postgres_server.fresh_database() as url:
        yield url
