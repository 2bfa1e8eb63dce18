"""Notifications to the HTTP API over a real server: who may send them, what is kept, and that nothing is believed."""

import json

import pytest
from api_samples import Client, a_key, running
from db_samples import add_active_model, count, new_sqlite

from config.settings import Settings
from db import hints
from db.reasons import Scope
from scheduler.app import make_app
from scheduler.service import Service

KEY = "ana/2026-03-02.ogg"


def s3_event(bucket, *keys):
    records = [
        {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": key}}} for key in keys
    ]
    return {"Records": records}


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A folder of recordings, its database, settings, and a server."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "notes" / "ana").mkdir(parents=True)
    engine = new_sqlite(folder)
    add_active_model(engine)
    settings = {
        "storage_url": str(folder / "notes"),
        "home": folder / "home",
        "database_url": f"sqlite:///{folder}/tonalog.db",
    }
    with running(engine, **settings) as port:
        yield folder / "notes", engine, Settings(**settings), port


@pytest.fixture
def app(stack):
    return Client(stack[3], a_key(stack[1], "clinic", Scope.EVENTS))


def test_an_object_that_a_notification_names_is_a_recording_with_a_job_seconds_later(stack, app):
    folder, engine, settings, _ = stack
    (folder / KEY).write_bytes(b"OggS" + bytes(1000))
    asked = app.post("/v1/events/s3", s3_event(str(folder), KEY, "ana/gone.ogg", ".hidden/a.ogg") | {"more": 1})
    assert (asked.status, asked.json) == (200, {"n_hints": 2})

    service = Service(settings, make_app(settings))
    assert service.events.take_rows().n_made == 1

    assert (count(engine, "recordings"), count(engine, "jobs"), count(engine, "object_hints")) == (1, 1, 0)
    assert service.events.counts() | {"registered": 1, "gone": 1} == service.events.counts()
    assert service.events.take_rows().n_made == 0


def test_a_notification_of_another_bucket_is_answered_and_dropped(stack, app):
    assert app.post("/v1/events/s3", s3_event("other", KEY)).json == {"n_hints": 0}
    assert (
        app.ask("POST", "/v1/events/s3", body=json.dumps(s3_event("x")), headers={"Content-Type": "text/plain"}).status
        == 200
    )
    assert count(stack[1], "object_hints") == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b""])
def test_what_is_no_notification_is_refused(stack, app, body):
    answer = app.ask("POST", "/v1/events/s3", body=body)
    assert (answer.status, answer.json["type"]) == (422, "urn:tonalog:problem:unknown-event")


def test_only_a_key_of_the_scope_events_may_tell_and_it_may_nothing_else(stack, app):
    _, engine, _, port = stack
    assert Client(port).post("/v1/events/s3", s3_event("x")).status == 401
    other = Client(port, a_key(engine, "clinic", Scope.READ, Scope.WRITE))
    assert other.post("/v1/events/s3", s3_event("x")).status == 403
    assert [app.get("/v1/models").status, app.post("/v1/uploads", {}).status] == [403, 403]


def test_too_many_hints_are_refused_with_a_time_to_come_again(stack, app, monkeypatch):
    monkeypatch.setattr(hints, "MAX_KEPT", 1)
    answer = app.post("/v1/events/s3", s3_event(str(stack[0]), "a.ogg", "b.ogg"))
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
