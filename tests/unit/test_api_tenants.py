"""No key sees another tenant: every route of `/openapi.json` is tried with the other one's names and ids."""

import json
import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from api_samples import Client, a_key, fill, running
from command import wait_until
from db_samples import a_recording, days_later, new_sqlite, score_all
from kept_rows import keep_person

from db import delivery_log, erasures, jobs, recordings, uploads, webhooks
from db.erasures import Chosen
from db.reasons import ErasureScope, EventKind, Lane, Scope
from db.uploads import NewUpload

CANARY = "canary-of-the-clinic"
# Parameter of a path -> what the clinic has of it; `fill` has made eleven recordings before.
OF_CLINIC = {
    "subject": CANARY,
    "note_id": 12,
    "erasure_id": 1,
    "upload_id": "c" * 32,
    "export_id": 1,
    "endpoint_id": 1,
    "delivery_id": 1,
}
BODIES = {"/v1/exports": {"format": "csv", "subject": CANARY}}  # of a POST
WITHOUT_ID = {"GET": 200, "POST": 422}  # a POST without a body is refused to everybody
# A document that the route takes, so that it is refused for its path.
DOCUMENTS = {"/v1/webhook-endpoints/{endpoint_id}": {"disabled": True}}
SHARED = {"/v1/models", "/healthz", "/readyz"}  # the same for every tenant


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return new_sqlite(tmp_path_factory.mktemp("tenants"))


@pytest.fixture(scope="module")
def engine_of_server(engine):
    """On PostgreSQL it has another role."""
    return engine


@pytest.fixture(scope="module")
def port(engine, engine_of_server):
    fill(engine)
    found = [
        a_recording(f"c{n}.wav", subject=name, tenant="clinic", recorded_at=days_later(n))
        for n, name in enumerate((CANARY, CANARY, "canary-erased"))
    ]
    recordings.register(engine, found)
    jobs.create_jobs(engine, 1, lane=Lane.NIGHTLY)
    score_all(engine)
    endpoint, _ = webhooks.create(
        engine, "clinic", url="https://canary.example/", description=CANARY, events=[EventKind.NOTE_SCORED]
    )
    delivery_log.add_test(engine, endpoint.id)
    keep_person(engine, CANARY, tenant="clinic", personal=[12], days=[(days_later(0).date(), 1)])
    keep_person(engine, "anna", days=[(days_later(0).date(), 1)])
    with running(engine_of_server) as port:
        yield port


@pytest.fixture(scope="module")
def clinic(engine, port):
    secret = a_key(engine, "clinic", Scope.READ, Scope.WRITE)
    erasures.begin(engine, Chosen(subject="canary-erased", tenant="clinic"), scope=ErasureScope.ALL, key_id=1)
    new = {"tenant": "clinic", "key_id": 1, "subject": CANARY, "store": "s3", "bucket": "b", "key": "k", "binding": "b"}
    uploads.create(engine, NewUpload(id=OF_CLINIC["upload_id"], **new), lifetime=timedelta(hours=1), max_open=1)
    made = Client(port, secret)
    place = ask(made, "POST", "/v1/exports").headers["location"]
    assert wait_until(lambda: made.get(place).json["status"] == "ready", timeout_s=60)
    return made


@pytest.fixture(scope="module")
def app(engine, port, clinic):
    return Client(port, a_key(engine, "default", Scope.READ, Scope.WRITE))


@pytest.fixture(scope="module")
def routes(app):
    document = app.get("/openapi.json").json
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


def filled(path):
    return re.sub(r"\{(\w+)\}", lambda found: quote(str(OF_CLINIC[found[1]]), safe=""), path)


def ask(client, method, path):
    document = DOCUMENTS.get(path) if method == "PATCH" else BODIES.get(path) if method == "POST" else None
    return client.ask(method, filled(path), document=document)


def test_every_route_refuses_or_shows_nothing_of_another_tenant(app, clinic, routes):
    tried = 0
    for method, path in routes:
        own = ask(clinic, method, path) if method == "GET" else None
        other = ask(app, method, path)
        tried += 1

        assert b"canary" not in other.body, path
        if "{" in path or (path in BODIES and method == "POST"):
            assert other.status == 404, (method, path, other.status)
        else:
            assert other.status == WITHOUT_ID[method]
        if own is not None:
            assert own.status == 200, (path, own.body)  # so that the refusal is not one of everybody
            assert path in SHARED or own.body != other.body
    assert tried == len(routes) >= 19
    assert {method for method, _ in routes} == {"GET", "POST", "PUT", "PATCH", "DELETE"}


def test_after_all_that_the_other_tenants_person_is_still_there(clinic, app, routes):
    assert len(clinic.pages(filled("/v1/subjects/{subject}/notes"), "notes")) == 2


def test_the_feed_of_each_tenant_names_its_own_notes_only(app, clinic):
    own, others = (
        {change["note_id"] for change in client.follow(limit=2)[0] if change["note_id"]} for client in (app, clinic)
    )

    assert own
    assert others
    assert not own & others


@pytest.mark.parametrize("path", ["/v1/subjects/anna/notes", "/v1/subjects/anna/days"])
def test_people_of_one_name_in_two_tenants_are_two(app, clinic, path):
    mine, theirs = (json.dumps(client.get(path).json) for client in (app, clinic))

    assert mine != theirs


def test_every_route_but_the_open_ones_needs_a_key(port, routes):
    stranger = Client(port)
    open_routes = {path for method, path in routes if ask(stranger, method, path).status != 401}

    assert open_routes == {"/healthz", "/readyz"}
