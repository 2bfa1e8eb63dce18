"""The behaviours of tests/unit/test_exports_voice.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_exports_voice import *  # noqa: F403 - the tests themselves

# Of `make test`: one format: what writes the files knows no database. The rest is `long`.
IN_MAKE_TEST = (
    "test_notes_have_the_voice_that_the_view_shows_and_nothing_where_it_has_none[parquet]",
    "test_days_have_the_value_of_each_level_that_the_view_shows[parquet]",
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
