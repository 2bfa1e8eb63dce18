"""`Idempotency-Key`: a POST that is sent again is answered as before, and does nothing twice.

Every POST route has it by `api.callers.authenticate` and `api.middleware`, after draft-ietf-httpapi-idempotency-key-header.
A route whose answer must not be kept, because it holds what only the caller may know, sets `request.state.resource`
to an id; sent again, the request reaches the route with that id, and the route makes the answer once more.
"""

import hashlib
import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.context import Context
from api.problems import Problem, bad_parameter
from db import idempotency
from db.api_keys import ApiKey
from db.idempotency import Answer, BeingAnswered, OtherRequest

HEADER = "Idempotency-Key"
_MAX_CHARACTERS = 255
_TEXT = re.compile(rf'"?[!#-\[\]-~ ]{{1,{_MAX_CHARACTERS}}}"?', re.ASCII)
_RETRY_S = 1
_KEPT_HEADERS = ("content-type", "location")
_SUCCESS = range(200, 300)


class Repeated(Exception):
    """The request was answered before; `answer` is what was said then."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("answered before")
        self.answer = answer

    def respond(self) -> Response:
        """Make the answer once more."""
        document = self.answer.document or {}
        return Response(document.get("body", ""), status_code=self.answer.status, headers=document.get("headers"))


def begin(request: Request, context: Context, key: ApiKey) -> None:
    """Look up the idempotency key of a request, if it brings one.

    Raises:
        Problem: 422 where it is no key or came with another request, 409 while the same request is being answered.
        Repeated: the request was answered before.
    """
    said = request.headers.get(HEADER)
    if said is None or request.method != "POST":
        return
    if not _TEXT.fullmatch(said):
        message = f"not 1 to {_MAX_CHARACTERS} printable ASCII characters without backslash and inner quotes"
        raise bad_parameter("header", HEADER, message=message, value=said)
    try:
        found = idempotency.begin(context.engine, _describe(request, key, said.strip('"')))
    except OtherRequest:
        detail = f"This {HEADER} came with another request: use a new one for each request."
        raise Problem(422, "idempotency-key-reused", detail=detail) from None
    except BeingAnswered:
        detail = f"The request with this {HEADER} is being answered: try again."
        raise Problem(409, "being-answered", detail=detail, headers={"Retry-After": str(_RETRY_S)}) from None
    if not isinstance(found, Answer):
        request.state.idempotent = found
    elif found.resource is None:
        raise Repeated(found)
    else:
        request.state.resource = found.resource


def conclude(context: Context, state: dict[str, Any], *, status: int, headers: dict[str, str], body: bytes) -> None:
    """Keep the answer of a request that `begin` began, or forget the request where it came to nothing."""
    begun = state.get("idempotent")
    if begun is None:
        return
    if status not in _SUCCESS:
        idempotency.release(context.engine, begun)
        return
    resource = state.get("resource")
    document = None
    if resource is None:
        kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
        document = {"body": body.decode(), "headers": kept}
    answer = Answer(status=status, document=document, resource=resource)
    idempotency.finish(context.engine, begun, answer, subject=state.get("subject"))


def _describe(request: Request, key: ApiKey, said: str) -> idempotency.Request:
    parts = (request.method, request.scope["path"], request.url.query, request.headers.get("content-type", ""))
    digest = hashlib.sha256("\n".join(parts).encode(errors="surrogateescape"))
    digest.update(request.scope["state"]["body_sha256"])
    return idempotency.Request(
        key_id=key.id,
        tenant=key.tenant,
        key_sha256=hashlib.sha256(said.encode()).hexdigest(),
        request_sha256=digest.hexdigest(),
    )


def install(app: FastAPI) -> None:
    """Have an application answer requests that were answered before."""

    async def repeat(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Repeated)
        return error.respond()

    app.add_exception_handler(Repeated, repeat)
