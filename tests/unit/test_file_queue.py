"""The file queue of one machine: a message is seen whole or not at all, and junk in its folder stops nobody."""

import json
from queue import Empty

import pytest
from kombu import Connection
from kombu.transport import filesystem

from config.queues import celery_settings, prepare_folders
from config.settings import Settings

QUEUE = "lane-1-nightly"
MESSAGE = {"body": "x", "headers": {}, "properties": {"delivery_tag": "1", "delivery_info": {}}}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "queue" / "messages"


@pytest.fixture
def channel(tmp_path):
    settings = Settings(home=tmp_path)
    prepare_folders(settings)
    options = celery_settings(settings)
    with Connection(
        "filesystem://",
        transport=options["broker_transport"],
        transport_options=options["broker_transport_options"],
    ) as connection:
        yield connection.channel()


def test_no_reader_sees_a_message_that_is_being_written(channel, folder, monkeypatch):
    seen = []

    def dump(payload):
        seen.append([path.name for path in folder.iterdir()])
        return json.dumps(payload)

    monkeypatch.setattr(filesystem, "dumps", dump)
    channel._put(QUEUE, MESSAGE)

    assert seen == [[]]
    assert channel._get(QUEUE) == MESSAGE
    assert list(folder.iterdir()) == []


def test_messages_come_in_the_order_in_which_they_were_put(channel, monkeypatch):
    ticks = iter(range(1, 100))
    monkeypatch.setattr("config.file_queue.monotonic", lambda: float(next(ticks)))
    for number in range(1, 8):
        channel._put(QUEUE, {**MESSAGE, "number": number})

    assert [channel._get(QUEUE)["number"] for _ in range(7)] == list(range(1, 8))
    assert channel._size(QUEUE) == 0


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100])
def test_a_file_that_is_no_message_is_dropped_and_the_next_one_taken(channel, folder, content):
    (folder / f"1_junk.{QUEUE}.msg").write_bytes(content)
    channel._put(QUEUE, MESSAGE)

    assert channel._get(QUEUE) == MESSAGE
    with pytest.raises(Empty):
        channel._get(QUEUE)
