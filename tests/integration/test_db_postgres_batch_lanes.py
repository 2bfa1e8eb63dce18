"""What a sweep reads beside a paused batch, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_batch_lanes import (  # noqa: F401 - the tests themselves
    test_a_pump_reads_what_is_due_in_the_order_of_an_index_and_sorts_nothing,
    test_a_sweep_reads_nothing_of_a_batch_that_is_paused_and_closing_one_reads_its_own_jobs,
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
