"""The behaviours of tests/unit/test_people_trends.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_people_trends import *  # noqa: F403 - the tests themselves

# Of `make test`: the arithmetic is that of SQLite; here are its rows, and what moves them. The rest is `long`.
IN_MAKE_TEST = (
    "test_a_trend_is_that_of_the_arithmetic_on_the_days_that_are_kept",
    "test_a_note_that_leaves_the_days_of_a_baseline_has_it_made_anew[moved]",
    "test_a_model_that_scored_the_same_days_goes_on_with_the_baseline_of_the_earlier_one",
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
