"""The outbox of webhooks in the database: what becomes a delivery, who takes it, and what is kept; also run on PostgreSQL."""

import threading
from datetime import date, timedelta

import pytest
from db_samples import (
    a_model,
    a_recording,
    a_result,
    add_active_model,
    count,
    dump,
    new_sqlite,
    score_all,
    silence,
    take,
)
from sqlalchemy import text

from db import deliveries, delivery_log, erasures, jobs, ledger, models, outbox, people, recordings, webhooks
from db.deliveries import Attempt
from db.erasures import Chosen
from db.errors import RowNotFound
from db.reasons import DeliveryState, DisabledReason, ErasureScope, EventKind, Lane, Reason

ALL_EVENTS = [kind for kind in EventKind if kind is not EventKind.TEST]
DELIVERED = Attempt(state=DeliveryState.DELIVERED, status=200)
LATER = Attempt(state=DeliveryState.PENDING, status=500, error="answered 500", retry_in_s=60.0)


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def an_endpoint(engine, tenant="default", events=ALL_EVENTS, **others):
    values = {"url": "https://app.example/hooks", "description": "", **others}
    return webhooks.create(engine, tenant, events=events, **values)[0]


def register(engine, *names, **others):
    recordings.register(engine, [a_recording(f"{name}.wav", subject=name, **others) for name in names])
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)


def fan_out(engine):
    while outbox.fan_out(engine):
        pass


def told(engine, endpoint):
    """What deliveries there are for an endpoint, oldest first."""
    fan_out(engine)
    found = delivery_log.list_deliveries(engine, endpoint.id, before_id=None, state=None, limit=500)
    return [(row.kind.value, row.recording_id) for row in reversed(found)]


def take_one(engine, endpoint, lease_s=60.0):
    (taken,) = deliveries.take(engine, endpoint.id, limit=1, lease_s=lease_s)
    return taken


def pass_time(engine, seconds):
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE webhook_deliveries SET next_at_s = next_at_s - {seconds}"))


def test_what_happens_to_a_note_is_told_once_each_in_order(engine):
    add_active_model(engine)
    endpoint = an_endpoint(engine)

    register(engine, "anna", "ben", "cleo")
    ledger.finish(engine, take(engine, 1), a_result())
    ledger.finish(engine, take(engine, 2), silence())
    ledger.fail_dead(engine, take(engine, 3), Reason.NOT_AUDIO, detail="x")
    recordings.register(engine, [a_recording("anna.wav", "v2", subject="anna")])
    models.activate(engine, models.add_model(engine, a_model("2.0")).id, force=True)

    assert told(engine, endpoint) == [
        ("note.scored", 1),
        ("note.scored", 2),
        ("note.failed", 3),
        ("note.deleted", 1),
        ("model.activated", None),
    ]
    (first, *_) = deliveries.take(engine, endpoint.id, limit=9, lease_s=60)
    assert first.data == {"status": "scored"}
    assert count(engine, "webhook_events") == 0


def test_a_result_under_a_model_that_is_not_active_is_not_told(engine):
    add_active_model(engine)
    endpoint = an_endpoint(engine)
    register(engine, "anna")
    other = models.add_model(engine, a_model("2.0"))
    jobs.create_jobs(engine, other.id, lane=Lane.BULK)

    score_all(engine)

    assert count(engine, "results") == 2
    assert told(engine, endpoint) == [("note.scored", 1)]


def test_what_is_rolled_back_is_not_told(engine):
    add_active_model(engine)
    endpoint = an_endpoint(engine)

    with engine.begin() as connection:
        assert outbox.add(connection, "default", EventKind.DAY_UPDATED, day=date(2026, 3, 2))
        connection.rollback()

    assert told(engine, endpoint) == []


def test_each_tenant_is_told_its_own_and_only_what_an_endpoint_asked_for(engine):
    add_active_model(engine)
    here, clinic = an_endpoint(engine), an_endpoint(engine, "clinic")
    picky = an_endpoint(engine, events=[EventKind.NOTE_FAILED])

    register(engine, "anna")
    register(engine, "dora", tenant="clinic")
    score_all(engine)

    assert [told(engine, endpoint) for endpoint in (here, clinic, picky)] == [
        [("note.scored", 1)],
        [("note.scored", 2)],
        [],
    ]


def test_without_an_endpoint_nothing_is_written(engine):
    add_active_model(engine)
    webhooks.change(engine, "default", an_endpoint(engine).id, is_disabled=True)
    register(engine, "anna")
    score_all(engine)
    with engine.begin() as connection:
        assert not outbox.add(connection, "default", EventKind.DAY_UPDATED, subject="anna", day=date(2026, 3, 2))

    assert count(engine, "webhook_events") == 0


def test_a_persons_event_points_to_a_recording_and_is_sent_under_the_name_of_then(engine):
    add_active_model(engine)
    endpoint = an_endpoint(engine)
    register(engine, "anna")
    with engine.begin() as connection:
        assert outbox.add(connection, "default", EventKind.DAY_UPDATED, subject="anna", day=date(2026, 3, 2))
        assert not outbox.add(connection, "default", EventKind.DAY_UPDATED, subject="nobody", day=date(2026, 3, 2))
    fan_out(engine)
    taken = take_one(engine, endpoint)

    people.rename(engine, "anna", "annette")

    assert (taken.day, taken.recording_id) == (date(2026, 3, 2), 1)
    assert deliveries.find_recipient(engine, taken).subject == "annette"


def test_an_erasure_names_notes_and_nobody_and_nothing_of_the_person_is_left_in_the_outbox(engine):
    add_active_model(engine)
    endpoint = an_endpoint(engine)
    recordings.register(engine, [a_recording(f"{n}.wav", subject="canary") for n in range(3)])
    jobs.create_jobs(engine, 1, lane=Lane.NIGHTLY)
    score_all(engine)
    fan_out(engine)

    erasure_id = erasures.begin(engine, Chosen(subject="canary"), scope=ErasureScope.ALL)

    kinds = [kind for kind, _ in told(engine, endpoint)]
    assert kinds == ["note.scored"] * 3 + ["note.deleted"] * 3 + ["subject.erased"]
    taken = deliveries.take(engine, endpoint.id, limit=9, lease_s=60)
    assert taken[-1].data == {"erasure_id": erasure_id, "n_notes": 3, "note_ids": [1, 2, 3]}
    assert [deliveries.find_recipient(engine, one).is_there for one in taken] == [False] * 7
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM webhook_deliveries")).all()
    assert "canary" not in str(rows)


def test_who_still_has_notes_is_not_erased(engine):
    add_active_model(engine)
    endpoint = an_endpoint(engine, events=[EventKind.SUBJECT_ERASED])
    recordings.register(engine, [a_recording(f"{n}.wav", subject="anna") for n in range(2)])

    erasures.begin(engine, Chosen(recording_id=1), scope=ErasureScope.ALL)
    assert told(engine, endpoint) == []
    erasures.begin(engine, Chosen(recording_id=2), scope=ErasureScope.ALL)

    assert told(engine, endpoint) == [("subject.erased", None)]


def test_senders_at_once_take_each_event_and_each_delivery_once(engine):
    add_active_model(engine)
    endpoint = an_endpoint(engine)
    register(engine, *(f"p{n}" for n in range(40)))
    score_all(engine)
    taken, lock = [], threading.Lock()

    def work():
        while outbox.fan_out(engine):
            pass
        while found := deliveries.take(engine, endpoint.id, limit=3, lease_s=60):
            with lock:
                taken.extend(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken += deliveries.take(engine, endpoint.id, limit=100, lease_s=60)

    assert sorted(one.recording_id for one in taken) == list(range(1, 41))
    assert len({one.message_id for one in taken}) == 40


def test_a_lease_that_ended_is_taken_by_another_sender_and_the_late_one_writes_nothing(engine):
    endpoint = an_endpoint(engine)
    delivery_log.add_test(engine, endpoint.id)
    late = take_one(engine, endpoint)
    assert deliveries.take(engine, endpoint.id, limit=1, lease_s=60) == []

    pass_time(engine, 61)
    again = take_one(engine, endpoint)

    assert (again.id, again.message_id) == (late.id, late.message_id)
    assert not deliveries.end(engine, late, DELIVERED)
    assert deliveries.end(engine, again, LATER)
    assert deliveries.due_endpoints(engine) == []
    pass_time(engine, 61)
    assert [due.is_failing for due in deliveries.due_endpoints(engine)] == [True]
    assert take_one(engine, endpoint).n_attempts == 1


def test_an_endpoint_that_answers_410_or_fails_for_days_is_disabled_and_says_why(engine):
    gone, failing, well = (an_endpoint(engine) for _ in range(3))
    for endpoint in (gone, failing, well):
        delivery_log.add_test(engine, endpoint.id)
        delivery_log.add_test(engine, endpoint.id)
    deliveries.end(engine, take_one(engine, gone), Attempt(state=DeliveryState.FAILED, status=410, is_gone=True))
    for endpoint in (failing, well):
        deliveries.end(engine, take_one(engine, endpoint), LATER)
    deliveries.end(engine, take_one(engine, well), DELIVERED)
    with engine.begin() as connection:
        long_ago = (
            "2026-01-01 00:00:00.000000+00" if engine.dialect.name == "postgresql" else "2026-01-01 00:00:00.000000"
        )
        connection.execute(
            text(f"UPDATE webhook_endpoints SET failing_since = '{long_ago}' WHERE failing_since IS NOT NULL")
        )
    pass_time(engine, 61)
    deliveries.end(engine, take_one(engine, failing), LATER)
    deliveries.end(engine, take_one(engine, well), LATER)

    found = {one.id: one for one in webhooks.list_endpoints(engine, "default")}
    assert found[gone.id].disabled_reason is DisabledReason.GONE
    assert found[failing.id].disabled_reason is DisabledReason.FAILING
    assert found[failing.id].disabled_at is not None
    assert found[well.id].disabled_at is None
    pass_time(engine, 61)
    assert [due.id for due in deliveries.due_endpoints(engine)] == [well.id]

    enabled = webhooks.change(engine, "default", failing.id, is_disabled=False)
    assert (enabled.disabled_at, enabled.disabled_reason, enabled.failing_since) == (None, None, None)
    assert {due.id for due in deliveries.due_endpoints(engine)} == {failing.id, well.id}


def test_a_replay_is_a_delivery_of_its_own_with_the_same_message_id(engine):
    endpoint, other = an_endpoint(engine), an_endpoint(engine, "clinic")
    first = delivery_log.add_test(engine, endpoint.id)
    deliveries.end(engine, take_one(engine, endpoint), DELIVERED)

    again = delivery_log.replay(engine, endpoint.id, first.id)

    assert (again.message_id, again.replay_of, again.state) == (first.message_id, first.id, DeliveryState.PENDING)
    assert again.id != first.id
    with pytest.raises(RowNotFound, match="no delivery"):
        delivery_log.replay(engine, other.id, first.id)


def test_a_rotated_secret_signs_beside_the_new_one_for_a_while_and_an_older_one_no_more(engine):
    endpoint, first = webhooks.create(engine, "default", url="https://x.example", description="", events=ALL_EVENTS)
    delivery_log.add_test(engine, endpoint.id)
    taken = take_one(engine, endpoint)

    def signing():
        return deliveries.find_recipient(engine, taken).secrets

    assert signing() == (first,)
    second = webhooks.rotate(engine, "default", endpoint.id, grace=timedelta(hours=1)).secret
    assert signing() == (second, first)
    third = webhooks.rotate(engine, "default", endpoint.id, grace=timedelta(hours=1)).secret
    assert signing() == (third, second)
    fourth = webhooks.rotate(engine, "default", endpoint.id, grace=timedelta(0)).secret
    assert signing() == (fourth,)
    deliveries.expire(engine, keep=timedelta(days=30))
    assert count(engine, "webhook_secrets") == 1


def test_an_endpoint_goes_with_all_that_it_has_and_no_tenant_touches_anothers(engine):
    endpoint = an_endpoint(engine, "clinic")
    delivery_log.add_test(engine, endpoint.id)
    for act in (
        lambda tenant: webhooks.get(engine, tenant, endpoint.id),
        lambda tenant: webhooks.change(engine, tenant, endpoint.id, url="https://evil.example"),
        lambda tenant: webhooks.rotate(engine, tenant, endpoint.id, grace=timedelta(0)),
        lambda tenant: webhooks.remove(engine, tenant, endpoint.id),
    ):
        with pytest.raises(RowNotFound, match="no webhook endpoint"):
            act("default")
    assert webhooks.get(engine, "clinic", endpoint.id) == endpoint

    webhooks.remove(engine, "clinic", endpoint.id)

    assert [count(engine, table) for table in ("webhook_endpoints", "webhook_secrets", "webhook_deliveries")] == [
        0,
        0,
        0,
    ]


def test_a_tenant_has_twenty_endpoints_at_the_most(engine):
    for _ in range(webhooks.MAX_ENDPOINTS):
        an_endpoint(engine)
    an_endpoint(engine, "clinic")

    with pytest.raises(webhooks.TooManyEndpoints, match="20 are allowed"):
        an_endpoint(engine)


def test_deliveries_are_forgotten_in_time(engine):
    endpoint = an_endpoint(engine)
    delivery_log.add_test(engine, endpoint.id)

    assert deliveries.expire(engine, keep=timedelta(days=1)) == 0
    assert deliveries.expire(engine, keep=timedelta(seconds=-1)) == 1
    assert told(engine, endpoint) == []


def test_events_that_no_sender_takes_are_forgotten_in_time(engine):
    an_endpoint(engine)
    add_active_model(engine)

    assert outbox.expire(engine, keep=timedelta(days=1)) == 0
    assert outbox.expire(engine, keep=timedelta(seconds=-1)) == 1
    assert count(engine, "webhook_events") == 0


def test_no_row_holds_a_name(engine):
    add_active_model(engine)
    an_endpoint(engine)
    register(engine, "canary")
    score_all(engine)
    with engine.begin() as connection:
        outbox.add(connection, "default", EventKind.TREND_CHANGED, subject="canary", data={"measure": "sadness"})
    fan_out(engine)

    people.rename(engine, "canary", "wren")

    assert count(engine, "webhook_deliveries") == 2
    held = [line for line in dump(engine).splitlines() if "msg_" in line]
    assert len(held) == 2
    assert not any("canary" in line or "wren" in line for line in held)
