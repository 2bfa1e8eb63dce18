"""What the API answers in place of what was asked for: its problem documents (RFC 9457) as exceptions."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

PREFIX = "urn:tonalog:problem:"


class ApiError(Exception):
    """The API refused a request, or cannot be reached.

    Attributes:
        status: the HTTP status; 0 where there was no answer.
        kind: the last word of the problem's `type`, which programs go by; `unreachable` where there was no answer.
        detail: one sentence for people.
        errors: of `invalid-parameter`: `in`, `name`, `message` and `value` of each parameter that cannot be used.
    """

    def __init__(self, status: int, kind: str, *, detail: str, errors: tuple[Mapping[str, Any], ...] = ()) -> None:
        super().__init__(f"{status} {kind}: {detail}" if status else f"{kind}: {detail}")
        self.status = status
        self.kind = kind
        self.detail = detail
        self.errors = errors


class NotFound(ApiError):
    """It is not there, or another tenant's."""


class CursorExpired(ApiError):
    """Changes after this cursor are kept no longer: follow anew without one, and forget what that does not name."""


class InvalidParameter(ApiError):
    """A parameter cannot be used; `errors` names it."""


class TooManyRequests(ApiError):
    """The key asks too often, and waiting as long as the API said would be longer than the client may wait."""


class Unavailable(ApiError):
    """The API cannot answer now, or cannot be reached."""


_BY_KIND: Mapping[str, type[ApiError]] = {
    "not-found": NotFound,
    "no-such-model": NotFound,
    "cursor-expired": CursorExpired,
    "invalid-parameter": InvalidParameter,
    "too-many-requests": TooManyRequests,
    "unavailable": Unavailable,
    "erasing-not-allowed": Unavailable,
}


def from_answer(status: int, document: object) -> ApiError:
    """Make the exception for a refusal.

    >>> error = from_answer(404, {"type": "urn:tonalog:problem:not-found", "detail": "There is no such note."})
    >>> type(error).__name__, str(error)
    ('NotFound', '404 not-found: There is no such note.')
    >>> from_answer(502, "<html>").kind
    'no-problem-document'

    Args:
        status: the HTTP status.
        document: what came with it, read as JSON; anything else where something between answered.
    """
    if not isinstance(document, dict) or not str(document.get("type", "")).startswith(PREFIX):
        known = {found.value: found.phrase for found in HTTPStatus}
        detail = f"{known.get(status, 'No answer of this API')}: a server in between may have answered."
        return (Unavailable if status == HTTPStatus.SERVICE_UNAVAILABLE else ApiError)(
            status, "no-problem-document", detail=detail
        )
    kind = str(document["type"]).removeprefix(PREFIX)
    errors = tuple(error for error in document.get("errors") or () if isinstance(error, dict))
    return _BY_KIND.get(kind, ApiError)(status, kind, detail=str(document.get("detail", "")), errors=errors)


def unreachable(place: str, error: Exception) -> Unavailable:
    """Say that no answer came; `place` holds no key."""
    return Unavailable(0, "unreachable", detail=f"no answer of {place}: {type(error).__name__}: {error}")
