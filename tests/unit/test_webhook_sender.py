"""The sender against real receivers: what arrives, what is tried again, and who waits for whom; also run on PostgreSQL."""

import ipaddress
import json
import threading
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from command import wait_until
from db_samples import a_model, a_recording, add_active_model, new_sqlite, score_all
from receivers import Receiver, receiving
from sqlalchemy import text
from standardwebhooks import Webhook, WebhookVerificationError

from api.webhooks.post import NotSent, Poster
from api.webhooks.sender import LEASE_S, RETRY_DELAYS_S, Sender
from db import delivery_log, erasures, jobs, models, outbox, people, recordings, webhooks
from db.erasures import Chosen
from db.reasons import DeliveryState, DisabledReason, ErasureScope, EventKind, Lane

ALL_EVENTS = [kind for kind in EventKind if kind is not EventKind.TEST]
POST = Poster(allowed=(ipaddress.ip_network("127.0.0.0/8"),), timeout_s=5.0)
KEEP = timedelta(days=30)


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@contextmanager
def sending(engine, post=POST, **others):
    sender = Sender(engine, post, **{"keep": KEEP, "random": lambda: 0.5, **others})
    thread = threading.Thread(target=sender.run)
    thread.start()
    try:
        yield sender
    finally:
        sender.stop()
        thread.join()


def an_endpoint(engine, receiver, *, events=ALL_EVENTS):
    """An endpoint that was made after a model was activated, so that this is not told."""
    if models.active_model(engine) is None:
        add_active_model(engine)
    return webhooks.create(engine, "default", url=getattr(receiver, "url", receiver), description="", events=events)


def score(engine, *names, **others):
    recordings.register(engine, [a_recording(f"{name}.wav", subject=name, **others) for name in names])
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)
    score_all(engine)


def rows(engine, endpoint):
    found = delivery_log.list_deliveries(engine, endpoint.id, before_id=None, state=None, limit=500)
    return found[::-1]


def states(engine, endpoint):
    return [row.state for row in rows(engine, endpoint)]


def all_are(engine, endpoint, state, n=1):
    return wait_until(lambda: states(engine, endpoint) == [state] * n, timeout_s=20, every_s=0.02)


def make_due(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE webhook_deliveries SET next_at_s = 0 WHERE state = 'PENDING'"))


def test_a_scored_note_is_told_signed_and_thin(engine):
    with receiving() as receiver, sending(engine):
        endpoint, secret = an_endpoint(engine, receiver)
        score(engine, "jos\u00e9")
        assert all_are(engine, endpoint, DeliveryState.DELIVERED)

    (got,) = receiver.received
    message = Webhook(secret).verify(got.body, got.headers)
    assert message["type"] == "note.scored"
    assert message["data"] == {"note_id": 1, "subject": "jos\u00e9", "status": "scored"}
    assert abs(datetime.fromisoformat(message["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert got.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(got.body.replace(b"1", b"2"), got.headers)


def test_every_kind_of_event_says_what_to_fetch_or_forget(engine):
    with receiving() as receiver:
        endpoint, _ = an_endpoint(engine, receiver)
        score(engine, "anna", "ben")
        with engine.begin() as connection:
            outbox.add(connection, "default", EventKind.DAY_UPDATED, subject="anna", day=date(2026, 3, 2))
            outbox.add(connection, "default", EventKind.TREND_CHANGED, subject="anna", data={"measure": "sadness"})
        with sending(engine):
            assert wait_until(lambda: len(receiver.received) >= 4, timeout_s=20)
            assert all_are(engine, endpoint, DeliveryState.DELIVERED, 4)
            erasures.begin(engine, Chosen(subject="ben"), scope=ErasureScope.ALL)
            models.activate(engine, models.add_model(engine, a_model("2.0")).id, force=True)
            assert all_are(engine, endpoint, DeliveryState.DELIVERED, 7)

    told = [json.loads(got.body) for got in receiver.received]
    found = {message["type"]: message["data"] for message in told}
    assert found["day.updated"] == {"subject": "anna", "day": "2026-03-02"}
    assert found["trend.changed"] == {"subject": "anna", "measure": "sadness"}
    assert found["note.deleted"] == {"note_id": 2, "reason": "erased"}
    assert found["subject.erased"] == {"erasure_id": 1, "n_notes": 1, "note_ids": [2]}
    assert not any("ben" in json.dumps(message) for message in told if message["type"] != "note.scored")


def test_a_failed_attempt_is_followed_by_the_same_message_later(engine):
    with receiving(Receiver(answers=[500, 302])) as receiver, sending(engine):
        endpoint, secret = an_endpoint(engine, receiver)
        delay_s = []
        score(engine, "anna")
        for n in (1, 2):
            assert wait_until(lambda n=n: [row.n_attempts for row in rows(engine, endpoint)] == [n], timeout_s=20)
            (row,) = rows(engine, endpoint)
            assert row.state is DeliveryState.PENDING
            delay_s.append((row.next_at - row.attempted_at).total_seconds())
            make_due(engine)
        assert all_are(engine, endpoint, DeliveryState.DELIVERED)

    assert delay_s == pytest.approx([RETRY_DELAYS_S[0] * 1.05, RETRY_DELAYS_S[1] * 1.05], abs=1)
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1
    assert len({got.body for got in receiver.received}) == 1
    for got in receiver.received:
        Webhook(secret).verify(got.body, got.headers)
    (row,) = rows(engine, endpoint)
    assert (row.n_attempts, row.response_status, row.error) == (3, 204, None)


def test_after_the_last_attempt_it_has_failed_and_says_why(engine):
    tried = []

    def refuse(*_):
        tried.append(1)
        raise NotSent("no connection")

    with sending(engine, refuse):
        endpoint, _ = an_endpoint(engine, "https://x.example")
        score(engine, "anna")
        for n in range(1, len(RETRY_DELAYS_S) + 1):
            assert wait_until(lambda n=n: [row.n_attempts for row in rows(engine, endpoint)] == [n], timeout_s=20)
            make_due(engine)
        assert all_are(engine, endpoint, DeliveryState.FAILED)

    (row,) = rows(engine, endpoint)
    assert (row.n_attempts, row.response_status, row.error) == (10, None, "no connection")
    assert len(tried) == 10
    assert 3 < sum(RETRY_DELAYS_S) / 86_400 < 4  # days


def test_410_ends_it_and_disables_the_endpoint(engine):
    with receiving(Receiver(answers=[410])) as receiver, sending(engine):
        endpoint, _ = an_endpoint(engine, receiver)
        score(engine, "anna")
        assert all_are(engine, endpoint, DeliveryState.FAILED)
        score(engine, "ben")
        time.sleep(0.1)

    (after,) = webhooks.list_endpoints(engine, "default")
    assert after.disabled_reason is DisabledReason.GONE
    assert len(receiver.received) == 1
    assert len(rows(engine, endpoint)) == 1


def test_a_test_message_is_tried_once(engine):
    with receiving(Receiver(answers=[500])) as receiver, sending(engine):
        endpoint, _ = an_endpoint(engine, receiver, events=[EventKind.MODEL_ACTIVATED])
        delivery_log.add_test(engine, endpoint.id)
        assert all_are(engine, endpoint, DeliveryState.FAILED)

    assert json.loads(receiver.received[0].body)["type"] == "webhook.test"


def test_while_a_secret_is_rotated_old_and_new_ones_verify(engine):
    with receiving() as receiver, sending(engine):
        endpoint, old = an_endpoint(engine, receiver)
        new = webhooks.rotate(engine, "default", endpoint.id, grace=timedelta(hours=1)).secret
        delivery_log.add_test(engine, endpoint.id)
        assert all_are(engine, endpoint, DeliveryState.DELIVERED)
        webhooks.rotate(engine, "default", endpoint.id, grace=timedelta(0))
        delivery_log.add_test(engine, endpoint.id)
        assert all_are(engine, endpoint, DeliveryState.DELIVERED, 2)

    first, second = receiver.received
    for secret in (old, new):
        Webhook(secret).verify(first.body, first.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(second.body, second.headers)
    assert len(first.headers["webhook-signature"].split()) == 2


def test_an_endpoint_that_is_slow_holds_up_no_other(engine):
    with receiving(Receiver(delay_s=3.0)) as slow, receiving() as fast, sending(engine):
        an_endpoint(engine, slow)
        quick, _ = an_endpoint(engine, fast)
        score(engine, *(f"p{n}" for n in range(30)))
        begun = time.monotonic()
        assert all_are(engine, quick, DeliveryState.DELIVERED, 30)
        assert time.monotonic() - begun < 3.0
        assert 1 <= slow.max_at_once <= 4


def test_two_senders_send_each_message_once(engine):
    with receiving(Receiver(delay_s=0.02)) as receiver:
        endpoint, _ = an_endpoint(engine, receiver)
        score(engine, *(f"p{n}" for n in range(40)))
        with sending(engine), sending(engine):
            assert all_are(engine, endpoint, DeliveryState.DELIVERED, 40)

    assert len(receiver.received) == 40
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 40


def test_what_a_dead_sender_had_taken_is_sent_when_its_lease_ends(engine):
    is_over = threading.Event()

    def hang(*_):
        is_over.wait(30)
        raise NotSent("killed")

    with receiving() as receiver, sending(engine, hang, lease_s=0.5):
        endpoint, _ = an_endpoint(engine, receiver)
        score(engine, "anna")
        assert wait_until(lambda: states(engine, endpoint) == [DeliveryState.PENDING], timeout_s=20)
        with sending(engine):
            assert all_are(engine, endpoint, DeliveryState.DELIVERED)
        is_over.set()

    assert len(receiver.received) == 1
    (row,) = rows(engine, endpoint)
    assert row.state is DeliveryState.DELIVERED  # and not what the late one had to say
    assert POST.timeout_s < LEASE_S


def test_a_name_that_was_erased_or_changed_before_it_was_sent_is_not_sent(engine):
    with receiving() as receiver:
        endpoint, _ = an_endpoint(engine, receiver, events=[EventKind.NOTE_SCORED, EventKind.DAY_UPDATED])
        score(engine, "canary", "anna")
        with engine.begin() as connection:
            outbox.add(connection, "default", EventKind.DAY_UPDATED, subject="canary", day=date(2026, 3, 2))
        erasures.begin(engine, Chosen(subject="canary"), scope=ErasureScope.ALL)
        people.rename(engine, "anna", "annette")
        with sending(engine):
            ended = [DeliveryState.CANCELLED, DeliveryState.CANCELLED, DeliveryState.DELIVERED]
            assert wait_until(lambda: sorted(states(engine, endpoint)) == ended, timeout_s=20)

    (got,) = receiver.received
    assert json.loads(got.body)["data"]["subject"] == "annette"


def test_a_disabled_endpoint_gets_what_waits_when_it_is_enabled_again(engine):
    with receiving() as receiver, sending(engine):
        endpoint, _ = an_endpoint(engine, receiver)
        webhooks.change(engine, "default", endpoint.id, is_disabled=True)
        delivery_log.add_test(engine, endpoint.id)
        time.sleep(0.3)
        assert receiver.received == []
        webhooks.change(engine, "default", endpoint.id, is_disabled=False)
        assert all_are(engine, endpoint, DeliveryState.DELIVERED)


def test_what_is_logged_names_nobody_and_no_place(engine, caplog):
    caplog.set_level("DEBUG", logger="api")
    with receiving() as receiver, sending(engine):
        endpoint, secret = an_endpoint(engine, receiver)
        score(engine, "canary")
        assert all_are(engine, endpoint, DeliveryState.DELIVERED)

    written = "".join(str(vars(record)) for record in caplog.records if record.name.startswith("api"))
    assert "webhook attempted" in written
    assert not any(word in written for word in ("canary", "127.0.0.1", secret, secret[6:]))
