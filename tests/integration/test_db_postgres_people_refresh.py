"""The behaviours of tests/unit/test_people_refresh.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_people_refresh import *  # noqa: F403 - the tests themselves

# Of `make test`: what reads, writes and locks; arithmetic and states are those of SQLite. The rest is `long`.
IN_MAKE_TEST = (
    "test_a_note_is_judged_by_the_newest_baseline_of_earlier_notes",
    "test_refreshing_twice_is_refreshing_once",
    "test_others_of_the_tenant_are_behind_a_baseline_and_other_tenants_are_not",
    "test_a_day_is_a_plain_mean_and_counts_what_could_not_be_heard",
    "test_a_mark_that_comes_while_a_person_is_computed_is_not_lost",
    "test_a_person_who_cannot_be_computed_holds_up_nobody",
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
