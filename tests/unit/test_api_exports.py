"""Exports over HTTP on a real server: asked for, fetched, deleted, and gone when somebody is erased."""

import io
import json
import zipfile
from datetime import timedelta

import pytest
from api_samples import Client, a_key, fill, running
from command import wait_until
from db_samples import new_sqlite
from sqlalchemy import update

from api.exporting import Exporter
from db import api_audit, erasures, export_jobs
from db.columns import db_now
from db.erasures import Chosen
from db.export_jobs import NewExport
from db.export_schema import exports
from db.reasons import ErasureScope, ExportState

KEEP = timedelta(days=1)


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def app(engine, tmp_path):
    fill(engine)
    with running(engine, home=tmp_path) as port:
        yield Client(port, a_key(engine))


@pytest.fixture
def clinic(engine, app):
    return Client(app.port, a_key(engine, "clinic"))


def ask(app, **body):
    return app.ask("POST", "/v1/exports", body=json.dumps(body), headers={"Content-Type": "application/json"})


def ask_and_wait(app, **body):
    asked = ask(app, **body)
    assert asked.status == 202, asked.body
    place = asked.headers["location"]
    assert wait_until(lambda: app.get(place).json["status"] in ("ready", "failed"), timeout_s=60)
    return place, app.get(place).json


def opened(answer):
    assert answer.status == 200, answer.body
    return zipfile.ZipFile(io.BytesIO(answer.body))


def files(folder):
    return sorted(path.name for path in (folder / "exports").iterdir())


def test_an_export_of_each_format_is_asked_for_and_fetched(app):
    for form in ("csv", "jsonl", "parquet", "fhir", "audformat"):
        place, ready = ask_and_wait(app, format=form)

        answer = app.get(f"{place}/content")
        about = json.loads(opened(answer).read("export.json"))
        assert (ready["status"], ready["size_bytes"]) == ("ready", len(answer.body))
        assert (about["tenant"], about["format"]) == ("default", form)
        assert answer.headers["content-type"] == "application/zip"
        assert int(answer.headers["content-length"]) == len(answer.body)
        assert [found["id"] for found in app.pages("/v1/exports", "exports")] == [ready["id"]]
        assert app.ask("DELETE", place).status == 204


def test_a_person_gets_all_that_is_kept_of_them(app):
    place, ready = ask_and_wait(app, format="person", subject="anna")

    whole = json.loads(opened(app.get(f"{place}/content")).read("data.json"))
    assert len(whole["recordings"]) == 7
    assert ready["subject"] == "anna"


def test_head_and_what_has_not_changed_have_no_body(app):
    place, ready = ask_and_wait(app, format="csv")
    whole = app.get(f"{place}/content")

    head = app.ask("HEAD", f"{place}/content")
    again = app.ask("GET", f"{place}/content", headers={"If-None-Match": whole.headers["etag"]})

    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(ready["size_bytes"]))
    assert (again.status, again.body) == (304, b"")


# What is asked for, the status of the answer, and what it names.
REFUSED = (
    ({"format": "xml"}, 422, "format"),
    ({}, 422, "format"),
    ({"format": "csv", "sinse": "2026-01-01"}, 422, "sinse"),
    ({"format": "csv", "since": "2026-01-02", "until": "2026-01-01"}, 422, "until"),
    ({"format": "csv", "since": "1.1.2026"}, 422, "since"),
    ({"format": "person"}, 422, "subject"),
    ({"format": "person", "subject": "anna", "since": "2026-01-01"}, 422, "since"),
    ({"format": "csv", "subject": "nobody"}, 404, "subject"),
    ({"format": "csv", "model": "9"}, 404, "models"),
)


def test_what_cannot_be_exported_is_a_problem(app):
    for body, status, named in REFUSED:
        answer = ask(app, **body)

        assert answer.status == status, body
        assert answer.headers["content-type"] == "application/problem+json"
        assert named in answer.body.decode()
    assert app.get("/v1/exports").json["exports"] == []


def test_another_tenant_sees_no_export_and_gets_none_of_the_rows(app, clinic, engine):
    place, _ = ask_and_wait(app, format="csv")

    assert [clinic.ask(method, path).status for method, path in own_paths(place)] == [404, 404, 404]
    assert clinic.get("/v1/exports").json["exports"] == []
    of_clinic, _ = ask_and_wait(clinic, format="csv")
    rows = opened(clinic.get(f"{of_clinic}/content")).read("notes.csv").decode()
    assert rows.count("\r\n") == 4
    assert ",default," not in rows


def own_paths(place):
    return [("GET", place), ("GET", f"{place}/content"), ("DELETE", place)]


def test_a_deleted_export_is_gone_with_its_file(app, tmp_path):
    place, _ = ask_and_wait(app, format="csv")
    assert len(files(tmp_path)) == 1

    assert app.ask("DELETE", place).status == 204

    assert [app.ask(method, path).status for method, path in own_paths(place)] == [404, 404, 404]
    assert files(tmp_path) == []


def test_an_erasure_takes_every_export_of_the_tenant_away(app, clinic, engine, tmp_path):
    place, _ = ask_and_wait(app, format="csv")
    kept, _ = ask_and_wait(clinic, format="csv")

    erasures.begin(engine, Chosen(subject="ben"), scope=ErasureScope.ALL)
    assert app.get(f"{place}/content").status == 404
    ask_and_wait(clinic, format="jsonl")  # which wakes the thread; else it looks by itself after a while

    assert wait_until(lambda: len(files(tmp_path)) == 2, timeout_s=60)
    assert clinic.get(f"{kept}/content").status == 200


def test_an_expired_export_is_gone_with_its_file(app, engine, tmp_path):
    place, _ = ask_and_wait(app, format="csv")
    with engine.begin() as connection:
        connection.execute(update(exports).values(expires_at=db_now()))

    assert app.get(f"{place}/content").status == 404
    ask_and_wait(app, format="csv")
    assert wait_until(lambda: len(files(tmp_path)) == 1, timeout_s=60)


def test_reading_an_export_is_audited_with_the_person(app, engine):
    place, _ = ask_and_wait(app, format="csv", subject="anna")
    app.get(f"{place}/content")

    last = api_audit.read(engine, tenant="default")[0]
    assert (last.method, last.route, last.subject) == ("GET", "/v1/exports/{export_id}/content", "anna")


def test_no_tenant_fills_the_disk(app, engine):
    for _ in range(export_jobs.MAX_KEPT):
        export_jobs.add(engine, NewExport(tenant="default", key_id=1, format="csv"), keep=KEEP)

    answer = ask(app, format="csv")

    assert (answer.status, answer.json["type"]) == (409, "urn:tonalog:problem:too-many-exports")


def test_what_a_killed_process_was_writing_is_written_by_the_next(engine, tmp_path):
    fill(engine)
    a_key(engine)
    export_jobs.add(engine, NewExport(tenant="default", key_id=1, format="csv"), keep=KEEP)
    lost = export_jobs.claim(engine)
    (tmp_path / "exports" / ".1-x.zip.partial-y").mkdir(parents=True)

    with running(engine, home=tmp_path):
        assert wait_until(lambda: export_jobs.get(engine, "default", lost.id).state is ExportState.READY, timeout_s=60)

    assert not export_jobs.finish(engine, lost, n_rows=1, size_bytes=1)
    assert [name.startswith("1-") for name in files(tmp_path)] == [True]


def test_somebody_who_is_erased_while_it_is_written_is_in_no_file(engine, tmp_path, monkeypatch):
    fill(engine)
    a_key(engine)
    finish, erased = export_jobs.finish, []

    def erase_first(*arguments, **values):
        erased.append(erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.ALL))
        return finish(*arguments, **values)

    monkeypatch.setattr(export_jobs, "finish", erase_first)
    export_jobs.add(engine, NewExport(tenant="default", key_id=1, format="csv"), keep=KEEP)
    with running(engine, home=tmp_path):
        assert wait_until(lambda: erased and not files(tmp_path), timeout_s=60)

    assert export_jobs.list_of_tenant(engine, "default", limit=9) == []


def test_a_failure_says_why_and_the_next_one_is_written(app, engine, monkeypatch):
    write = Exporter._write_once

    def fail_first(exporter, job):
        if job.id == 1:
            raise OSError("no space left on /a/secret/place")
        return write(exporter, job)

    monkeypatch.setattr(Exporter, "_write_once", fail_first)

    failed, found = ask_and_wait(app, format="csv")
    _, ready = ask_and_wait(app, format="csv")

    assert (found["status"], ready["status"]) == ("failed", "ready")
    assert "secret" not in found["reason"]
    assert app.get(f"{failed}/content").status == 409
