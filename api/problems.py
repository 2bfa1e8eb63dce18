"""Errors as `application/problem+json` (RFC 9457): what was asked, what is allowed, and what to do."""

import logging
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from db.errors import DatabaseError, DatabaseUnavailable, FeedExpired, SchemaOutdated, SubjectKeyMismatch

MEDIA_TYPE = "application/problem+json"
_PREFIX = "urn:tonalog:problem:"
_RETRY_S = 5
_MAX_SHOWN = 100  # characters of a value that was refused
_log = logging.getLogger(__name__)


class Problem(Exception):
    """A request that cannot be answered.

    Attributes:
        status: the HTTP status.
        kind: the last word of `type`, which programs go by.
        detail: one sentence for people.
        headers: headers of the answer.
        members: further members of the document.
    """

    def __init__(
        self, status: int, kind: str, *, detail: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def answer(self) -> JSONResponse:
        """Make the answer."""
        title = HTTPStatus(self.status).phrase
        body = {"type": _PREFIX + self.kind, "title": title, "status": self.status, "detail": self.detail}
        return JSONResponse(
            {**body, **self.members}, status_code=self.status, headers=self.headers, media_type=MEDIA_TYPE
        )


def no_such(what: str) -> Problem:
    """Say that there is no such thing, or that it is another tenant's: nobody can tell which."""
    return Problem(404, "not-found", detail=f"There is no such {what}.")


def bad_parameter(place: str, name: str, *, message: str, value: str) -> Problem:
    """Say that one parameter cannot be used."""
    error = {"in": place, "name": name, "message": message, "value": value[:_MAX_SHOWN]}
    return Problem(422, "invalid-parameter", detail=f"{name}: {message}", errors=[error])


def answer_error(error: Exception) -> JSONResponse:
    """Make the answer to an error that came out of a handler; what nobody foresaw is logged, without the words in it."""
    if isinstance(error, Problem):
        return error.answer()
    problem = _of_database(error) if isinstance(error, DatabaseError) else None
    if problem is None:
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"
        # Neither message nor parameters: both may hold a name.
        _log.error("request failed", extra={"error": type(error).__name__, "where": where})
        problem = Problem(500, "internal", detail="Something went wrong here; the server's log says where.")
    return problem.answer()


def install(app: FastAPI) -> None:
    """Answer every error of an application with a problem document."""

    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return _of_validation(error).answer()

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return _of_http(request, error).answer()

    async def other(_request: Request, error: Exception) -> JSONResponse:
        return answer_error(error)

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Problem, other)
    app.add_exception_handler(DatabaseError, other)


def _of_database(error: DatabaseError) -> Problem | None:
    again = {"Retry-After": str(_RETRY_S)}
    if isinstance(error, FeedExpired):
        detail = (
            "Changes after this cursor are not kept any more, or it is of another database. Begin anew without a cursor, "
            "and forget every note that the new run does not name."
        )
        return Problem(410, "cursor-expired", detail=detail)
    if isinstance(error, DatabaseUnavailable):
        return Problem(503, "unavailable", detail="The database is not available now: try again.", headers=again)
    if isinstance(error, SchemaOutdated):
        _log.error("the database has another schema", extra={"error": type(error).__name__})
        return Problem(503, "unavailable", detail="The database is being upgraded: try again.", headers=again)
    if isinstance(error, SubjectKeyMismatch):
        _log.error("TONALOG_SUBJECT_KEY is not the key of this database", extra={"error": type(error).__name__})
        return Problem(503, "unavailable", detail="The server's TONALOG_SUBJECT_KEY is not that of its database.")
    return None


def _of_http(request: Request, error: HTTPException) -> Problem:
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.NOT_FOUND:
        return Problem(404, "no-route", detail="There is nothing at this path: /openapi.json lists what there is.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = _methods_at(request) or headers.get("Allow") or headers.get("allow") or ""
        detail = f"{request.method} is not possible here; allowed are {allowed}."
        return Problem(405, "method-not-allowed", detail=detail, headers={"Allow": allowed})
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI could not read the bytes of a body
        return bad_parameter("body", "", message="not JSON in UTF-8", value="")
    return Problem(error.status_code, "refused", detail=str(error.detail), headers=headers)


def _methods_at(request: Request) -> str:
    """List what can be done at a path; Starlette's own header names the methods of one route of several."""
    routes: list[APIRoute] = request.app.state.routes
    here = [route for route in routes if route.path_regex.match(request.scope["path"])]
    return ", ".join(sorted({method for route in here for method in route.methods or ()}))


def _of_validation(error: RequestValidationError) -> Problem:
    errors = [
        {
            "in": str(item["loc"][0]),
            "name": ".".join(str(part) for part in item["loc"][1:]),
            "message": str(item["msg"]).removeprefix("Value error, "),
            "value": str(item.get("input"))[:_MAX_SHOWN],
        }
        for item in error.errors()
    ]
    detail = "; ".join(f"{item['name']}: {item['message']}" for item in errors)
    return Problem(422, "invalid-parameter", detail=detail, errors=errors)
