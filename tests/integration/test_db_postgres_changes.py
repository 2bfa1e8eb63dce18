"""The behaviours of tests/unit/test_db_changes.py on a real PostgreSQL, where transactions end in another order."""

import pytest
from db_samples import new_postgres
from sqlalchemy import text

from tests.unit.test_db_changes import *  # noqa: F403 - the tests themselves
from tests.unit.test_db_changes import add_by_hand, here, since, told


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine


def test_what_is_committed_late_comes_late_and_is_not_passed_by(engine):
    place = here(engine)
    with engine.connect() as early, engine.connect() as late:
        add_by_hand(early, 1)  # draws the lower number of the two
        add_by_hand(late, 2)
        late.commit()

        seen, reached = told(engine, place=place)
        assert [recording for _, recording, _ in seen] == [2]
        early.commit()

    assert [recording for _, recording, _ in since(engine, reached)] == [1]
    with engine.connect() as connection:
        by_id = connection.execute(text("SELECT recording_id FROM changes ORDER BY id")).scalars().all()
    assert by_id == [1, 2]  # so that a reader who goes by the number alone would have lost the first
