"""How the typed client sends: what it sends again, when, and what it tells of a server that is not there."""

import io
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from api_samples import free_port

from tonalog.client import ApiError, Client, NotFound, Unavailable
from tonalog.client.calls import Call
from tonalog.client.records import Nothing
from tonalog.client.sending import Sender


class Flaky(BaseHTTPRequestHandler):
    """Answers what the test says, one after the other, and keeps what it was sent."""

    answers: list
    seen: list

    def answer(self):
        self.seen.append((self.command, self.path, self.headers.get("Idempotency-Key")))
        status, headers, body = self.answers.pop(0)
        if status is None:
            self.connection.close()
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - names of the standard library

    def log_message(self, *_):
        pass


@contextmanager
def flaky(*answers):
    handler = type("Handler", (Flaky,), {"answers": list(answers), "seen": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


OK = (200, {}, b'{"status": "ok"}')
LOST = (None, {}, b"")
BUSY = (503, {"Retry-After": "7"}, b"")
BROKEN = (503, {}, b"")


def send(url, method, waits):
    sender = Sender(url, "key", timeout_s=10, retry_for_s=30, sleep=waits.append)
    return sender.send(method, "/x", query={}, idempotency_key="one" if method == "POST" else None)


@pytest.mark.parametrize(
    ("method", "answers", "waited"),
    [
        ("GET", [LOST, LOST, OK], [0.5, 1.0]),
        ("POST", [LOST, OK], [0.5]),
        ("POST", [(409, {"Retry-After": "2"}, b""), OK], [2.0]),
        ("GET", [BUSY, OK], [7.0]),
        ("DELETE", [BUSY, BUSY, OK], [7.0, 7.0]),
    ],
)
def test_what_can_be_sent_twice_is_sent_again(method, answers, waited):
    waits = []
    with flaky(*answers) as (url, seen):
        assert send(url, method, waits) == OK[2]

    assert waits == waited
    assert len(set(seen)) == 1  # a POST keeps its Idempotency-Key


def test_a_call_without_a_document_answers_with_nothing():
    call = Call(method="DELETE", path="/v1/things/{thing_id}", answer=Nothing)
    with flaky((204, {}, b"")) as (url, seen), Client(url, "k") as client:
        assert client.ask(call, thing_id="a/b") == Nothing()

    assert seen == [("DELETE", "/v1/things/a%2Fb", None)]


def test_a_file_is_written_as_it_comes_and_a_refusal_is_none():
    call = Call(method="GET", path="/v1/files/{file_id}", answer=Nothing)
    problem = b'{"type": "urn:tonalog:problem:not-found", "detail": "There is no such file."}'
    with flaky((200, {}, b"x" * 200_000), (404, {}, problem)) as (url, _), Client(url, "k") as client:
        file = io.BytesIO()
        assert client.download(call, file, file_id=1) == 200_000 == len(file.getvalue())
        with pytest.raises(NotFound, match="no such file"):
            client.download(call, file, file_id=2)


def test_a_file_that_breaks_off_is_an_error():
    call = Call(method="GET", path="/v1/files", answer=Nothing)
    broken = flaky((200, {"Content-Length": "9"}, b"half"))
    with broken as (url, _), Client(url, "k", timeout_s=1) as client, pytest.raises(Unavailable) as error:
        client.download(call, io.BytesIO())

    assert error.value.kind == "unreachable"


@pytest.mark.parametrize(
    ("method", "answer", "status"), [("DELETE", LOST, 0), ("GET", BROKEN, 503), ("GET", (502, {}, b"<html>"), 502)]
)
def test_what_cannot_is_an_exception_at_once(method, answer, status):
    waits = []
    with flaky(answer, OK) as (url, _), pytest.raises(ApiError) as error:
        send(url, method, waits)

    assert (error.value.status, waits) == (status, [])
    assert "key" not in str(error.value).split()


def test_a_server_that_is_not_there_is_told_with_its_place():
    place = f"http://127.0.0.1:{free_port()}"
    with Client(place, "key", retry_for_s=0) as client, pytest.raises(Unavailable, match=re.escape(place)):
        client.models()


def test_a_document_of_another_service_is_no_answer():
    with flaky((200, {}, b'{"models": 1}')) as (url, _), Client(url, "k") as client, pytest.raises(ApiError) as error:
        client.models()

    assert error.value.kind == "unknown-document"
