"""The typed client sends a recording: announced, sent where the answer says, completed; against a real server."""

import pytest
from api_samples import a_key, running
from db_samples import MONDAY, add_active_model, new_sqlite

from db.reasons import Scope
from tonalog.client import Client, NotFound
from tonalog.client.sending import Sender


@pytest.fixture
def client(tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    key = a_key(engine, "default", Scope.READ, Scope.WRITE)
    with running(engine, storage_url=str(notes)) as port, Client(f"http://127.0.0.1:{port}", key) as client:
        yield client


def test_a_recording_is_sent_and_becomes_a_note(client):
    sent = client.upload(b"RIFF some bytes", subject="ana", recorded_at=MONDAY, extension="wav")

    assert sent.status == "received"
    assert client.get_upload(sent.id).id == sent.id
    with pytest.raises(NotFound):
        client.get_upload("0" * 32)


def test_a_time_without_offset_is_refused_before_anything_is_sent(client):
    with pytest.raises(ValueError, match="no offset"):
        client.upload(b"x", subject="ana", recorded_at=MONDAY.replace(tzinfo=None))


def test_nobody_else_gets_the_key():
    sender = Sender("http://127.0.0.1:9", "key", timeout_s=1, retry_for_s=0)

    with pytest.raises(ValueError, match="no path of this API"):
        sender.put("http://127.0.0.1:1/x", b"", headers={}, has_key=True)
