"""How a real PostgreSQL is reached, and what is said when it is not."""

import time

import pytest
from db_samples import a_result, add_jobs, job_row, new_postgres, take
from sqlalchemy import text, update

from db import ledger, migrate
from db.engine import make_engine, reading, verify
from db.errors import DatabaseError, DatabaseUnavailable
from db.schema import jobs


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server, n_pooled=None) as engine:
        yield engine


def test_a_wrong_password_is_said_without_showing_it(postgres_url):
    url = make_engine(postgres_url).url.set(password="canary-wrong-password")
    engine = make_engine(url.render_as_string(hide_password=False))

    with pytest.raises(DatabaseUnavailable, match="password are right") as caught:
        verify(engine)

    assert "canary" not in str(caught.value)


def test_a_server_that_is_not_there_is_said_soon_and_with_the_remedy(postgres_url):
    url = make_engine(postgres_url).url.set(port=9)
    began = time.monotonic()

    with pytest.raises(DatabaseUnavailable, match=r"127.0.0.1:9/.*check that the server runs"):
        verify(make_engine(url.render_as_string(hide_password=False), connect_timeout_s=2))

    assert time.monotonic() - began < 10


def test_a_reading_connection_cannot_write(engine):
    with pytest.raises(DatabaseError, match="read-only"), reading(engine) as connection:
        connection.execute(text("DELETE FROM jobs"))


def test_a_session_killed_in_the_middle_of_a_step_can_be_tried_again(engine, postgres_server):
    (job_id,) = add_jobs(engine, 1)
    claim = take(engine, job_id)

    with pytest.raises(DatabaseUnavailable):
        write_half_and_lose_the_session(engine, postgres_server)

    assert job_row(engine, job_id)["detail"] is None
    assert ledger.finish(engine, claim, a_result())


def test_a_server_killed_and_started_again_has_all_that_was_committed(killable_postgres):
    engine = make_engine(killable_postgres.url)
    migrate.upgrade(engine)
    job_ids = add_jobs(engine, 3)
    ledger.finish(engine, take(engine, job_ids[0]), a_result())
    claim = take(engine, job_ids[1])

    killable_postgres.kill()
    with pytest.raises(DatabaseUnavailable):
        ledger.finish(engine, claim, a_result())
    killable_postgres.start()

    assert ledger.finish(engine, claim, a_result())
    assert [job_row(engine, job_id)["state"] for job_id in job_ids] == ["DONE", "DONE", "PENDING"]


def write_half_and_lose_the_session(engine, server):
    with engine.begin() as connection:
        connection.execute(update(jobs).values(detail="half done"))
        server.kill_backends()
        connection.execute(text("SELECT 1"))
