"""The behaviours of tests/unit/test_webhook_sender.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_webhook_sender import *  # noqa: F403 - the tests themselves

# Of `make test`: what takes and locks deliveries; what is sent and how often knows no database. The rest is `long`.
IN_MAKE_TEST = (
    "test_every_kind_of_event_says_what_to_fetch_or_forget",
    "test_a_failed_attempt_is_followed_by_the_same_message_later",
    "test_two_senders_send_each_message_once",
    "test_what_a_dead_sender_had_taken_is_sent_when_its_lease_ends",
    "test_a_name_that_was_erased_or_changed_before_it_was_sent_is_not_sent",
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine
