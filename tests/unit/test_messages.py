"""Of a message only its job id counts, whatever else a writer on the queue put into it."""

import json
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu import Message

from config.queues import SCORE_TASK
from worker.messages import MAX_JOB_ID, keep_only, read_job_id

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def make_message(payload, **headers):
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Message(
        body, content_type="application/json", content_encoding="utf-8", headers=headers, accept={"application/json"}
    )


@pytest.mark.parametrize("job_id", [1, 7, MAX_JOB_ID])
def test_a_job_id_is_read(job_id):
    assert read_job_id(make_message([[job_id], {}, {}])) == job_id
    assert read_job_id(make_message({"task": SCORE_TASK, "args": [job_id], "kwargs": {}})) == job_id


@pytest.mark.parametrize("job_id", [0, -1, MAX_JOB_ID + 1, 10**400, True, 1.0, "1", None, [1], {"a": 1}])
def test_what_is_no_job_id_is_none(job_id):
    assert read_job_id(make_message([[job_id], {}, {}])) is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[[]]", b"[[1, 2], {}, {}]", b"7", b"null"])
def test_a_body_of_another_shape_is_none(body):
    assert read_job_id(make_message(body)) is None


@settings(max_examples=30)
@given(payload=JSON)
def test_no_body_raises(payload):
    found = read_job_id(make_message(payload))

    assert found is None or 1 <= found <= MAX_JOB_ID


@given(
    headers=st.dictionaries(st.sampled_from(["id", "timelimit", "eta", "expires", "argsrepr", "chain", "task"]), JSON)
)
def test_nothing_but_the_id_of_the_message_is_left_of_its_headers(headers):
    message = make_message([[7], {"x": 1}, {"errbacks": [{"task": "x"}]}], **headers)

    keep_only(message, 7)

    UUID(message.headers["id"])
    assert message.decode() == [[7], {}, {}]
    assert message.headers["timelimit"] == [None, None]
    assert (message.headers["eta"], message.headers["expires"], message.headers["task"]) == (None, None, SCORE_TASK)
    assert message.headers["argsrepr"] == "(7,)"


def test_a_message_of_our_own_keeps_its_id():
    own = "c7a4cd36-9a33-4d2a-8d0b-8ac0b6b0b0a1"
    message = make_message([[7], {}, {}], id=own)

    keep_only(message, 7)

    assert message.headers["id"] == own
