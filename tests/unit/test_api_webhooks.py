"""Webhook endpoints over HTTP, on a real server; also run on PostgreSQL in tests/integration."""

import http.client
import json
import threading
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from api_samples import Client, a_key, fill, running
from command import wait_until
from db_samples import count, dump, new_sqlite
from receivers import Receiver, receiving
from standardwebhooks import Webhook

from api.webhooks.post import Poster
from api.webhooks.sender import Sender
from config.settings import Settings
from db import outbox
from db.reasons import EventKind, Scope
from db.webhooks import MAX_ENDPOINTS

ROUTE = "/v1/webhook-endpoints"
ALLOW = "127.0.0.0/8"
NEW = {"url": "https://app.example/hooks", "events": ["note.scored", "subject.erased"]}


class Writer(Client):
    """A client that sends documents."""

    def send(self, method, path, document=None, *, raw=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = raw if raw is not None else None if document is None else json.dumps(document).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None, dict(answer.getheaders())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return new_sqlite(tmp_path_factory.mktemp("webhooks"))


@pytest.fixture(scope="module")
def port(engine):
    fill(engine)
    with running(engine, webhook_allow=ALLOW) as port:
        yield port


@pytest.fixture
def app(engine, port):
    app = Writer(port, a_key(engine, "default", Scope.READ, Scope.WRITE))
    yield app
    for endpoint in app.get(ROUTE).json["webhook_endpoints"]:
        app.send("DELETE", f"{ROUTE}/{endpoint['id']}")


@contextmanager
def sending(engine):
    poster = Poster(allowed=Settings(webhook_allow=ALLOW).webhook_networks)
    sender = Sender(engine, poster, keep=timedelta(days=1), random=lambda: 0.0)
    thread = threading.Thread(target=sender.run)
    thread.start()
    try:
        yield
    finally:
        sender.stop()
        thread.join()


def make(app, **others):
    status, endpoint, _ = app.send("POST", ROUTE, {**NEW, **others})
    assert status == 201, endpoint
    return endpoint


def test_an_endpoint_is_made_with_a_secret_that_is_shown_once(engine, app):
    status, made, headers = app.send("POST", ROUTE, {**NEW, "description": "backend"})

    assert status == 201
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert headers["location"] == f"{ROUTE}/{made['id']}"
    assert app.get(headers["location"]).json == made
    assert app.get(ROUTE).json["webhook_endpoints"] == [made]
    assert (made["status"], made["events"], made["disabled_at"]) == ("enabled", NEW["events"], None)
    assert secret not in "".join(app.get(path).body.decode() for path in (ROUTE, headers["location"]))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"url": "http://app.example/"}, None),  # to an allowed network it may go
        ({"url": "ftp://app.example/"}, "url"),
        ({"url": "https://u:p@app.example/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://app.example/#x"}, "url"),
        ({"url": ""}, "url"),
        ({"url": None}, "url"),
        ({"url": 7}, "url"),
        ({"url": "https://app.example/" + "x" * 2000}, "url"),
        ({"events": []}, "events"),
        ({"events": ["note.scored", "note.scored"]}, "events"),
        ({"events": ["webhook.test"]}, "events.0"),
        ({"events": ["note.*"]}, "events.0"),
        ({"events": "note.scored"}, "events"),
        ({"description": "a\u0000b"}, "description"),
        ({"description": "x" * 201}, "description"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused_by_name(app, change, named):
    status, answer, _ = app.send("POST", ROUTE, {**NEW, **change})

    if named is None:
        assert status == 201
        return
    assert (status, answer["type"]) == (422, "urn:tonalog:problem:invalid-parameter")
    assert [(error["in"], error["name"]) for error in answer["errors"]] == [("body", named)]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"\xa9{", b"{" * 100_000])
def test_what_is_no_document_is_refused(app, raw):
    status, answer, _ = app.send("POST", ROUTE, raw=raw)

    assert (status, answer["type"]) == (422, "urn:tonalog:problem:invalid-parameter")


def test_a_request_that_is_sent_again_makes_nothing_twice_and_its_secret_is_kept_nowhere(engine, app):
    key = {"Idempotency-Key": "a-key-of-endpoints"}
    first = app.ask("POST", ROUTE, document=NEW, headers=key)
    again = app.ask("POST", ROUTE, document=NEW, headers=key)
    place = first.headers["location"]

    assert (first.status, again.status) == (201, 409)
    assert again.json["type"] == "urn:tonalog:problem:secret-shown-before"
    assert again.headers["location"] == place
    assert len(app.get(ROUTE).json["webhook_endpoints"]) == 1
    turn = [app.ask("POST", f"{place}/rotate", headers={"Idempotency-Key": "another"}) for _ in range(2)]
    assert [answer.status for answer in turn] == [200, 409]
    tests = [app.ask("POST", f"{place}/test", headers={"Idempotency-Key": "a-third"}) for _ in range(2)]
    assert tests[0].json == tests[1].json
    for secret in (first.json["secret"], turn[0].json["secret"]):
        assert dump(engine).count(secret) == 1


def test_an_endpoint_is_changed_disabled_and_enabled(app):
    endpoint = make(app)
    path = f"{ROUTE}/{endpoint['id']}"

    status, changed, _ = app.send("PATCH", path, {"events": ["day.updated"], "url": "https://b.example/"})
    assert (status, changed["events"], changed["url"]) == (200, ["day.updated"], "https://b.example/")
    assert changed["description"] == endpoint["description"]
    assert app.send("PATCH", path, {"url": "https://[::1]/"})[0] == 422
    disabled = app.send("PATCH", path, {"disabled": True})[1]
    assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "by_app")
    for act in ("test", "deliveries/1/replay"):
        status, problem, _ = app.send("POST", f"{path}/{act}")
        assert (status, problem["type"]) == (409, "urn:tonalog:problem:endpoint-disabled")
    assert app.send("PATCH", path, {"disabled": False})[1] == changed
    assert app.send("PATCH", path, {})[1] == changed


def test_a_whole_number_may_be_written_with_a_point_and_nothing_else_is_one(app):
    path = f"{ROUTE}/{make(app)['id']}/rotate"

    assert app.send("POST", path, {"grace_s": 60.0})[0] == 200
    assert [app.send("POST", path, {"grace_s": one})[0] for one in (60.5, "60", True, 1e300)] == [422] * 4


def test_what_is_deleted_is_gone(engine, app):
    path = f"{ROUTE}/{make(app)['id']}"
    app.send("POST", f"{path}/test")

    assert app.send("DELETE", path)[:2] == (204, None)
    assert app.send("DELETE", path)[0] == 404
    assert [app.get(path + rest).status for rest in ("", "/deliveries")] == [404, 404]
    assert [count(engine, table) for table in ("webhook_endpoints", "webhook_secrets", "webhook_deliveries")] == [
        0,
        0,
        0,
    ]


def test_there_is_an_end_to_endpoints(app):
    for _ in range(MAX_ENDPOINTS):
        make(app)

    status, problem, _ = app.send("POST", ROUTE, NEW)
    assert (status, problem["type"]) == (409, "urn:tonalog:problem:too-many-endpoints")


def test_to_write_needs_the_scope_and_to_look_does_not(engine, port, app):
    path = f"{ROUTE}/{make(app)['id']}"
    reader = Writer(port, a_key(engine))

    assert [reader.get(place).status for place in (ROUTE, path, f"{path}/deliveries")] == [200, 200, 200]
    tries = [("POST", ROUTE, NEW), ("PATCH", path, {}), ("DELETE", path, None), ("POST", f"{path}/test", None)]
    tries += [("POST", f"{path}/rotate", None), ("POST", f"{path}/deliveries/1/replay", None)]
    assert [reader.send(*one)[1]["type"].rpartition(":")[2] for one in tries] == ["scope-missing"] * 6


def test_no_tenant_touches_the_endpoints_of_another(engine, port, app):
    path = f"{ROUTE}/{make(app, url='https://canary.example/')['id']}"
    delivery = app.send("POST", f"{path}/test")[1]
    clinic = Writer(port, a_key(engine, "clinic", Scope.READ, Scope.WRITE))
    own = f"{ROUTE}/{make(clinic)['id']}"

    answers = [clinic.send("GET", place)[:2] for place in (path, f"{path}/deliveries")]
    answers += [
        clinic.send(method, path + rest, body)[:2]
        for method, rest, body in (
            ("PATCH", "", {"url": "https://evil.example/"}),
            ("DELETE", "", None),
            ("POST", "/rotate", None),
            ("POST", "/test", None),
            ("POST", f"/deliveries/{delivery['id']}/replay", None),
        )
    ]
    answers.append(clinic.send("POST", f"{own}/deliveries/{delivery['id']}/replay")[:2])

    assert [status for status, _ in answers] == [404] * 8
    assert "canary" not in json.dumps([*answers, clinic.get(ROUTE).json])
    assert app.get(path).json["url"] == "https://canary.example/"
    clinic.send("DELETE", own)


def test_a_test_arrives_verifies_and_is_listed_and_replayed(engine, app):
    with receiving(Receiver(answers=[503])) as receiver, sending(engine):
        endpoint = make(app, url=receiver.url)
        path = f"{ROUTE}/{endpoint['id']}"
        status, begun, _ = app.send("POST", f"{path}/test")
        assert (status, begun["status"], begun["n_attempts"]) == (202, "pending", 0)

        def listed():
            return app.pages(f"{path}/deliveries", "deliveries", limit=1)

        assert wait_until(lambda: listed()[0]["status"] == "failed", timeout_s=20)
        status, again, _ = app.send("POST", f"{path}/deliveries/{begun['id']}/replay")
        assert (status, again["replay_of"]) == (202, begun["id"])
        assert wait_until(lambda: [one["status"] for one in listed()] == ["delivered", "failed"], timeout_s=20)

        failed = listed()[1]
        assert (failed["response_status"], failed["n_attempts"]) == (503, 1)
        assert "503" in failed["error"]
        assert app.get(f"{path}/deliveries", status="delivered").json["deliveries"] == listed()[:1]
        assert app.get(path).json["failing_since"] is None
        old = endpoint["secret"]
        status, rotated, _ = app.send("POST", f"{path}/rotate", {"grace_s": 60})
        assert status == 200
        assert 0 < (datetime.fromisoformat(rotated["old_until"]).timestamp() - receiver.received[-1].at) < 90
        app.send("POST", f"{path}/test")
        assert wait_until(lambda: len(receiver.received) == 3, timeout_s=20)

    first, second, third = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == begun["message_id"]
    for got, secrets in ((first, [old]), (second, [old]), (third, [old, rotated["secret"]])):
        for secret in secrets:
            assert Webhook(secret).verify(got.body, got.headers)["type"] == "webhook.test"


def test_events_of_a_person_show_no_note(engine, app):
    endpoint = make(app, events=["day.updated"])
    with engine.begin() as connection:
        outbox.add(connection, "default", EventKind.DAY_UPDATED, subject="anna")
    outbox.fan_out(engine)

    (delivery,) = app.get(f"{ROUTE}/{endpoint['id']}/deliveries").json["deliveries"]
    assert (delivery["type"], delivery["note_id"]) == ("day.updated", None)


def test_a_cursor_of_deliveries_is_good_for_its_endpoint_and_question(app):
    first, second = (f"{ROUTE}/{make(app)['id']}" for _ in range(2))
    for path in (first, first, second, second):
        app.send("POST", f"{path}/test")
    cursor = app.get(f"{first}/deliveries", limit=1).json["next_cursor"]

    assert app.get(f"{first}/deliveries", cursor=cursor).status == 200
    assert app.get(f"{second}/deliveries", cursor=cursor).status == 422
    assert app.get(f"{first}/deliveries", cursor=cursor, status="pending").status == 422


def test_secrets_are_in_their_own_table_only(engine, app):
    secret = make(app)["secret"]

    assert dump(engine).count(secret) == 1


def test_a_method_that_is_not_possible_names_all_that_are(app):
    answer = app.ask("PUT", f"{ROUTE}/1")

    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET, PATCH")
