"""Pages by rows of several columns, as tests/unit/test_db_compare.py has them, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_db_compare import test_pages_leave_nothing_out_and_tell_nothing_twice  # noqa: F401 - the test itself


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
