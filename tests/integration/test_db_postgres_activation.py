"""The behaviours of tests/unit/test_db_activation.py that a server could have otherwise: locks, views and the feed."""

import pytest
from db_samples import new_postgres

from tests.unit.test_db_activation import (  # noqa: F401 - the tests themselves
    test_a_switch_and_the_way_back_show_whole_days_of_one_version_at_once,
    test_every_switch_is_in_the_feed_told_to_webhooks_and_listed_the_way_back_too,
    test_results_whose_days_are_still_to_be_made_are_waited_for,
    test_switches_that_race_leave_one_active_and_one_row_each,
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
