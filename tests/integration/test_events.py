"""Notifications from a queue in the shape of SQS over a real S3 server: what they name is registered, and no more."""

import json

import boto3
import pytest
from db_samples import add_active_model, count, new_sqlite
from moto.server import ThreadedMotoServer
from servers import S3Access

from config.settings import Settings
from db import recordings
from scheduler.app import make_app
from scheduler.scan import scan
from scheduler.service import Service
from storage import event_queue
from storage.errors import StorageDenied, StorageUnavailable
from storage.event_queue import EventQueue

KEYS = {"access_key": "a", "secret_key": "b"}


@pytest.fixture(scope="module")
def sqs():
    """The URL of a server that speaks SQS, and a client of it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    names = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    yield url, boto3.session.Session().client("sqs", endpoint_url=url, region_name="us-east-1", **names)
    server.stop()


@pytest.fixture
def queue(sqs, request):
    attributes = {"VisibilityTimeout": "0"}  # what is not deleted comes at once again
    return sqs[1].create_queue(QueueName=str(abs(hash(request.node.name))), Attributes=attributes)["QueueUrl"]


@pytest.fixture
def engine(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    return engine


@pytest.fixture
def service(s3: S3Access, queue, tmp_path, engine, monkeypatch):
    monkeypatch.setattr(event_queue, "WAIT_S", 0)
    settings = Settings(
        home=tmp_path / "home",
        database_url=f"sqlite:///{tmp_path}/tonalog.db",
        s3_endpoint_url=s3.endpoint_url,
        s3_access_key=s3.access_key,
        s3_secret_key=s3.secret_key,
        storage_url=f"s3://{s3.bucket}/notes/",
        events_queue=queue,
    )
    return Service(settings, make_app(settings))


def event(bucket, *keys):
    named = [{"bucket": {"name": bucket}, "object": {"key": key}} for key in keys]
    return json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": one} for one in named]})


def n_left(sqs, queue):
    name = "ApproximateNumberOfMessages"
    return int(sqs[1].get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])


def test_what_messages_name_is_registered_once_and_the_messages_are_deleted(service, engine, s3, sqs, queue):
    client = s3.client()
    client.put_object(Bucket=s3.bucket, Key="notes/ana/a b+ü.ogg", Body=b"sound", Metadata={"subject": "ana"})
    client.put_object(Bucket=s3.bucket, Key="secrets/a.ogg", Body=b"sound")
    said = event(s3.bucket, "notes/ana/a+b%2B%C3%BC.ogg", "notes/gone.ogg", "secrets/a.ogg")
    for body in (said, said, json.dumps({"TopicArn": "t", "Message": said}), "no JSON", event("other", "notes/x.ogg")):
        sqs[1].send_message(QueueUrl=queue, MessageBody=body)

    n_made = 0
    while n_left(sqs, queue):
        n_made += service.events.take_queue().n_made

    (made,) = recordings.find(engine, "notes/ana/a b+ü.ogg")
    assert (n_made, made.subject, count(engine, "recordings"), count(engine, "jobs")) == (1, "ana", 1, 1)
    store, naming = service.events.place.store, service.events.place.naming
    again = scan(engine, store, prefix="notes/", naming=naming)
    assert (again.n_listed, again.n_new, again.n_corrected) == (1, 0, 0)


def test_a_message_stays_in_the_queue_while_the_store_is_down(service, s3, sqs, queue, monkeypatch):
    s3.client().put_object(Bucket=s3.bucket, Key="notes/a.ogg", Body=b"sound")
    sqs[1].send_message(QueueUrl=queue, MessageBody=event(s3.bucket, "notes/a.ogg"))
    place = service.events.place
    with monkeypatch.context() as down:
        down.setattr(place.store, "list_objects", refuse)
        assert service.events.take_queue().n_waiting == 1
    assert n_left(sqs, queue) == 1
    assert service.events.take_queue().n_made == 1
    assert n_left(sqs, queue) == 0


def refuse(*_args, **_kwargs):
    raise StorageUnavailable("down")


def test_a_queue_that_is_not_there_or_does_not_answer_is_said(sqs):
    with pytest.raises(StorageDenied, match="no such queue: correct TONALOG_EVENTS_QUEUE"):
        EventQueue(f"{sqs[0]}/123456789012/none", **KEYS, wait_s=0).receive()
    with pytest.raises(StorageUnavailable, match="does not answer"):
        EventQueue("http://127.0.0.1:1/123456789012/none", **KEYS, wait_s=0).receive()
