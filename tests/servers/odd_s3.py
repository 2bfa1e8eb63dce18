"""An S3 server with the oddities of look-alikes, each switched on by a test; it keeps its objects in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

IfMatch = Literal["works", "always fails", "wants no quotes", "is not implemented"]
Listing = Literal["works", "no token", "same token", "restarts", "no progress", "empty for ever"]


@dataclass
class OddServer:
    """What it holds, how it behaves, and what it was asked."""

    objects: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, bytes] = field(default_factory=dict)
    if_match: IfMatch = "works"
    listing: Listing = "works"
    tag_form: str = '"{}"'
    n_per_page: int = 3
    asked: list[str] = field(default_factory=list)
    swap_on_head: bytes | None = None
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tag(self, key: str) -> str:
        return md5(self.objects[key]).hexdigest()


@contextmanager
def serve_oddly(server: OddServer) -> Iterator[OddServer]:
    """Serve on a free loopback port until the context ends."""

    class Handler(_Handler):
        odd = server

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    odd: OddServer

    def do_HEAD(self) -> None:
        self._object(with_body=False)
        if self.odd.swap_on_head is not None:
            self.odd.objects[self._key()] = self.odd.swap_on_head

    def do_GET(self) -> None:
        if "list-type" in self.path:
            self._list()
        else:
            self._object(with_body=True)

    def log_message(self, *args: object) -> None:
        pass

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).partition("/")[2].partition("/")[2]

    def _object(self, *, with_body: bool) -> None:
        key, condition = self._key(), self.headers["If-Match"]
        self.odd.asked.append(f"{self.command} {'if' if condition else 'always'}")
        if key not in self.odd.objects:
            return self._answer(404, b"")
        if with_body and condition is not None:
            if self.odd.if_match == "is not implemented":
                return self._answer(501, _error("NotImplemented"))
            wanted = {"wants no quotes": self.odd.tag(key), "always fails": ""}.get(
                self.odd.if_match, f'"{self.odd.tag(key)}"'
            )
            if condition != wanted:
                return self._answer(412, _error("PreconditionFailed"))
        return self._answer(200, self.odd.objects[key], key=key, with_body=with_body)

    def _answer(self, status: int, body: bytes, *, key: str | None = None, with_body: bool = True) -> None:
        head = [f"HTTP/1.1 {status} answer".encode(), f"Content-Length: {len(body)}".encode()]
        if key is not None:
            head += [f"ETag: {self.odd.tag_form.format(self.odd.tag(key))}".encode()]
            head += [b"Last-Modified: Mon, 02 Mar 2026 08:00:00 GMT"]
            head += [f"x-amz-meta-{name}: ".encode() + value for name, value in self.odd.metadata.items()]
        self.wfile.write(b"\r\n".join(head) + b"\r\n\r\n" + (body if with_body else b""))

    def _list(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.odd.asked.append("LIST after " + asked.get("continuation-token", asked.get("start-after", "nothing")))
        after = asked.get("start-after", "")
        if self.odd.listing == "works":
            after = asked.get("continuation-token", after)
        if self.odd.listing == "restarts":
            after = ""
        keys = [key for key in sorted(self.odd.objects) if key > after]
        page = [] if self.odd.listing == "empty for ever" else keys[: self.odd.n_per_page]
        if self.odd.listing == "no progress":
            page = sorted(self.odd.objects)[: self.odd.n_per_page]
        is_more = len(keys) > len(page) or self.odd.listing in ("no progress", "restarts")
        token = {"works": page[-1] if page else "", "same token": "t0", "restarts": f"t{len(self.odd.asked)}"}
        said = token.get(self.odd.listing, f"t{len(self.odd.asked)}" if self.odd.listing == "empty for ever" else "")
        self._answer(200, self._listed(page, is_more=is_more, token=said))

    def _listed(self, page: list[str], *, is_more: bool, token: str) -> bytes:
        items = "".join(
            f"<Contents><Key>{escape(key)}</Key><ETag>{escape(self.odd.tag_form.format(self.odd.tag(key)))}</ETag>"
            f"<Size>{len(self.odd.objects[key])}</Size><LastModified>2026-03-02T08:00:00Z</LastModified></Contents>"
            for key in page
        )
        more = f"<NextContinuationToken>{token}</NextContinuationToken>" if is_more and token else ""
        return (
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{'true' if is_more else 'false'}</IsTruncated>{more}{items}</ListBucketResult>"
        ).encode()


def _error(code: str) -> bytes:
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>m</Message></Error>'.encode()
