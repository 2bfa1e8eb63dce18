"""The behaviours of tests/unit/test_people_invariants.py, on a real PostgreSQL."""

import pytest
from db_samples import new_postgres

from tests.unit.test_people_invariants import *  # noqa: F403 - the tests themselves

# Of `make test`: one life; SQLite has others. The rest is `long`.
IN_MAKE_TEST = (
    "test_what_is_kept_holds_together_whatever_happens[0]",
    "test_an_upgrade_marks_everybody_once",
)


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine


@pytest.fixture
def empty_url(postgres_server):
    with postgres_server.fresh_database() as url:
        yield url
