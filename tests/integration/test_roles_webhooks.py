"""Who may do what with webhooks, by the roles of deploy/postgres/roles.sql; on a real PostgreSQL."""

import random
import threading
from datetime import timedelta

import pytest
from command import wait_until
from db_samples import a_result
from roles import add_work, ask, claim, new_roles, run

from api.webhooks.sender import Sender
from db import delivery_log, erasures, ledger, migrate, outbox, webhooks
from db.erasures import Chosen
from db.errors import DatabaseError
from db.reasons import DeliveryState, ErasureScope, EventKind
from db.tenancy import asking
from people import refresh

EVENTS = [EventKind.NOTE_SCORED, EventKind.DAY_UPDATED, EventKind.SUBJECT_ERASED]


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server) as roles:
        yield roles


@pytest.fixture(autouse=True)
def for_the_tenant():
    """As the API does it: its role sees the rows of the tenant that it names."""
    with asking("default"):
        yield


def test_the_api_sees_what_it_sent_to_its_own_tenant_also_of_who_was_erased(roles):
    add_work(roles)
    endpoint, _ = webhooks.create(roles.http, "default", url="https://app.example/", description="", events=EVENTS)
    delivery_log.add_test(roles.http, endpoint.id)
    erasures.begin(roles.eraser, Chosen(subject="anna"), scope=ErasureScope.ALL)
    outbox.fan_out(roles.webhooks)

    def listed():
        return delivery_log.list_deliveries(roles.http, endpoint.id, before_id=None, state=None, limit=9)

    assert [row.kind for row in listed()] == [EventKind.SUBJECT_ERASED, EventKind.TEST]
    with asking("clinic"):
        assert listed() == []
        assert webhooks.list_endpoints(roles.http, "default") == []


def test_each_does_its_part_of_the_way_from_a_score_to_a_message(roles):
    (job_id,) = add_work(roles)
    endpoint, secret = webhooks.create(roles.http, "default", url="https://app.example/", description="", events=EVENTS)
    new = webhooks.rotate(roles.http, "default", endpoint.id, grace=timedelta(hours=1)).secret
    ledger.finish(roles.worker, claim(roles, job_id), a_result())
    assert refresh(roles.scheduler).n_people == 1
    assert ask(roles.admin, "SELECT kind FROM webhook_events ORDER BY id") == [("note.scored",)]  # its day is unknown
    with roles.scheduler.begin() as connection:
        assert outbox.add(connection, "default", EventKind.DAY_UPDATED, subject="anna")
    assert outbox.expire(roles.scheduler, keep=timedelta(days=1)) == 0
    delivery_log.add_test(roles.http, endpoint.id)
    sent = []

    def post(url, body, headers):
        sent.append((url, body.decode(), headers["webhook-signature"]))
        return 200 if len(sent) < 3 else 500

    migrate.require_current(roles.webhooks)
    sender = Sender(roles.webhooks, post, keep=timedelta(days=1), random=random.random)
    thread = threading.Thread(target=sender.run)
    thread.start()
    try:
        assert wait_until(lambda: len(sent) == 3, timeout_s=30)
        erasures.begin(roles.eraser, Chosen(subject="anna"), scope=ErasureScope.ALL)
        assert wait_until(lambda: any("subject.erased" in body for _, body, _ in sent), timeout_s=30)
    finally:
        sender.stop()
        thread.join()

    found = delivery_log.list_deliveries(roles.http, endpoint.id, before_id=None, state=None, limit=9)
    assert {row.state for row in found} >= {DeliveryState.DELIVERED}
    assert len(found) == 4
    assert all(len(signatures.split()) == 2 for _, _, signatures in sent)
    assert ask(roles.webhooks, "SELECT secret FROM webhook_secrets ORDER BY id") == [(secret,), (new,)]
    assert delivery_log.replay(roles.http, endpoint.id, found[0].id)
    webhooks.change(roles.http, "default", endpoint.id, is_disabled=True, url="https://b.example/")
    webhooks.remove(roles.http, "default", endpoint.id)
    assert ask(roles.admin, "SELECT count(*) FROM webhook_secrets") == [(0,)]  # with its endpoint, and not by a right


@pytest.mark.parametrize("role", ["http", "worker", "scheduler", "api", "eraser"])
def test_nobody_but_the_sender_reads_a_secret(roles, role):
    with pytest.raises(DatabaseError, match="permission denied"):
        run(getattr(roles, role), "SELECT secret FROM webhook_secrets")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT key FROM recordings",
        "SELECT anger FROM results",
        "SELECT * FROM segments",
        "SELECT * FROM api_keys",
        "UPDATE webhook_endpoints SET url = 'https://evil.example/'",
        "UPDATE webhook_deliveries SET endpoint_id = 1",
        "UPDATE webhook_secrets SET secret = 'whsec_mine'",
        "INSERT INTO webhook_secrets SELECT * FROM webhook_secrets",
        "INSERT INTO webhook_events SELECT * FROM webhook_events",
        "DELETE FROM webhook_endpoints",
    ],
)
def test_the_sender_reads_no_score_and_turns_no_message_elsewhere(roles, statement):
    with pytest.raises(DatabaseError, match="permission denied"):
        run(roles.webhooks, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE webhook_deliveries SET state = 'DELIVERED'",
        "UPDATE webhook_secrets SET secret = 'x'",
        "DELETE FROM webhook_secrets",
    ],
)
def test_the_api_changes_no_delivery_and_no_secret(roles, statement):
    with pytest.raises(DatabaseError, match="permission denied"):
        run(roles.http, statement)
