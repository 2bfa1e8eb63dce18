"""The typed client: every route and field of `/openapi.json`, and its behaviour against a real server."""

import base64
import inspect
import io
import json
import re
import subprocess
import sys
import zipfile
from datetime import date

import pytest
from api_samples import Client as PlainClient
from api_samples import a_key, fill, running
from command import wait_until
from db_samples import MONDAY, a_recording, days_later, new_sqlite
from kept_rows import keep_person

from db import recordings
from db.reasons import Scope
from tonalog.client import (
    ApiError,
    Client,
    CursorExpired,
    InvalidParameter,
    NotFound,
    TooManyRequests,
    calls,
    export_records,
    person_records,
    records,
)
from tonalog.client.calls import Call

CALLS = {name: value for name, value in vars(calls).items() if isinstance(value, Call)}
RECORDS = {
    name: value
    for module in (records, person_records, export_records)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, records.Record)
}

# Schemas that the client has as exceptions, or as plain `str`.
OF_ERRORS = {"ProblemBody", "ProblemError"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = new_sqlite(tmp_path_factory.mktemp("client"))
    fill(engine)
    keep_person(engine, "anna", personal=[4], days=[(days_later(n).date(), 1) for n in range(4)])
    recordings.register(engine, [a_recording("odd.wav", subject="a/b c?#%2F"), a_recording("dots.wav", subject="...")])
    return engine


@pytest.fixture(scope="module")
def port(engine):
    with running(engine) as port:
        yield port


@pytest.fixture(scope="module")
def url(port):
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def client(engine, url):
    with Client(url, a_key(engine, "default", Scope.READ, Scope.WRITE)) as client:
        yield client


@pytest.fixture(scope="module")
def document(port):
    return PlainClient(port).get("/openapi.json").json


def plain(schema, of):
    """A schema without words, references and closed sets of texts, which the client leaves open."""
    if "$ref" in schema:
        target = of[schema["$ref"].rpartition("/")[2]]
        return plain(target, of) if "enum" in target else name_of(schema["$ref"].rpartition("/")[2])
    if "enum" in schema or "const" in schema:
        return "string"
    if "anyOf" in schema:
        return sorted(str(plain(part, of)) for part in schema["anyOf"])
    if schema["type"] == "array":
        return ["array", plain(schema["items"], of)]
    if schema["type"] == "object":
        more = schema.get("additionalProperties", True)
        return ["object", plain(more, of) if isinstance(more, dict) else "any"]
    return schema.get("format") or schema["type"]


def documents():
    return [name for name in RECORDS if name not in {"Record", "Page", "Nothing"} and "[" not in name]


OTHER_NAMES = {"BaselineName": "Baseline"}


def name_of(schema):
    return OTHER_NAMES.get(schema, schema.removesuffix("Body"))


def answer_of(operation):
    """The document that a route answers with; Nothing where it is a file, or there is none."""
    (answer,) = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return name_of(schema["$ref"].rpartition("/")[2]) if "$ref" in schema else "Nothing"


def test_every_route_and_parameter_of_the_document_is_a_call_and_the_reverse(document):
    documented = {
        (
            method.upper(),
            path,
            tuple(sorted(item["name"] for item in operation.get("parameters", []) if item["in"] == "query")),
            answer_of(operation),
            "requestBody" in operation,
            "Idempotency-Key" in {item["name"] for item in operation.get("parameters", [])},
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    known = {
        (
            call.method,
            call.path,
            tuple(sorted(call.query)),
            call.answer.__name__,
            call.body is not None,
            call.has_idempotency_key,
        )
        for call in CALLS.values()
    }

    assert known == documented
    assert len(CALLS) == len(documented)


def test_every_call_has_a_method_of_the_client():
    source = inspect.getsource(Client)

    assert set(re.findall(r"calls\.([A-Z_]+)", source)) == set(CALLS)


def test_every_field_of_the_document_is_in_a_record_and_the_reverse(document):
    schemas = document["components"]["schemas"]
    documented = {
        name_of(name): {field: plain(about, schemas) for field, about in schema["properties"].items()}
        for name, schema in schemas.items()
        if "properties" in schema and name not in OF_ERRORS
    }
    known = {}
    for name in documents():
        schema = RECORDS[name].model_json_schema()
        known[name] = {field: plain(about, schema.get("$defs", {})) for field, about in schema["properties"].items()}

    assert set(known) == set(documented)
    for name, fields in documented.items():
        assert known[name] == fields, name


def test_lists_are_all_their_pages(client):
    assert [note.id for note in client.notes("anna", limit=2)] == [6, 5, 4, 3, 2, 1, 7]
    assert [note.id for note in client.notes("anna", since=MONDAY.date(), until=days_later(1).date())] == [2, 1]
    assert [note.id for note in client.notes("anna", status="failed")] == [3]
    assert [day.day for day in client.days("anna", order="oldest", limit=1)] == [days_later(n).date() for n in range(4)]
    assert [(row.idx, row.start_ms) for row in client.segments(1, limit=1)] == [(0, 0), (1, 4500)]


def test_pages_are_written_into_a_file(client):
    for write in (
        lambda file: client.report("anna", file),
        lambda file: client.note_report(1, file),
        client.operations_report,
    ):
        file = io.BytesIO()
        n_bytes = write(file)
        assert n_bytes == len(file.getvalue())
        assert file.getvalue().startswith(b"<!doctype html>")
    with pytest.raises(NotFound):
        client.report("nobody", io.BytesIO())


def test_records_have_types(client):
    note = client.note(1)

    assert note.recorded_at == MONDAY
    assert isinstance(note.day, date)
    assert note.model == records.ModelName(name="whisper3", version="1.0")
    assert [model.is_active for model in client.models()] == [True]
    assert (client.health().status, client.readiness().status) == ("ok", "ok")
    with pytest.raises(ValueError, match="frozen"):
        note.label = "anger"


def test_trends_are_of_each_measure_with_their_charts_where_they_are_wanted(client):
    told, with_charts = client.trend("anna"), client.trend("anna", chart=True)

    assert [(trend.measure, trend.state) for trend in told.trends] == [
        ("anger", "insufficient"),
        ("sadness", "shifted_up"),
    ]
    assert told.trends[1].chart is None
    assert with_charts.trends[1].chart[-1].day == with_charts.trends[1].as_of
    assert client.note(4).relative.baseline.state == "personal"


@pytest.mark.parametrize("name", ["a/b c?#%2F", "..."])
def test_an_odd_name_finds_its_person(client, name):
    assert [note.subject for note in client.notes(name)] == [name]


def test_changes_are_followed_to_their_end_and_from_there_on(engine, client):
    pages = list(client.follow_changes(limit=3))
    cursor = pages[-1].next_cursor

    recordings.register(engine, [a_recording("later.wav")])
    more = list(client.follow_changes(cursor))

    assert {change.note_id for page in pages for change in page.changes} >= set(range(1, 9))
    assert [(change.type, change.note.subject) for page in more for change in page.changes] == [("note.upserted", None)]
    with pytest.raises(CursorExpired, match="cursor-expired"):
        client.changes(of_another_database(cursor))


def of_another_database(cursor):
    parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    parts[-1] = "2001-01-01T00:00:00+00:00"
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def test_a_person_is_erased_and_the_erasure_can_be_looked_at(engine, client):
    recordings.register(engine, [a_recording("gone.wav", subject="gone")])

    erasure = client.erase("gone")

    assert client.erasure(erasure.id).n_recordings == 1
    assert [found.id for found in client.erasures(limit=1)] == [erasure.id]
    with pytest.raises(NotFound):
        list(client.notes("gone"))


def test_refusals_are_exceptions_of_their_kind(client, url, engine):
    with pytest.raises(NotFound) as missing:
        client.note(999)
    with pytest.raises(InvalidParameter) as invalid:
        list(client.notes("anna", limit=501))
    with Client(url, "tonalog_wrong") as stranger, pytest.raises(ApiError) as refused:
        stranger.models()
    with Client(url, a_key(engine)) as reader, pytest.raises(ApiError) as unfit:
        reader.erase("anna")

    assert (missing.value.status, missing.value.kind) == (404, "not-found")
    assert [error["name"] for error in invalid.value.errors] == ["limit"]
    assert (refused.value.kind, unfit.value.kind) == ("unauthorized", "scope-missing")


@pytest.fixture(scope="module")
def slow(engine):
    """A real server that takes one request a second of a key, two at once; gives its address and a key."""
    with running(engine, api_requests_per_s=1.0) as port:
        yield f"http://127.0.0.1:{port}", a_key(engine)


def test_a_wait_that_the_api_asks_for_is_waited_and_the_request_sent_again(slow):
    with Client(*slow) as client:
        assert [client.note(1).id for _ in range(4)] == [1] * 4


def test_a_wait_that_is_too_long_is_an_exception(slow):
    with Client(*slow, retry_for_s=0.2) as client, pytest.raises(TooManyRequests):
        list(map(client.note, [1] * 4))


@pytest.mark.parametrize(
    ("url", "key"), [("127.0.0.1:8080", "k"), ("http://x", ""), ("http://x", "a b"), ("http://x", "\n")]
)
def test_an_address_or_key_that_cannot_be_one_is_refused(url, key):
    with pytest.raises(ValueError):
        Client(url, key)


def test_the_client_loads_nothing_of_the_server():
    heavy = (
        "api",
        "db",
        "config",
        "storage",
        "worker",
        "numpy",
        "sqlalchemy",
        "fastapi",
        "librosa",
        "onnxruntime",
    )
    code = f"import sys, tonalog.client; print(*(name for name in {heavy!r} if name in sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.split() == []


def test_an_export_is_asked_for_fetched_and_deleted(client):
    asked = client.create_export("csv", subject="anna", since=MONDAY.date())
    assert wait_until(lambda: client.export(asked.id).status == "ready", timeout_s=60)
    file = io.BytesIO()

    n_bytes = client.export_content(asked.id, file)

    assert n_bytes == client.export(asked.id).size_bytes
    assert "notes.csv" in zipfile.ZipFile(file).namelist()
    assert [found.id for found in client.exports()] == [asked.id]
    client.delete_export(asked.id)
    assert list(client.exports()) == []
