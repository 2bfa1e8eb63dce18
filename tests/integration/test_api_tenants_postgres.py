"""The behaviours of tests/unit/test_api_tenants.py on a real PostgreSQL, with the server under its own role and its policies."""

import pytest
from db_samples import new_postgres
from roles import Roles
from roles import ask as ask_role

from api.server import N_CONNECTIONS
from db.engine import make_engine
from tests.unit.test_api_tenants import *  # noqa: F403 - the tests themselves


@pytest.fixture(scope="module")
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine


@pytest.fixture(scope="module")
def engine_of_server(engine):
    url = Roles(engine).http.url.render_as_string(hide_password=False)
    pooled = make_engine(url, n_pooled=N_CONNECTIONS)
    yield pooled
    pooled.dispose()


def test_a_connection_that_served_a_request_shows_nothing_to_who_has_not_asked(app, engine_of_server):
    assert app.get("/v1/subjects/anna/notes").json["notes"]

    assert ask_role(engine_of_server, "SELECT count(*) FROM recordings") == [(0,)]
    assert ask_role(engine_of_server, "SELECT count(*) FROM api_keys") == [(0,)]
