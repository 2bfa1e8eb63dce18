"""Notifications as S3, SNS, EventBridge, Pub/Sub and SeaweedFS write them, and what is none of them."""

import json

import pytest

from storage.events import MAX_EVENT_BYTES, EventError, ObjectHint, read_event

RECORD = {
    "eventVersion": "2.1",
    "eventSource": "aws:s3",
    "eventName": "ObjectCreated:CompleteMultipartUpload",
    "s3": {"bucket": {"name": "voice"}, "object": {"key": "ana/a+b%2Bc%C3%BC.ogg", "size": 9, "eTag": "e"}},
}
HINT = ObjectHint("voice", "ana/a b+cü.ogg")
S3 = {"Records": [RECORD]}
SNS = {"Type": "Notification", "TopicArn": "arn:aws:sns:eu:1:t", "Message": json.dumps(S3)}
BRIDGE = {
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {"bucket": {"name": "voice"}, "object": {"key": "ana/a b+cü.ogg"}},
}
PUBSUB = {
    "message": {
        "attributes": {"eventType": "OBJECT_FINALIZE", "bucketId": "voice", "objectId": "ana/a b+cü.ogg"},
        "data": "e30=",
    },
    "subscription": "projects/p/subscriptions/s",
}
MINIO = {
    "EventName": "s3:ObjectCreated:Put",
    "Key": "voice/ana",
    "Records": [RECORD | {"eventName": "s3:ObjectCreated:Put"}],
}
FILER = {
    "event_type": "create",
    "key": "/buckets/voice/ana/a b+cü.ogg",
    "message": {"new_entry": {"name": "a b+cü.ogg"}, "new_parent_path": "/buckets/voice/ana"},
}
MOVED = FILER | {"event_type": "rename", "key": "/buckets/voice/other.ogg"}


@pytest.mark.parametrize(
    "document",
    [S3, SNS, SNS | {"Message": json.dumps(SNS)}, {"Records": [{"Sns": SNS}]}, BRIDGE, PUBSUB, MINIO, FILER, MOVED],
)
def test_every_shape_names_the_same_object(document):
    assert read_event(json.dumps(document).encode()) == [HINT]


def test_objects_are_named_once_and_in_order():
    other = RECORD | {"s3": {"bucket": {"name": "voice"}, "object": {"key": "b.ogg"}}}
    assert read_event(json.dumps({"Records": [other, RECORD, other]})) == [ObjectHint("voice", "b.ogg"), HINT]


@pytest.mark.parametrize(
    "document",
    [
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "voice"},
        {"Records": [RECORD | {"eventName": "ObjectRemoved:Delete"}]},
        {"Records": [{"eventName": "ObjectRestore:Post"}]},
        BRIDGE | {"detail-type": "Object Deleted"},
        {"message": {"attributes": {"eventType": "OBJECT_DELETE", "bucketId": "voice", "objectId": "a"}}},
        FILER | {"message": {"old_entry": {"name": "a"}}},
        FILER | {"message": {"new_entry": {"name": "ana", "is_directory": True}, "new_parent_path": "/buckets/voice"}},
        {"key": "/etc/passwd", "message": {"new_entry": {"name": "passwd"}, "new_parent_path": "/etc"}},
    ],
)
def test_removals_tests_and_folders_name_nothing(document):
    assert read_event(json.dumps(document)) == []


def wrapped(n):
    document = S3
    for _ in range(n):
        document = {"TopicArn": "t", "Message": json.dumps(document)}
    return document


def with_key(key):
    return {"Records": [RECORD | {"s3": {"bucket": {"name": "voice"}, "object": {"key": key}}}]}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"\xff\xfe{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "neither Records"),
        (json.dumps({"Records": {"a": 1}}), "no list"),
        (json.dumps({"Records": ["a"]}), "a record is no JSON object"),
        (json.dumps({"Records": [RECORD] * 10_001}), "bytes|no list"),
        (json.dumps({"Records": [{"Sns": {"Message": 7}}]}), "no text"),
        (json.dumps(with_key(7)), "s3.object.key is no text"),
        (json.dumps(with_key("")), "missing"),
        (json.dumps(with_key("a%00b")), "NUL"),
        (json.dumps(with_key("k" * 1025)), "1025 bytes"),
        (json.dumps(BRIDGE | {"detail": {"bucket": {"name": "voice"}, "object": {"key": "\ud800"}}}), "UTF-8"),
        (json.dumps(wrapped(5)), "wrapped more"),
        (b" " * (MAX_EVENT_BYTES + 1), "allowed"),
    ],
)
def test_what_is_no_notification_is_refused_without_its_keys(content, match):
    with pytest.raises(EventError, match=match) as caught:
        read_event(content)
    assert "ana" not in str(caught.value)


def test_a_key_whose_encoding_is_no_utf8_is_refused():
    with pytest.raises(EventError, match="UTF-8"):
        read_event(json.dumps(with_key("%FF")))
