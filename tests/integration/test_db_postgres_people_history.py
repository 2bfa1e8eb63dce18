"""The behaviours of tests/unit/test_people_history.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_people_history import *  # noqa: F403 - the tests themselves

# Of `make test`: the rest makes databases of SQLite by itself, or compares rows that are the same here. The rest is `long`.
IN_MAKE_TEST = (
    "test_a_note_that_comes_late_and_lies_earlier_changes_nothing_that_is_there",
    "test_a_note_that_leaves_retires_the_baselines_that_it_is_behind",
    "test_a_note_that_is_nobodys_any_more_has_no_relative_scores",
    "test_a_note_whose_time_is_corrected_is_judged_anew",
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
