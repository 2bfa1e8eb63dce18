"""Pages that the HTTP API serves: whole, with a policy that lets nothing else in, of the key's tenant alone."""

import re

import pytest
from api_samples import Client, a_key, fill, running, subject_path
from db_samples import new_sqlite
from kept_person import keep

from db import models
from pictures.pages import content_security_policy
from tests.unit.persons import a_person


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return new_sqlite(tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="module")
def port(engine):
    fill(engine)
    keep(engine, a_person(subject="anna"), model_id=models.active_model(engine).id)
    with running(engine) as port:
        yield port


@pytest.fixture(scope="module")
def app(engine, port):
    return Client(port, a_key(engine))


@pytest.mark.parametrize("path", [subject_path("anna", "/report"), "/v1/notes/1/report", "/v1/report"])
def test_a_page_is_whole_and_comes_with_its_policy(app, path):
    answer = app.get(path)

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == content_security_policy()
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.body.startswith(b"<!doctype html>")
    assert answer.body.rstrip().endswith(b"</html>")


def test_a_person_is_told_what_is_unusual(app):
    html = app.get(subject_path("anna", "/report")).body.decode()

    assert "relative to this person mostly sadness (.44)" in html


def test_a_person_of_whom_nothing_is_kept_has_a_page_without_numbers(app):
    html = app.get(subject_path("ben", "/report")).body.decode()

    assert "No days yet" in html


def test_a_note_shows_its_segments_and_says_that_there_is_no_waveform(app):
    html = app.get("/v1/notes/1/report").body.decode()

    assert "The model hears mostly sadness (.40)" in html
    assert 'class="score highest"' in html
    assert "Without a waveform" in html
    assert "NOT_AUDIO" in app.get("/v1/notes/3/report").body.decode()
    assert app.get("/v1/notes/1/report", model="9.9").status == 404


def test_operations_count_the_keys_tenant_alone(app, engine, port):
    clinic = Client(port, a_key(engine, "clinic"))

    def live(client):
        found = re.search(r"(\d+) of (\d+) live recordings have a result", client.get("/v1/report").body.decode())
        return int(found[2])

    assert live(app) == 8
    assert live(clinic) == 3


def test_another_tenants_person_and_note_are_not_there(port, engine):
    clinic = Client(port, a_key(engine, "clinic"))

    assert clinic.get(subject_path("ben", "/report")).status == 404
    assert clinic.get("/v1/notes/1/report").status == 404
    assert "relative to this person mostly" not in clinic.get(subject_path("anna", "/report")).body.decode()


def test_an_unchanged_page_is_304(app):
    path = subject_path("anna", "/report")
    tag = app.get(path).headers["etag"]

    assert app.ask("GET", path, headers={"If-None-Match": tag}).status == 304


def test_the_document_says_that_pages_are_html(app):
    paths = app.get("/openapi.json").json["paths"]

    for path in ("/v1/subjects/{subject}/report", "/v1/notes/{note_id}/report", "/v1/report"):
        assert list(paths[path]["get"]["responses"]["200"]["content"]) == ["text/html"]
