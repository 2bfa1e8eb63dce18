"""What somebody left in the file queue's folder: it stops nobody, is read within a limit, and leads nowhere else."""

import json
import os
import time
from queue import Empty

import pytest
from kombu import Connection
from kombu.exceptions import ChannelError

from config import file_queue
from config.queues import celery_settings, prepare_folders
from config.settings import Settings

QUEUE = "lane-1-nightly"
PAYLOAD = {"body": "x", "headers": {}, "properties": {"delivery_tag": "1", "delivery_info": {}}}


def connect(home):
    options = celery_settings(Settings(home=home))
    return Connection(
        "filesystem://", transport=options["broker_transport"], transport_options=options["broker_transport_options"]
    )


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    prepare_folders(Settings(home=home))
    return home


@pytest.fixture
def messages(home):
    return home / "queue" / "messages"


@pytest.fixture
def channel(home, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(home / "queue" / "moved"))
    with connect(home) as connection:
        yield connection.channel()


def leave_folder(path, _outside):
    path.mkdir()
    (path / "inner").write_text("mine")


def leave_pipe(path, _outside):
    os.mkfifo(path)


def leave_link_to_file(path, outside):
    path.symlink_to(outside / "secret.json")


def leave_link_to_folder(path, outside):
    path.symlink_to(outside)


def leave_link_to_device(path, _outside):
    path.symlink_to("/dev/zero")


def leave_huge_file(path, _outside):
    with path.open("wb") as file:
        file.truncate(2**40)


def leave_unreadable(path, _outside):
    path.write_bytes(b"{}")
    path.chmod(0)


JUNK = [
    leave_folder,
    leave_pipe,
    leave_link_to_file,
    leave_link_to_folder,
    leave_link_to_device,
    leave_huge_file,
    leave_unreadable,
]


@pytest.fixture
def outside(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.json").write_text(json.dumps({**PAYLOAD, "body": "secret"}))
    return folder


@pytest.mark.timeout(60)
@pytest.mark.parametrize("leave", JUNK)
def test_junk_with_a_messages_name_stops_nobody_and_nothing_outside_is_touched(channel, messages, outside, leave):
    leave(messages / f"0_junk.{QUEUE}.msg", outside)
    channel._put(QUEUE, PAYLOAD)
    started_s = time.monotonic()

    assert channel._get(QUEUE) == PAYLOAD
    with pytest.raises(Empty):
        channel._get(QUEUE)
    assert time.monotonic() - started_s < 20
    assert channel._size(QUEUE) == 0
    assert (outside / "secret.json").read_text() == json.dumps({**PAYLOAD, "body": "secret"})


def test_what_is_no_file_is_left_where_it_is(channel, messages, outside):
    leave_folder(messages / f"0_junk.{QUEUE}.msg", outside)
    leave_link_to_folder(messages / f"00_junk.{QUEUE}.msg", outside)

    with pytest.raises(Empty):
        channel._get(QUEUE)

    assert (messages / f"0_junk.{QUEUE}.msg" / "inner").read_text() == "mine"
    assert (messages / f"00_junk.{QUEUE}.msg").is_symlink()


@pytest.mark.parametrize(
    "payload",
    [[], 7, None, "x", {}, {**PAYLOAD, "properties": None}, {**PAYLOAD, "properties": {}}, {**PAYLOAD, "headers": 3}],
)
def test_json_that_is_no_message_is_dropped(channel, messages, payload):
    (messages / f"0_junk.{QUEUE}.msg").write_text(json.dumps(payload))
    channel._put(QUEUE, PAYLOAD)

    assert channel._get(QUEUE) == PAYLOAD
    assert list(messages.iterdir()) == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "content", [b"", b"{", b"7", b"[7]", b'[["a", "b"]]', b"\xff", b"[" * 10_000, b'[[1, {}, "x"]]', b'{"a": 1}']
)
def test_junk_in_place_of_a_table_of_bindings_is_replaced(home, content):
    file = home / "queue" / "control" / "reply.celery.pidbox.exchange"
    file.write_bytes(content)

    with connect(home) as connection:
        channel = connection.channel()
        channel._queue_bind("reply.celery.pidbox", "key", "", "answers")
        channel._queue_bind("reply.celery.pidbox", "key", "", "answers")
        table = [tuple(row) for row in channel.get_table("reply.celery.pidbox")]

    assert table == [("key", "", "answers")]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("leave", [leave_pipe, leave_link_to_file, leave_link_to_device, leave_huge_file])
def test_a_table_of_bindings_is_never_read_or_written_elsewhere(home, outside, leave):
    file = home / "queue" / "control" / "x.exchange"
    leave(file, outside)

    with connect(home) as connection:
        channel = connection.channel()
        assert channel.get_table("x") == []
        channel._queue_bind("x", "key", "", "answers")
        assert len(channel.get_table("x")) == 1
        channel._delete("answers", "x", "key", "")
        assert channel.get_table("x") == []

    assert not file.is_symlink()
    assert (outside / "secret.json").read_text() == json.dumps({**PAYLOAD, "body": "secret"})


def test_a_folder_in_place_of_a_table_is_said(home):
    (home / "queue" / "control" / "x.exchange").mkdir()

    with connect(home) as connection, pytest.raises(ChannelError, match=r"x\.exchange.*remove it"):
        connection.channel()._queue_bind("x", "key", "", "answers")


def test_two_bindings_of_one_table_both_stay(home):
    with connect(home) as connection:
        channel = connection.channel()
        for queue in ("one", "two"):
            channel._queue_bind("x", "key", "", queue)
        channel._delete("one", "x", "key", "")

        assert [row.queue for row in channel.get_table("x")] == ["two"]


def test_a_message_longer_than_the_limit_is_not_put(channel, messages):
    with pytest.raises(ChannelError, match="allowed are"):
        channel._put(QUEUE, {**PAYLOAD, "body": "x" * file_queue.MAX_MESSAGE_BYTES})

    assert list(messages.iterdir()) == []
