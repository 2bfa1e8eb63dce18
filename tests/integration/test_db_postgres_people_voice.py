"""The behaviours of tests/unit/test_people_voice.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_people_voice import *  # noqa: F403 - the tests themselves

# Of `make test`: as for trends. The rest is `long`.
IN_MAKE_TEST = (
    "test_a_trend_is_that_of_the_arithmetic_on_the_days_that_are_kept",
    "test_days_hold_a_level_only_of_what_their_notes_have",
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
