"""The behaviours of tests/unit/test_db_together.py, on a real PostgreSQL, and what only it has: locks of rows."""

import pytest
from db_samples import add_jobs, new_postgres
from sqlalchemy import select

from db.schema import jobs as jobs_table
from tests.unit.test_db_together import *  # noqa: F403 - the tests themselves
from tests.unit.test_db_together import claim_all


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine


def test_a_job_that_somebody_else_holds_locked_is_left_out_and_not_waited_for(engine):
    first, second = add_jobs(engine, 2)

    with engine.begin() as connection:
        connection.execute(select(jobs_table.c.id).where(jobs_table.c.id == first).with_for_update())
        claims = claim_all(engine, [first, second])

    assert [claim.job_id for claim in claims] == [second]
