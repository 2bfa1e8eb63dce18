"""Read what a notification of an object store says: which objects may be new. A notification proves nothing."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from storage.objects import MAX_KEY_BYTES

MAX_EVENT_BYTES = 2**20  # what SQS and EventBridge carry at most
MAX_RECORDS = 10_000
_MAX_WRAPPERS = 3  # S3 in SNS in EventBridge in SQS
_FOLDER_OF_BUCKETS = "/buckets/"  # where the filer of SeaweedFS keeps them


class EventError(Exception):
    """A document is no notification that we know; the message says what was found, and holds no key."""


@dataclass(frozen=True)
class ObjectHint:
    """An object that somebody says is new or was replaced."""

    bucket: str
    key: str


def read_event(content: str | bytes) -> list[ObjectHint]:
    """Read the objects that a notification names as created, each once, in order.

    Known are the records of S3 (also MinIO, Ceph and SeaweedFS), alone or wrapped by SNS or EventBridge, notifications of
    Cloud Storage by Pub/Sub, and the webhook of SeaweedFS's filer. Removals and tests name nothing.

    Args:
        content: a JSON document of at most 1 MiB.

    Raises:
        EventError: it is none of these, or names an object that cannot be one.

    Examples:
        >>> read_event('{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "notes"}, '
        ...            '"object": {"key": "ana/a+b%2B.ogg"}}}]}')
        [ObjectHint(bucket='notes', key='ana/a b+.ogg')]
        >>> read_event('{"Service": "Amazon S3", "Event": "s3:TestEvent"}')
        []
    """
    if len(content) > MAX_EVENT_BYTES:
        raise EventError(f"the notification has {len(content)} bytes; {MAX_EVENT_BYTES} are allowed")
    found = dict.fromkeys(_read(_parse(content), n_wrappers=0))
    return list(found)


def _parse(content: str | bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise EventError("the notification is no JSON") from None
    return _need(document, "the notification")


def _read(document: Mapping[str, Any], *, n_wrappers: int) -> Iterator[ObjectHint]:
    if n_wrappers > _MAX_WRAPPERS:
        raise EventError(f"the notification is wrapped more than {_MAX_WRAPPERS} times")
    if "Records" in document:
        yield from _read_records(document["Records"], n_wrappers=n_wrappers)
    elif isinstance(document.get("Message"), str) and "TopicArn" in document:  # SNS
        yield from _read(_parse(document["Message"]), n_wrappers=n_wrappers + 1)
    elif "detail-type" in document:  # EventBridge, which writes keys plainly
        if document["detail-type"] == "Object Created":
            detail = _need(document.get("detail"), "detail")
            yield _hint(_need(detail.get("bucket"), "detail.bucket").get("name"), _key_in(detail, "detail.object"))
    elif isinstance(message := document.get("message"), dict) and "attributes" in message:  # Pub/Sub
        attributes = _need(message["attributes"], "message.attributes")
        if attributes.get("eventType") == "OBJECT_FINALIZE":
            yield _hint(attributes.get("bucketId"), attributes.get("objectId"))
    elif isinstance(document.get("key"), str) and isinstance(document.get("message"), dict):  # SeaweedFS's filer
        yield from _read_filer(document["key"], document["message"])
    elif document.get("Event") != "s3:TestEvent":
        raise EventError("the notification has neither Records, detail-type, Message nor message")


def _read_records(records: object, *, n_wrappers: int) -> Iterator[ObjectHint]:
    if not isinstance(records, list) or len(records) > MAX_RECORDS:
        raise EventError(f"Records is no list of at most {MAX_RECORDS}")
    for item in records:
        record = _need(item, "a record")
        if "Sns" in record:  # SNS wraps so for functions
            inner = _need(record["Sns"], "Sns").get("Message")
            if not isinstance(inner, str):
                raise EventError("Sns.Message is no text")
            yield from _read(_parse(inner), n_wrappers=n_wrappers + 1)
            continue
        name = str(record.get("eventName", "")).removeprefix("s3:")
        if name.startswith("ObjectCreated:"):
            s3 = _need(record.get("s3"), "s3")
            # S3 writes keys as forms do; what is no UTF-8 behind that becomes a lone surrogate, which `_hint` refuses.
            key = unquote_plus(_key_in(s3, "s3.object"), errors="surrogateescape")
            yield _hint(_need(s3.get("bucket"), "s3.bucket").get("name"), key)


def _read_filer(path: str, message: Mapping[str, Any]) -> Iterator[ObjectHint]:
    entry = message.get("new_entry")
    parent = message.get("new_parent_path")
    if isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(parent, str):
        path = f"{parent}/{entry['name']}"  # `key` is where it was, if it was moved
    bucket, slash, key = path.removeprefix(_FOLDER_OF_BUCKETS).partition("/")
    # Multipart uploads in the making lie in folders whose names begin with a dot; those are no objects.
    if path.startswith(_FOLDER_OF_BUCKETS) and slash and isinstance(entry, dict) and not entry.get("is_directory"):
        yield _hint(bucket, key)


def _key_in(document: Mapping[str, Any], place: str) -> str:
    key = _need(document.get("object"), place).get("key")
    if not isinstance(key, str):
        raise EventError(f"{place}.key is no text")
    return key


def _need(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise EventError(f"{place} is no JSON object")
    return value


def _hint(bucket: object, key: object) -> ObjectHint:
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
        raise EventError("bucket or key is missing or no text")
    try:
        n_bytes = len(key.encode())
    except UnicodeEncodeError:
        raise EventError("a key is no UTF-8") from None
    if n_bytes > MAX_KEY_BYTES or "\0" in key + bucket:
        raise EventError(f"a key has {n_bytes} bytes, of which {MAX_KEY_BYTES} are allowed, or holds NUL")
    return ObjectHint(bucket, key)
