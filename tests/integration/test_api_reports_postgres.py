"""The behaviours of tests/unit/test_api_reports.py, on a real PostgreSQL and with connections that are kept open, as the server's are."""

import pytest
from db_samples import new_postgres

from api.server import N_CONNECTIONS
from db.engine import make_engine
from tests.unit.test_api_reports import *  # noqa: F403 - the tests themselves


@pytest.fixture(scope="module")
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        pooled = make_engine(engine.url.render_as_string(hide_password=False), n_pooled=N_CONNECTIONS)
        yield pooled
        pooled.dispose()
