"""One request of the sender, against real servers: where it goes, what it trusts, and how long it lasts."""

import ipaddress
import socket
import time
from dataclasses import replace

import pytest
import trustme
from receivers import Receiver, receiving, server_tls, talking

from api.webhooks.post import NotSent, Poster

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
TO_LOOPBACK = Poster(allowed=LOOPBACK, timeout_s=5.0)
HEADERS = {"webhook-id": "msg_1"}


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def ca_file(authority, tmp_path):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def test_a_body_arrives_as_it_was_with_its_headers():
    with receiving(Receiver(answers=[201])) as receiver:
        status = TO_LOOPBACK(receiver.url, b'{"a": "\xc3\xa4"}', HEADERS)

    (got,) = receiver.received
    assert (status, got.path, got.body) == (201, "/hooks?v=1", b'{"a": "\xc3\xa4"}')
    assert (got.headers["webhook-id"], got.headers["host"]) == ("msg_1", f"127.0.0.1:{receiver.port}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_nobody_follows_it(status):
    with (
        receiving() as elsewhere,
        receiving(Receiver(answers=[status], headers={"Location": elsewhere.url})) as receiver,
    ):
        assert TO_LOOPBACK(receiver.url, b"{}", HEADERS) == status

    assert elsewhere.received == []


def test_a_private_address_is_not_asked_though_somebody_listens_there():
    with receiving() as receiver:
        for url in (f"https://127.0.0.1:{receiver.port}/", f"https://localhost:{receiver.port}/"):
            with pytest.raises(NotSent, match=r"not (a )?public"):
                Poster()(url, b"{}", HEADERS)

    assert receiver.received == []


def test_a_name_that_leads_elsewhere_the_second_time_is_asked_once():
    asked = []

    def rebind(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    allowed = (ipaddress.ip_network("127.0.0.1/32"),)
    with receiving(host="127.0.0.2") as inside, receiving(host="127.0.0.1", port=inside.port) as outside:
        poster = Poster(allowed=allowed, resolve=rebind)
        assert poster(f"http://app.example:{inside.port}/", b"{}", HEADERS) == 204
        with pytest.raises(NotSent, match="not public"):  # the next request asks anew, and is checked anew
            poster(f"http://app.example:{inside.port}/", b"{}", HEADERS)

    assert (len(outside.received), len(inside.received), len(asked)) == (1, 0, 2)
    assert outside.received[0].headers["host"] == f"app.example:{inside.port}"


def test_a_certificate_is_checked_against_the_name_of_the_url(authority, ca_file):
    poster = replace(TO_LOOPBACK, ca_file=ca_file, resolve=lambda *_: ["127.0.0.1"])
    with receiving(tls=server_tls(authority, "app.example")) as receiver:
        assert poster(f"https://app.example:{receiver.port}/", b"{}", HEADERS) == 204
        with pytest.raises(NotSent, match=r"certificate is not valid.*other\.example"):
            poster(f"https://other.example:{receiver.port}/", b"{}", HEADERS)
        with pytest.raises(NotSent, match="certificate is not valid"):
            replace(poster, ca_file=None)(f"https://app.example:{receiver.port}/", b"{}", HEADERS)

    assert len(receiver.received) == 1


def test_https_to_a_server_without_tls_fails():
    with talking(b"HTTP/1.1 204 No Content\r\n\r\n") as port, pytest.raises(NotSent, match=r"TLS failed|no connection"):
        TO_LOOPBACK(f"https://127.0.0.1:{port}/", b"{}", HEADERS)


def test_neither_proxies_of_the_environment_nor_a_netrc_are_used(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login canary password canary\n")
    with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        TO_LOOPBACK(receiver.url, b"{}", HEADERS)

    assert proxy.received == []
    assert "authorization" not in receiver.received[0].headers


SLOW = {
    "nothing": ([], 0.0),
    "headers byte by byte": ([bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200], 0.2),
    "interim answers": ([b"HTTP/1.1 100 Continue\r\n\r\n"] * 100, 0.2),
}


@pytest.mark.parametrize("name", SLOW)
def test_the_time_limit_is_for_the_whole_request(name):
    parts, every_s = SLOW[name]
    begun = time.monotonic()
    with talking(*parts, every_s=every_s) as port, pytest.raises(NotSent, match="no answer within 1 s"):
        replace(TO_LOOPBACK, timeout_s=1.0)(f"http://127.0.0.1:{port}/", b"{}", HEADERS)

    assert time.monotonic() - begun < 3


def test_a_tls_handshake_that_is_not_answered_ends_too():
    with talking() as port, pytest.raises(NotSent, match="no answer within 1 s"):
        replace(TO_LOOPBACK, timeout_s=1.0)(f"https://127.0.0.1:{port}/", b"{}", HEADERS)


def test_an_answer_without_end_is_read_a_little_and_its_status_counts():
    parts = [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"] + [b"x" * 1024] * 100
    with talking(*parts, every_s=0.01) as port:
        begun = time.monotonic()
        assert TO_LOOPBACK(f"http://127.0.0.1:{port}/", b"{}", HEADERS) == 200
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000])
def test_what_is_no_http_is_no_answer_and_is_not_quoted(answer):
    with talking(answer) as port, pytest.raises(NotSent, match="without an HTTP answer") as caught:
        TO_LOOPBACK(f"http://127.0.0.1:{port}/", b"{}", HEADERS)

    assert "SSH" not in str(caught.value)


def test_where_nobody_listens_and_where_no_name_is():
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    with pytest.raises(NotSent, match="no connection"):
        TO_LOOPBACK(f"http://127.0.0.1:{port}/", b"{}", HEADERS)
    with pytest.raises(NotSent, match="cannot be resolved"):
        Poster()("https://nobody.invalid/", b"{}", HEADERS)


def test_the_next_address_is_tried_where_the_first_does_not_answer():
    with receiving() as receiver:
        poster = replace(TO_LOOPBACK, resolve=lambda *_: ["127.0.0.9", "127.0.0.1"])
        assert poster(f"http://app.example:{receiver.port}/", b"{}", HEADERS) == 204
