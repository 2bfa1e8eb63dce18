"""Around every answer: nothing leaves before it is audited, unchanged answers are 304, and each gets a line in the log."""

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import idempotent
from api.problems import Problem, answer_error
from db.api_audit import Access
from db.api_keys import ApiKey
from db.tenancy import asking
from telemetry import metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PROBES = frozenset({"/healthz", "/readyz"})  # asked every few seconds, and well: no line
_OK = 200
_NOT_MODIFIED = 304
_MAX_BODY_BYTES = 2**20  # of JSON; what is uploaded comes by PUT
_BLOCK_BYTES = 2**18  # of a file that is sent
_log = logging.getLogger(__name__)


class Answered:
    """An answer of an application, held back until it is whole."""

    def __init__(self) -> None:
        self.status = 500
        self.headers = MutableHeaders()
        self.body = b""

    async def receive(self, message: Message) -> None:
        """Take what the application sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = MutableHeaders(raw=list(message["headers"]))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    async def send(self, send: Send, *, has_body: bool, file: BinaryIO | None = None) -> None:
        """Send it on, with whatever headers were added or changed; what a file holds is its body."""
        if file is not None:
            self.headers["Content-Length"] = str(os.fstat(file.fileno()).st_size)
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers.raw})
        while file is not None and has_body and (block := await run_in_threadpool(file.read, _BLOCK_BYTES)):
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": self.body if has_body and file is None else b""})


class Envelope:
    """The outermost layer of the application.

    Answers are small, 500 rows at the most, so that it holds each back whole; the file of an export is sent behind it.
    """

    def __init__(self, app: ASGIApp, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_s = self._clock()
        is_head = scope["method"] == "HEAD"
        inner = {**scope, "method": "GET" if is_head else scope["method"], "path": _path_of(scope)}
        inner["state"] = dict(scope.get("state", {}))
        answered = await self._answer(inner, receive)
        _add_headers(answered, inner)
        if _is_unchanged(answered, Headers(scope=scope)):
            answered.status = _NOT_MODIFIED
            for name in ("content-length", "content-type"):
                del answered.headers[name]
        _tell(inner, answered.status, wall_ms=round((self._clock() - begun_s) * 1000))
        has_body = not is_head and answered.status != _NOT_MODIFIED
        file: BinaryIO | None = inner["state"].pop("file", None)
        try:
            await answered.send(send, has_body=has_body, file=file if answered.status == _OK else None)
        finally:
            if file is not None:
                file.close()

    async def _answer(self, scope: Scope, receive: Receive) -> Answered:
        answered = Answered()
        try:
            if scope["method"] == "POST":
                receive = await _read_body(scope, receive)
            with asking():  # for nobody, until the key is known
                await self._app(scope, receive, answered.receive)
                await _conclude(scope, answered)
            access = _as_access(scope, answered.status)
            if access is not None:
                await asyncio.wrap_future(scope["app"].state.context.audit.write(access))
        except Exception as error:  # noqa: BLE001 - the last door: whatever it is, the app gets a problem document
            answered = Answered()
            await answer_error(error)(scope, receive, answered.receive)
        return answered


async def _read_body(scope: Scope, receive: Receive) -> Receive:
    """Take in the body of a request, whose hash tells it from another, and give what hands it on.

    Raises:
        Problem: it is larger than any that is asked for.
    """
    body, is_whole = b"", False
    while not is_whole:
        message = await receive()
        if message["type"] == "http.disconnect":
            return receive
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
        if len(body) > _MAX_BODY_BYTES:
            detail = f"The body has more than {_MAX_BODY_BYTES} bytes."
            raise Problem(413, "too-large", detail=detail)
    scope["state"]["body_sha256"] = hashlib.sha256(body).digest()
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def hand_on() -> Message:
        message = next(messages, None)
        return await receive() if message is None else message

    return hand_on


async def _conclude(scope: Scope, answered: Answered) -> None:
    if "idempotent" in scope["state"]:
        headers = dict(answered.headers.items())
        call = partial(idempotent.conclude, status=answered.status, headers=headers, body=answered.body)
        await run_in_threadpool(call, scope["app"].state.context, scope["state"])


def _path_of(scope: Scope) -> str:
    """Give the path of a request with `%2F` and `%25` as they were sent.

    A `/` of somebody's name is no border between parts of a path: DELETE of `x/notes` and of `x` are two things.
    `api.parameters.Subject` decodes the rest.
    """
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    kept = raw.replace(b"%25", b"%2525").replace(b"%2F", b"%252F").replace(b"%2f", b"%252F")
    return unquote(kept.decode("latin-1"))


def _add_headers(answered: Answered, scope: Scope) -> None:
    answered.headers["X-Content-Type-Options"] = "nosniff"
    if scope["path"].startswith("/v1"):
        # For one key alone, and asked for again each time: what was erased must not live on in a cache.
        answered.headers["Cache-Control"] = "private, no-cache"
        answered.headers["Vary"] = "Authorization"
        if scope["method"] == "GET" and answered.status == _OK and "ETag" not in answered.headers:
            answered.headers["ETag"] = f'"{hashlib.sha256(answered.body).hexdigest()[:32]}"'


def _is_unchanged(answered: Answered, asked: Headers) -> bool:
    tag = answered.headers.get("ETag")
    wanted = [part.strip().removeprefix("W/") for part in asked.get("If-None-Match", "").split(",")]
    return tag is not None and (tag in wanted or "*" in wanted)


def _as_access(scope: Scope, status: int) -> Access | None:
    state = scope["state"]
    key: ApiKey | None = state.get("caller")
    if key is None:
        return None
    return Access(
        key_id=key.id,
        tenant=key.tenant,
        method=scope["method"],
        route=_route_of(scope),
        status=status,
        subject=state.get("subject"),
        recording_id=state.get("note_id"),
    )


def _route_of(scope: Scope) -> str:
    route: Any = scope.get("route")
    return getattr(route, "path_format", "none")


def _tell(scope: Scope, status: int, *, wall_ms: int) -> None:
    key: ApiKey | None = scope["state"].get("caller")
    fields = {"method": scope["method"], "route": _route_of(scope), "status": status, "wall_ms": wall_ms}
    level = logging.DEBUG if status == _OK and fields["route"] in _PROBES else logging.INFO
    _log.log(level, "answered", extra={**fields, "key_id": key.id if key else None})  # no path: it may name a person
    method = scope["method"] if scope["method"] in _METHODS else "other"  # whoever asks may make words up
    metrics.HTTP_REQUESTS.labels(method, fields["route"], status).inc()
    metrics.HTTP_SECONDS.labels(fields["route"]).observe(wall_ms / 1000)
