"""Counts and upserts of tests/unit/test_db_drift.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_db_drift import (  # noqa: F401 - the tests themselves
    test_a_night_is_read_as_it_was_written_and_a_second_look_replaces_it,
    test_notes_are_counted_by_person_model_side_label_and_score,
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
