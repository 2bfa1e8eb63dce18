"""Of a message only what ours have counts, whatever else a writer on the queue put into it; anything else is dropped."""

import base64
import json
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu.transport.virtual import Channel, Message

from config.envelopes import MAX_BODY_CHARS, MAX_JOB_ID, TASKS_OF, Refused, read_envelope, read_job_ids
from config.queues import JOBS_PER_MESSAGE, SCHEDULER_QUEUE, SCORE_TASK, TICK_TASK, lane_queue

LANE = lane_queue("bulk")
EVENTS, COMMANDS = "celeryev.1", "worker@host.celery.pidbox"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def encode(value):
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


def make_message(body, *, task=SCORE_TASK, queue=LANE, **headers):
    return {
        "body": encode(body),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": task, "id": "c7a4cd36-9a33-4d2a-8d0b-8ac0b6b0b0a1", **headers},
        "properties": {
            "delivery_tag": "t",
            "delivery_info": {"exchange": "", "routing_key": queue},
            "body_encoding": "base64",
        },
    }


def decode(envelope):
    return json.loads(base64.b64decode(envelope["body"]))


@pytest.mark.parametrize("job_id", [1, 7, MAX_JOB_ID])
def test_a_job_id_is_read(job_id):
    assert decode(read_envelope(make_message([[job_id], {}, {}]), LANE)) == [[job_id], {}, {}]


@pytest.mark.parametrize("job_id", [0, -1, MAX_JOB_ID + 1, True, 1.0, "1", None, [1], {"a": 1}])
def test_what_is_no_job_id_is_refused(job_id):
    with pytest.raises(Refused, match="it names no job"):
        read_envelope(make_message([[job_id], {}, {}]), LANE)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[[]]", b"7", b"null"])
def test_a_body_of_another_shape_is_refused(body):
    with pytest.raises(Refused):
        read_envelope(make_message(body), LANE)


def test_a_body_that_is_too_long_is_refused_unread():
    with pytest.raises(Refused, match="too long"):
        read_envelope(make_message(b" " * MAX_BODY_CHARS + b"[[1], {}, {}]"), LANE)


@pytest.mark.parametrize("compression", ["zlib", "bzip2", "lzma", "zstd", None, []])
def test_nothing_compressed_is_unpacked(compression):
    with pytest.raises(Refused, match="no plain JSON"):
        read_envelope(make_message([[1], {}, {}], compression=compression), LANE)


@settings(max_examples=100)
@given(message=JSON, queue=st.sampled_from([*TASKS_OF, EVENTS, COMMANDS]))
def test_whatever_is_no_message_is_refused(message, queue):
    with pytest.raises(Refused):
        read_envelope(message, queue)


@settings(max_examples=300)
@given(
    field=st.sampled_from(["body", "content-type", "headers", "properties"]),
    name=st.sampled_from(["delivery_tag", "delivery_info", "body_encoding", "task", "id", "expires", "compression"]),
    value=JSON,
    body=JSON
    | st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("type", "hostname", "timestamp", "clock", "method", "destination", "reply_to"), JSON),
    ),
    queue=st.sampled_from([*TASKS_OF, EVENTS, COMMANDS]),
)
def test_one_field_of_another_type_is_refused_or_left_out(field, name, value, body, queue):
    message = make_message(body, queue=queue)
    if field in ("headers", "properties"):
        message[field][name] = value
    else:
        message[field] = value
    with suppress(Refused):
        envelope = read_envelope(message, queue)
        Message(envelope, channel=Channel.__new__(Channel))  # kombu can read it


@given(headers=st.dictionaries(st.sampled_from(["id", "timelimit", "eta", "expires", "argsrepr", "chain"]), JSON))
def test_nothing_but_the_id_of_the_message_is_left_of_its_headers(headers):
    body = [[7], {"x": 1}, {"errbacks": [{"task": "x"}]}]

    envelope = read_envelope(make_message(body, **headers), LANE)

    made = envelope["headers"]
    UUID(made["id"])
    assert decode(envelope) == [[7], {}, {}]
    assert made["timelimit"] == [None, None]
    assert (made["eta"], made["expires"], made["task"]) == (None, None, SCORE_TASK)
    assert made["argsrepr"] == "(7,)"
    assert "chain" not in made


def test_a_message_of_our_own_keeps_its_id():
    assert read_envelope(make_message([[7], {}, {}]), LANE)["headers"]["id"] == "c7a4cd36-9a33-4d2a-8d0b-8ac0b6b0b0a1"


def test_a_queue_takes_its_own_tasks_alone():
    for task, queue in ((TICK_TASK, LANE), (SCORE_TASK, SCHEDULER_QUEUE), ("celery.map", LANE)):
        with pytest.raises(Refused, match="not one of this queue"):
            read_envelope(make_message([[7], {}, {}], task=task), queue)


def test_a_tick_takes_no_argument_and_keeps_when_it_expires():
    message = make_message([[7], {"x": 1}, {}], task=TICK_TASK, expires="2026-11-26T00:00:00+00:00")

    envelope = read_envelope(message, SCHEDULER_QUEUE)

    assert decode(envelope) == [[], {}, {}]
    assert envelope["headers"]["expires"] == "2026-11-26T00:00:00+00:00"


@pytest.mark.parametrize("method", ["shutdown", "revoke", "time_limit", "pool_shrink", "rate_limit", "x", None, []])
def test_a_command_that_changes_something_is_refused(method):
    with pytest.raises(Refused, match="not allowed"):
        read_envelope(make_message({"method": method, "arguments": {}}), COMMANDS)


@pytest.mark.parametrize("matcher", ["pcre", "glob"])
def test_a_command_for_names_of_a_pattern_is_refused(matcher):
    with pytest.raises(Refused, match="whom it is for"):
        read_envelope(make_message({"method": "ping", "pattern": "(.*.*)*#", "matcher": matcher}), COMMANDS)


def test_a_command_is_answered_to_who_asks_and_nowhere_else():
    with pytest.raises(Refused, match="elsewhere"):
        read_envelope(make_message({"method": "ping", "reply_to": {"exchange": "", "routing_key": LANE}}), COMMANDS)


def test_an_event_keeps_its_known_fields():
    body = {"type": "worker-heartbeat", "hostname": "h", "timestamp": 1.5, "clock": 3, "event": 7, "freq": "x"}

    assert decode(read_envelope(make_message(body), EVENTS)) == {
        "type": "worker-heartbeat",
        "hostname": "h",
        "timestamp": 1.5,
        "clock": 3,
    }


def test_the_arguments_of_a_message_are_the_ids_of_its_jobs():
    assert read_job_ids([[7, 9], {}, {}]) == [7, 9]


@pytest.mark.parametrize("ids", [[], list(range(1, JOBS_PER_MESSAGE + 2)), [7, "8"], [7, 0], [7, [8]]], ids=str)
def test_a_message_of_no_jobs_of_too_many_or_with_one_that_is_none_is_refused(ids):
    with pytest.raises(Refused, match=r"it names no job|it does not name 1 to 16 jobs"):
        read_job_ids([ids, {}, {}])
