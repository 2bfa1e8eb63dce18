"""Erasing a person over HTTP: at once in the database, then in storage, and never seen again by an app that follows."""

import threading

import pytest
from api_samples import Client, a_key, fill, running, subject_path
from command import wait_until
from db_samples import count, new_sqlite

from db import removals
from db.reasons import Scope
from scheduler.erasing import carry_out
from storage.protocol import MemoryStore


@pytest.fixture
def engine(tmp_path):
    engine = new_sqlite(tmp_path)
    fill(engine)
    return engine


@pytest.fixture
def secret(engine):
    return a_key(engine, "default", Scope.READ, Scope.WRITE)


def finish(engine):
    """What `tonalog api` hands in, on a store that has nothing left."""
    if not removals.unfinished(engine):
        return 0
    return carry_out(engine, lambda _, bucket: MemoryStore(bucket)).n_left


def test_a_person_is_forgotten_at_once_and_the_erasure_is_seen_to_its_end(engine, secret):
    may_go_on = threading.Event()

    def remove():
        may_go_on.wait(30)
        return finish(engine)

    with running(engine, carry_out=remove) as port:
        app = Client(port, secret)
        told, cursor = app.follow()
        assert {change["note"]["subject"] for change in told} == {"anna", "ben"}

        begun = app.ask("DELETE", subject_path("anna"))

        place = begun.headers["location"]
        assert (begun.status, begun.json["status"], begun.json["n_objects_left"]) == (202, "removing", 7)
        assert place == f"/v1/erasures/{begun.json['id']}"
        assert [app.get(subject_path("anna", rest)).status for rest in ("/notes", "/days")] == [404, 404]
        assert [app.get(f"/v1/notes/{n}").status for n in (1, 7)] == [404, 404]
        forgotten, _ = app.follow(cursor)
        assert {change["note_id"] for change in forgotten} == set(range(1, 8))
        assert {(change["type"], change["reason"]) for change in forgotten} == {("note.deleted", "erased")}
        assert app.ask("DELETE", subject_path("anna")).status == 404

        may_go_on.set()
        assert wait_until(lambda: app.get(place).json["status"] == "finished", timeout_s=30)
        ended = app.get(place).json
        assert (ended["n_recordings"], ended["n_objects_removed"], ended["n_objects_left"]) == (7, 7, 0)
        assert ended["finished_at"]
        assert app.get("/v1/erasures").json["erasures"] == [ended]
    # ben's result, and those of the person of the same name of another tenant, who is somebody else
    assert count(engine, "results") == 1 + 3


def test_a_server_finishes_what_another_has_begun(engine, secret):
    with running(engine, carry_out=lambda: 1) as port:  # a store that is down
        place = Client(port, secret).ask("DELETE", subject_path("anna")).headers["location"]
        assert Client(port, secret).get(place).json["status"] == "removing"

    with running(engine, carry_out=lambda: finish(engine)) as port:
        app = Client(port, secret)
        assert wait_until(lambda: app.get(place).json["status"] == "finished", timeout_s=30)
