"""Uploads over a real server into a folder: what is told, what is refused, and which recording comes of them."""

import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from api_samples import Client, a_key, running
from db_samples import a_recording, add_active_model, count, dump, new_sqlite, score_all

from api.server import forget_old
from config.settings import Settings
from db import erasures, recordings, uploads
from db.erasures import Chosen
from db.reasons import ErasureScope, Scope
from db.request_schema import uploads as uploads_table
from scheduler.erasing import carry_out
from scheduler.naming import Naming
from scheduler.scan import scan
from scheduler.uploads import register_uploads
from storage.local import LocalStore
from storage.open import open_place

ANA = {"subject": "ana", "recorded_at": "2026-03-02T09:15:00+01:00", "extension": "ogg"}
SOUND = b"OggS" + bytes(1000)


@pytest.fixture
def engine(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    return engine


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "notes"
    made.mkdir()
    return made


@pytest.fixture
def settings(folder, tmp_path):
    return {"storage_url": str(folder), "home": tmp_path / "home", "max_size_mb": 1}


@pytest.fixture
def app(engine, settings):
    """A client with a key for everything, on a server that takes uploads."""
    with running(engine, **settings) as port:
        yield Client(port, a_key(engine, "default", *Scope))


def send(app, began, content=SOUND, **others):
    put = began.json["put"]
    return app.ask("PUT", put["url"], headers=put["headers"] | others, body=content)


def take(engine, settings):
    made = Settings(**settings)
    store, prefix = open_place(made, made.storage_url)
    return register_uploads(engine, store, prefix=prefix, naming=Naming.of(made))


def seen(folder):
    return sorted(path.relative_to(folder).parts[-1] for path in folder.rglob("*") if path.is_file())


def test_an_upload_is_a_scored_note_in_the_end_and_its_place_names_nobody(app, engine, folder, settings):
    began = app.post("/v1/uploads", ANA | {"size_bytes": len(SOUND), "sha256": hashlib.sha256(SOUND).hexdigest()})
    assert (began.status, began.json["status"]) == (201, "waiting")
    path = began.headers["location"]
    assert app.get(path).json["put"] is None

    assert send(app, began).json["status"] == "received"
    assert app.post(f"{path}/complete").json["status"] == "received"
    assert seen(folder) == ["note.ogg", "note.ogg.json"]
    assert not any("ana" in str(file.relative_to(folder)) for file in folder.rglob("*"))

    assert take(engine, settings).n_made == 1
    pending = app.get(path).json
    assert (pending["status"], pending["note_id"]) == ("received", 1)
    score_all(engine)
    assert app.get(path).json["status"] == "scored"
    note = app.get("/v1/notes/1").json
    assert (note["subject"], note["recorded_at"], note["day"]) == ("ana", "2026-03-02T09:15:00+01:00", "2026-03-02")


def test_a_day_is_a_day_of_the_zone_that_is_named(app, engine, settings):
    send(app, app.post("/v1/uploads", {"subject": "ana", "recorded_at": "2026-03-02", "time_zone": "Asia/Tokyo"}))
    take(engine, settings)

    note = app.get("/v1/notes/1").json
    assert (note["day"], note["recorded_at_precision"], note["time_zone"]) == ("2026-03-02", "day", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"subject": None}, "subject"),
        ({"subject": " "}, "blank"),
        ({"subject": "a\u2028b"}, "control character"),
        ({"recorded_at": "2026-03-02T09:15:00"}, "pattern"),
        ({"recorded_at": "2026-02-30"}, "not a time that exists"),
        ({"recorded_at": timedelta(hours=1)}, "in the future"),
        ({"recorded_at": "2099-12-31"}, "in the future"),
        ({"time_zone": "Mars/Olympus"}, "no such time zone"),
        ({"content_type": "text/html"}, "audio/ogg"),
        ({"content_type": "audio/ogg\r\nx: y"}, "pattern"),
        ({"content_type": "audio/ogg\n"}, "pattern"),
        ({"extension": "exe"}, "ogg"),
        ({"size_bytes": 2**21}, "more than 1048576 bytes"),
        ({"size_bytes": True}, "not a whole number"),
        ({"size_bytes": "5"}, "not a whole number"),
        ({"size_bytes": 5.5}, "size_bytes"),
        ({"sha256": "abc"}, "sha256"),
        ({"who": "ana"}, "who"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_refused_by_name(app, engine, changed, message):
    said = ANA | changed
    if isinstance(said["recorded_at"], timedelta):
        said["recorded_at"] = (datetime.now(UTC) + said["recorded_at"]).isoformat()
    answer = app.post("/v1/uploads", said)

    assert (answer.status, answer.json["type"]) == (422, "urn:tonalog:problem:invalid-parameter")
    assert message in json.dumps(answer.json)
    assert count(engine, "uploads") == 0


def test_a_body_that_is_no_text_is_refused(app):
    answer = app.ask("POST", "/v1/uploads", headers={"Content-Type": "application/json"}, body=b"\xff{")

    assert (answer.status, answer.json["type"]) == (422, "urn:tonalog:problem:invalid-parameter")


def test_bytes_that_are_too_many_others_or_none_are_refused_and_leave_nothing(app, folder):
    began = app.post("/v1/uploads", ANA | {"sha256": hashlib.sha256(SOUND).hexdigest()})

    assert send(app, began, bytes(2**20 + 1)).status == 413
    assert send(app, began, b"").status == 409
    other = send(app, began, b"other")
    assert (other.status, other.json["type"]) == (409, "urn:tonalog:problem:upload-differs")
    assert seen(folder) == []
    assert send(app, began).status == 200
    again = send(app, began)
    assert (again.status, again.json["type"]) == (409, "urn:tonalog:problem:upload-closed")
    assert [path.name for path in (folder / "uploads").iterdir()] == [began.json["id"]]


def test_the_bytes_come_with_the_person_that_was_announced_and_no_other(app, folder):
    began = app.post("/v1/uploads", ANA)

    assert send(app, began, **{"x-amz-meta-subject-id": "ben"}).status == 409
    assert send(app, began, **{"x-amz-meta-recorded-at": "2026-03-03"}).status == 409
    assert app.ask("PUT", began.json["put"]["url"], body=SOUND).status == 409
    assert seen(folder) == []


def test_an_upload_without_bytes_cannot_be_completed(app):
    path = app.post("/v1/uploads", ANA).headers["location"]
    answer = app.post(f"{path}/complete")

    assert (answer.status, answer.json["type"]) == (409, "urn:tonalog:problem:upload-has-no-bytes")


def test_bytes_that_were_stored_though_nobody_could_write_it_down_can_be_completed(app, engine):
    began = app.post("/v1/uploads", ANA)
    send(app, began)
    with engine.begin() as connection:
        connection.execute(uploads_table.update().values(state="OPEN", received_at=None))

    assert app.post(f"{began.headers['location']}/complete").json["status"] == "received"


def test_another_tenant_and_a_key_that_only_reads_can_do_nothing_with_an_upload(app, engine):
    began = app.post("/v1/uploads", ANA)
    path = began.headers["location"]
    others = Client(app.port, a_key(engine, "clinic", *Scope))
    reader = Client(app.port, a_key(engine, "default", Scope.READ))

    assert [others.get(path).status, others.post(f"{path}/complete").status, send(others, began).status] == [404] * 3
    assert [reader.post("/v1/uploads", ANA).status, send(reader, began).status] == [403] * 2
    assert reader.get(path).status == 200


def test_a_key_that_opens_too_many_uploads_is_told_when_to_come_back(engine, settings):
    with running(engine, api_open_uploads=1, **settings) as port:
        app = Client(port, a_key(engine, "default", *Scope))
        app.post("/v1/uploads", ANA)
        refused = app.post("/v1/uploads", ANA)

    assert (refused.status, refused.json["type"]) == (429, "urn:tonalog:problem:too-many-uploads")
    assert 0 < int(refused.headers["retry-after"]) <= 900


def test_without_a_place_for_recordings_a_server_says_so(engine, tmp_path):
    for url in (None, str(tmp_path / "gone")):
        with running(engine, home=tmp_path / "home", **({"storage_url": url} if url else {})) as port:
            answer = Client(port, a_key(engine, "default", *Scope)).post("/v1/uploads", ANA)
        assert (answer.status, answer.json["type"]) == (503, "urn:tonalog:problem:uploads-not-possible")


def test_an_upload_is_over_in_time(app, engine):
    began = app.post("/v1/uploads", ANA)
    with engine.begin() as connection:
        connection.execute(uploads_table.update().values(expires_at=datetime(2026, 1, 1, tzinfo=UTC)))

    assert app.get(began.headers["location"]).json["status"] == "expired"
    assert send(app, began).status == 409
    forget_old(engine, Settings())
    assert app.get(began.headers["location"]).status == 404


def test_a_subject_key_hides_the_name_from_the_database_and_finds_the_same_person(engine, settings, folder):
    settings |= {"subject_key": "k" * 32}
    with running(engine, **settings) as port:
        app = Client(port, a_key(engine, "default", *Scope))
        began = app.post("/v1/uploads", ANA | {"subject": "Zoë Q"}, Idempotency_Key="a")
        pseudonym = app.post("/v1/uploads", ANA | {"subject": "hmac-sha256:" + 32 * "a"})
        assert send(app, began).status == 200
        assert "Zo" not in dump(engine)
        take(engine, settings)
        assert app.get("/v1/subjects/Zo%C3%AB%20Q/notes").json["notes"][0]["id"] == 1

    assert pseudonym.status == 422
    assert "Zo" not in dump(engine)


def test_an_erasure_reaches_an_upload_that_no_scan_has_seen(app, engine, folder):
    recordings.register(engine, [a_recording("x.ogg", subject="ben")])
    began = app.post("/v1/uploads", ANA, Idempotency_Key="a")
    send(app, began)
    open_one = app.post("/v1/uploads", ANA)

    assert app.ask("DELETE", "/v1/subjects/ana").status == 202
    carry_out(engine, lambda *_: LocalStore(folder))

    assert seen(folder) == []
    assert app.get(began.headers["location"]).status == 404
    assert send(app, open_one).status == 404
    assert seen(folder) == []
    assert "'ana'" not in dump(engine)


def test_a_scan_that_sees_an_upload_reads_the_same_of_it(app, engine, settings):
    send(app, app.post("/v1/uploads", ANA | {"subject": "Zoë"}))
    made = Settings(**settings)
    store, prefix = open_place(made, made.storage_url)

    assert scan(engine, store, prefix=prefix, naming=Naming.of(made)).n_new == 1
    take(engine, settings)
    assert scan(engine, store, prefix=prefix, naming=Naming.of(made)).n_corrected == 0
    assert recordings.get(engine, 1).subject == "Zoë"
    assert count(engine, "recordings") == 1


def test_the_same_request_begins_one_upload_and_another_with_its_key_is_refused(app, engine):
    first = app.post("/v1/uploads", ANA, Idempotency_Key="8e03978e")
    again = app.post("/v1/uploads", ANA, Idempotency_Key='"8e03978e"')
    assert again.json == first.json
    assert (again.status, again.headers["location"]) == (201, first.headers["location"])
    assert count(engine, "uploads") == 1

    other = app.post("/v1/uploads", ANA | {"subject": "ben"}, Idempotency_Key="8e03978e")
    assert (other.status, other.json["type"]) == (422, "urn:tonalog:problem:idempotency-key-reused")
    assert app.post("/v1/uploads", ANA, Idempotency_Key="other").json["id"] != first.json["id"]
    reader = Client(app.port, a_key(engine, "default", *Scope))
    assert reader.post("/v1/uploads", ANA, Idempotency_Key="8e03978e").json["id"] != first.json["id"]


def test_a_request_that_is_being_answered_is_not_answered_twice(app, engine, monkeypatch):
    in_hand, may_end = threading.Event(), threading.Event()
    create = uploads.create

    def create_slowly(*arguments, **options):
        in_hand.set()
        may_end.wait(20)
        return create(*arguments, **options)

    monkeypatch.setattr(uploads, "create", create_slowly)
    first = threading.Thread(target=app.post, args=("/v1/uploads", ANA), kwargs={"Idempotency_Key": "a"})
    first.start()
    assert in_hand.wait(20)
    second = app.post("/v1/uploads", ANA, Idempotency_Key="a")
    may_end.set()
    first.join()

    assert (second.status, second.json["type"]) == (409, "urn:tonalog:problem:being-answered")
    assert second.headers["retry-after"] == "1"
    assert app.post("/v1/uploads", ANA, Idempotency_Key="a").status == 201
    assert count(engine, "uploads") == 1


def test_a_refused_request_may_be_sent_again_with_its_key(app):
    assert app.post("/v1/uploads", ANA | {"size_bytes": 2**21}, Idempotency_Key="a").status == 422
    assert app.post("/v1/uploads", ANA, Idempotency_Key="a").status == 201


def test_an_answer_that_is_kept_whole_is_given_again_though_things_have_changed(app, engine, settings):
    began = app.post("/v1/uploads", ANA)
    path = began.headers["location"]
    assert app.post(f"{path}/complete", Idempotency_Key="c").status == 409
    send(app, began)
    first = app.post(f"{path}/complete", Idempotency_Key="c")
    take(engine, settings)

    again = app.post(f"{path}/complete", Idempotency_Key="c")

    assert (again.status, again.json) == (200, first.json)
    assert again.json["note_id"] is None
    assert again.headers["content-type"] == first.headers["content-type"]


@pytest.mark.parametrize("bad", ["", "é", "a" * 300, 'a"b'])
def test_an_idempotency_key_that_is_none_is_refused(app, bad):
    assert app.post("/v1/uploads", ANA, Idempotency_Key=bad).status == 422


def test_a_body_that_is_too_large_is_refused_before_it_is_read(app):
    assert app.post("/v1/uploads", ANA | {"subject": "a" * 2**21}).status == 413


def test_what_is_kept_of_uploads_names_nobody_once_they_are_recordings(app, engine, settings):
    send(app, app.post("/v1/uploads", ANA))
    take(engine, settings)

    with engine.connect() as connection:
        assert connection.execute(uploads_table.select()).one().subject is None
    erasures.begin(engine, Chosen(subject="ana"), scope=ErasureScope.ALL)
    assert "'ana'" not in dump(engine)
