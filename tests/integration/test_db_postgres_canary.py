"""The behaviours of tests/unit/test_db_canary.py that a server could have otherwise: its SQL, and its feed of changes."""

import pytest
from db_samples import new_postgres

from tests.unit.test_db_canary import (  # noqa: F401 - the tests themselves
    candidate,
    test_a_larger_share_keeps_those_who_read_it_and_waits_for_the_others_only,
    test_new_recordings_of_the_canarys_people_are_scored_by_both_models_the_next_night,
    test_stopping_gives_everybody_the_active_model_again_and_tells_the_feed,
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
