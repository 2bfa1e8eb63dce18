"""What `tonalog api` may export by its role of deploy/postgres/roles.sql; on a real PostgreSQL."""

import io
import json
import zipfile

import pytest
from api_samples import Client, fill, running
from command import wait_until
from export_samples import keep_person
from roles import new_roles, run

from db import api_keys
from db.reasons import Scope


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server) as roles:
        fill(roles.admin)
        keep_person(roles.admin)
        yield roles


@pytest.fixture
def app(roles):
    secret = api_keys.create(roles.migrator, "default", name="app", scopes=[Scope.READ]).secret
    with running(roles.http) as port:
        yield Client(port, secret)


def export(app, **body):
    asked = app.ask("POST", "/v1/exports", body=json.dumps(body), headers={"Content-Type": "application/json"})
    assert asked.status == 202, asked.body
    place = asked.headers["location"]
    assert wait_until(lambda: app.get(place).json["status"] in ("ready", "failed"), timeout_s=60)
    return place, app.get(place).json


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "fhir"])
def test_its_role_exports_every_row_of_the_tenant_and_none_of_another(app, form):
    place, found = export(app, format=form)

    assert found["status"] == "ready", found["reason"]
    with zipfile.ZipFile(io.BytesIO(app.get(f"{place}/content").body)) as archive:
        rows = json.loads(archive.read("export.json"))["rows"]
        everything = b"".join(archive.read(name) for name in archive.namelist())
    expected = {"Observation": 8} if form == "fhir" else {"notes": 8, "segments": 12, "days": 4, "trends": 2}
    assert rows == expected
    assert b"clinic" not in everything


def test_all_about_a_person_needs_more_rights_and_says_so(roles, app):
    _, refused = export(app, format="person", subject="anna")
    run(roles.admin, "GRANT pg_read_all_data TO tonalog_http")
    try:
        _, found = export(app, format="person", subject="anna")
    finally:
        run(roles.admin, "REVOKE pg_read_all_data FROM tonalog_http")  # roles are of the whole server

    assert (refused["status"], refused["reason"]) == (
        "failed",
        "The server's database role may not read what this format holds.",
    )
    assert found["status"] == "ready", found["reason"]
