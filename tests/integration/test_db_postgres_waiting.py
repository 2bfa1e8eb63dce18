"""The looks of tests/unit/test_watchdog.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit import test_watchdog


class TestLook(test_watchdog.TestLook):
    @pytest.fixture
    def engine(self, postgres_server):
        with new_postgres(postgres_server) as engine:
            yield engine
