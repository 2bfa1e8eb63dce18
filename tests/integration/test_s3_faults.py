"""An S3 server that breaks its promises: what the store makes of it, and that no half recording is passed on."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from storage import s3_client
from storage.protocol import (
    ObjectChanged,
    ObjectMissing,
    ObjectTruncated,
    StorageDenied,
    StorageUnavailable,
)
from storage.s3 import S3Store


class BrokenServer:
    """An HTTP server that answers GET of any object as a test says; counts the requests."""

    def __init__(self) -> None:
        self.content = b"0123456789" * 100
        self.status = 200
        self.code = ""
        self.etag = f'"{md5(self.content).hexdigest()}"'
        self.n_promised = len(self.content)
        self.n_cut = 0
        self.cut_at = len(self.content)
        self.n_requests = 0

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.n_requests += 1
        body = self.content
        if self.status != 200:
            body = f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>m</Message></Error>".encode()
        handler.send_response(self.status)
        handler.send_header("ETag", self.etag)
        handler.send_header("Content-Length", str(self.n_promised if self.status == 200 else len(body)))
        handler.end_headers()
        if self.n_requests <= self.n_cut:
            body = body[: self.cut_at]
        handler.wfile.write(body)
        handler.close_connection = True


@contextmanager
def serve(server: BrokenServer) -> Iterator[S3Store]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.answer(self)

        def do_HEAD(self) -> None:
            server.answer(self)

        def log_message(self, *args: object) -> None:
            logging.getLogger(__name__).debug("request %s", args)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield S3Store("notes", endpoint_url=f"http://127.0.0.1:{http.server_port}", access_key="a", secret_key="b")
        finally:
            http.shutdown()
            thread.join()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> BrokenServer:
    monkeypatch.setattr(s3_client, "N_REQUEST_ATTEMPTS", 1)
    return BrokenServer()


def open_all(store: S3Store, server: BrokenServer) -> bytes:
    tag = md5(server.content).hexdigest()
    with store.open("a.wav", version_tag=tag, size_bytes=len(server.content)) as opened:
        return opened.file.read()


@pytest.mark.parametrize("cut_at", [0, 1, 500, 999])
def test_body_that_breaks_off_once_is_fetched_again_whole(broken: BrokenServer, cut_at: int) -> None:
    broken.n_cut, broken.cut_at = 2, cut_at

    with serve(broken) as store:
        assert open_all(store, broken) == broken.content

    assert broken.n_requests == 3


def test_body_that_always_breaks_off_is_unavailable_and_never_passed_on(broken: BrokenServer) -> None:
    broken.n_cut, broken.cut_at = 100, 700

    with serve(broken) as store, pytest.raises(StorageUnavailable, match="connection broke while reading"):
        open_all(store, broken)

    assert broken.n_requests == 3


def test_server_that_holds_fewer_bytes_than_registered_is_truncated(broken: BrokenServer) -> None:
    with serve(broken) as store, pytest.raises(ObjectTruncated, match="1000 of the 1001 bytes"):
        store.open("a.wav", version_tag=broken.etag.strip('"'), size_bytes=1001)


def test_server_that_ignores_if_match_is_noticed(broken: BrokenServer) -> None:
    with serve(broken) as store, pytest.raises(ObjectChanged):
        store.open("a.wav", version_tag="another", size_bytes=1000)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (500, "InternalError", StorageUnavailable),
        (503, "SlowDown", StorageUnavailable),
        (429, "TooManyRequests", StorageUnavailable),
        (400, "RequestTimeout", StorageUnavailable),
        (409, "ConditionalRequestConflict", StorageUnavailable),
        (412, "PreconditionFailed", ObjectChanged),
        (404, "NoSuchKey", ObjectMissing),
        (404, "NoSuchBucket", StorageDenied),
        (403, "AccessDenied", StorageDenied),
        (403, "InvalidObjectState", StorageDenied),
        (400, "ExpiredToken", StorageDenied),
        (400, "AuthorizationHeaderMalformed", StorageDenied),
    ],
)
def test_every_answer_has_its_meaning(broken: BrokenServer, status: int, code: str, expected: type[Exception]) -> None:
    broken.status, broken.code = status, code

    with serve(broken) as store, pytest.raises(expected) as caught:
        open_all(store, broken)

    assert isinstance(caught.value, expected)
    assert {StorageUnavailable, StorageDenied, ObjectChanged, ObjectMissing} & {*type(caught.value).__mro__} == {
        expected
    }
    assert "a.wav" not in str(caught.value)


def test_busy_server_is_asked_again(broken: BrokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "N_REQUEST_ATTEMPTS", 2)
    broken.status, broken.code = 503, "SlowDown"

    with serve(broken) as store, pytest.raises(StorageUnavailable):
        open_all(store, broken)

    assert broken.n_requests == 2


def test_web_server_that_is_no_s3_is_denied(broken: BrokenServer) -> None:
    broken.status, broken.code = 404, "NotFound"

    with serve(broken) as store, pytest.raises(StorageDenied, match="is it an S3 server"):
        store.verify()


def test_web_server_that_wants_tls_is_told_from_one_that_denies(broken: BrokenServer) -> None:
    broken.status, broken.code = 400, ""

    with serve(broken) as store, pytest.raises(StorageDenied, match="if it speaks TLS"):
        store.verify()


def test_missing_certificate_file_is_denied() -> None:
    store = S3Store("notes", endpoint_url="https://127.0.0.1:1", ca_bundle="/no/such.pem")
    with pytest.raises(StorageDenied, match=r"'/no/such.pem': correct TONALOG_S3_CA_BUNDLE"):
        store.verify()


def test_server_that_never_answers_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "N_REQUEST_ATTEMPTS", 1)
    monkeypatch.setattr(s3_client, "READ_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        store = S3Store("notes", endpoint_url=f"http://127.0.0.1:{port}", access_key="a", secret_key="b")

        with pytest.raises(StorageUnavailable, match=r"cannot be reached \(ReadTimeoutError\)"):
            store.verify()


def test_address_in_messages_holds_no_password() -> None:
    store = S3Store("notes", endpoint_url="http://user:canary@127.0.0.1:1", access_key="a", secret_key="b")
    with pytest.raises(StorageUnavailable) as caught:
        store.verify()

    assert "canary" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)
