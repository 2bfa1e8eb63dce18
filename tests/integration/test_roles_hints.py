"""Who may write and read hints by the roles of deploy/postgres/roles.sql; on a real PostgreSQL."""

import pytest
from roles import add_work, new_roles

from db import erasures, hints
from db.erasures import Chosen
from db.errors import DatabaseError
from db.reasons import ErasureScope


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server, n_pooled=None) as roles:
        yield roles


def test_the_http_api_writes_hints_the_scheduler_takes_them_and_an_erasure_removes_them(roles):
    add_work(roles)
    hints.add(roles.http, [("voice", "ana/a.ogg"), ("voice", "ana/b.ogg")])
    first, second = hints.list_due(roles.scheduler, limit=9)
    hints.settle(roles.scheduler, [first.id], waiting=[second])
    assert (hints.list_due(roles.scheduler, limit=9), hints.expire(roles.scheduler)) == ([], 0)

    for role in ("http", "worker", "api", "webhooks", "eraser"):
        with pytest.raises(DatabaseError, match="permission denied"):
            hints.list_due(getattr(roles, role), limit=9)

    assert erasures.begin(roles.eraser, Chosen(recording_id=1), scope=ErasureScope.ALL) is not None
    hints.add(roles.http, [("voice", "ana/c.ogg")])
    assert [hint.key for hint in hints.list_due(roles.scheduler, limit=9)] == ["ana/c.ogg"]
