"""Uploads become recordings as a scan would register them, once, whoever comes first."""

import json

import pytest
from db_samples import add_active_model, count, new_sqlite

from config.settings import Settings
from db import api_keys, recordings, uploads
from db.reasons import Scope, UploadState
from db.request_schema import uploads as uploads_table
from db.uploads import KEEP_ENDED, NewUpload
from scheduler.naming import Naming
from scheduler.scan import scan
from scheduler.uploads import Taken, UploadLoop, register_uploads
from storage.encoded_words import decode_word
from storage.errors import StorageUnavailable
from storage.local import LocalStore
from storage.protocol import MemoryStore
from storage.uploads import Speaker, make_key, make_metadata, make_sidecar

ZOE = Speaker(subject="Zoë", recorded_at="2026-03-02T09:15:00+01:00", tenant="clinic", zone="Europe/Berlin")


@pytest.fixture
def engine(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    return engine


@pytest.fixture
def naming():
    return Naming.of(Settings(key_pattern="{tenant}/{subject}/{recorded_at}"))


class DownStore(MemoryStore):
    def list_objects(self, *_args, **_kwargs):
        raise StorageUnavailable("down")


def put_on_s3(store, key):
    store.put(key, b"sound", metadata={name: decode_word(value) for name, value in make_metadata(ZOE).items()})


def put_in_folder(store, key):
    store.put(key, b"sound")
    store.put(f"{key}.json", make_sidecar(ZOE))


@pytest.fixture(params=[put_on_s3, put_in_folder], ids=["metadata", "sidecar"])
def store_and_put(request, tmp_path):
    if request.param is put_on_s3:
        return MemoryStore(), put_on_s3
    (tmp_path / "notes").mkdir()
    return LocalStore(tmp_path / "notes"), put_in_folder


def begin(engine, store, *, upload_id="u1", is_received=True):
    key_id = api_keys.create(engine, "clinic", name="app", scopes=(Scope.WRITE,)).key.id
    place = {"store": store.name, "bucket": store.bucket, "key": make_key("", upload_id, "ogg")}
    new = NewUpload(id=upload_id, tenant="clinic", key_id=key_id, subject="Zoë", binding="b", **place)
    uploads.create(engine, new, lifetime=KEEP_ENDED, max_open=9)
    if is_received:
        uploads.receive(engine, "clinic", upload_id)
    return new.key


def take(engine, store, naming):
    return register_uploads(engine, store, naming=naming)


def test_an_upload_has_the_person_time_and_tenant_that_were_said_whatever_the_layout_reads(
    engine, store_and_put, naming
):
    store, put = store_and_put
    put(store, begin(engine, store))

    assert take(engine, store, naming) == Taken(n_made=1)

    made = recordings.get(engine, uploads.find(engine, "clinic", "u1").recording_id)
    assert (made.subject, made.tenant, made.utc_offset_min) == ("Zoë", "clinic", 60)
    assert (made.recorded_at.isoformat(), made.local_day.isoformat()) == ("2026-03-02T08:15:00+00:00", "2026-03-02")


@pytest.mark.parametrize("comes_first", ["scan", "upload"])
def test_a_scan_and_an_upload_register_one_recording_and_nothing_is_corrected(
    engine, store_and_put, naming, comes_first
):
    store, put = store_and_put
    put(store, begin(engine, store))
    steps = [lambda: scan(engine, store, prefix="", naming=naming), lambda: take(engine, store, naming)]

    for step in steps if comes_first == "scan" else reversed(steps):
        step()

    assert scan(engine, store, prefix="", naming=naming).n_corrected == 0
    assert (count(engine, "recordings"), count(engine, "identity_changes")) == (1, 0)
    assert uploads.find(engine, "clinic", "u1").state is UploadState.REGISTERED


def test_nothing_is_taken_before_the_bytes_were_said_to_be_there(engine, store_and_put, naming):
    store, put = store_and_put
    put(store, begin(engine, store, is_received=False))

    assert take(engine, store, naming) == Taken()


def test_an_upload_whose_object_is_gone_fails_and_one_whose_store_is_down_waits(engine, naming):
    store = MemoryStore()
    begin(engine, store, upload_id="gone")
    begin(engine, store, upload_id="waits")

    assert take(engine, DownStore(), naming) == Taken(n_waiting=2)
    put_on_s3(store, make_key("", "waits", "ogg"))
    assert take(engine, store, naming) == Taken(n_made=1)

    gone = uploads.find(engine, "clinic", "gone")
    assert (gone.state, gone.reason) == (UploadState.FAILED, "OBJECT_MISSING")


@pytest.mark.parametrize("place", [{"bucket": "/etc"}, {"key": "passwd"}, {"key": "uploads/u2/note.ogg"}], ids=str)
def test_an_upload_elsewhere_than_recordings_are_is_read_by_nobody(engine, naming, place):
    store = MemoryStore()
    for key in ("passwd", "uploads/u2/note.ogg", begin(engine, store)):
        put_on_s3(store, key)
    with engine.begin() as connection:
        connection.execute(uploads_table.update().values(place))

    assert take(engine, store, naming) == Taken()
    assert uploads.find(engine, "clinic", "u1").reason == "STORAGE_DENIED"
    assert count(engine, "recordings") == 0


def test_the_loop_goes_on_after_a_look_that_raised():
    looks = []

    def look():
        looks.append(1)
        if len(looks) == 1:
            raise StorageUnavailable("down")
        loop.stop()
        return Taken()

    loop = UploadLoop(look, every_s=0.001)
    loop._run()

    assert len(looks) == 2


def test_a_sidecar_holds_what_was_said():
    assert json.loads(make_sidecar(ZOE)) == {
        "subject": "Zoë",
        "recorded_at": "2026-03-02T09:15:00+01:00",
        "tenant": "clinic",
        "zone": "Europe/Berlin",
    }
