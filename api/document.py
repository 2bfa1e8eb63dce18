"""What `/openapi.json` says beyond the routes: errors of each, headers, and what is asked for where."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.bodies import ProblemBody
from api.problems import MEDIA_TYPE

_DESCRIPTION = (
    "Scores of voice notes for app backends: expressed emotion in the voice as a model hears it, not feelings, and not a "
    "diagnosis. A key sees one tenant. Times are RFC 3339 with an offset; errors are RFC 9457."
)
_ALWAYS = {"422": "A parameter cannot be used.", "500": "Something went wrong here.", "503": "Not available now."}
_WITH_KEY = {
    "401": "No key that is taken.",
    "403": "The key's scopes do not cover this.",
    "429": "The key asks too often; `Retry-After` says how long to wait.",
}
_NOT_FOUND = {"404": "There is no such thing, or it is another tenant's."}
_CONFLICT = {"409": "It cannot be done as things are now; `type` says why."}
_GONE = {"410": "What comes after this cursor is not kept any more."}
_TAG = {"ETag": {"description": "Changes whenever the answer does.", "schema": {"type": "string"}}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
_LOCATION = {"Location": {"description": "Where to see its progress.", "schema": {"type": "string"}}}


def install(app: FastAPI) -> None:
    """Have an application describe itself in full, once."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title="Tonalog", version=app.version, description=_DESCRIPTION, routes=app.routes, tags=None
            )
            _complete(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # as FastAPI's own documentation does it


def _complete(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs")
    schemas["ProblemBody"] = problem
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete_operation(path, method, operation)


def _complete_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    errors = dict(_ALWAYS)
    if path == "/healthz":
        errors = {"500": _ALWAYS["500"]}
    elif path == "/readyz":
        errors.pop("422")
    else:
        errors |= _WITH_KEY
        if "{" in path or any(parameter["name"] == "model" for parameter in operation.get("parameters", [])):
            errors |= _NOT_FOUND
        if method == "post" and path.startswith("/v1/webhook-endpoints") and not path.endswith("/rotate"):
            errors |= _CONFLICT
        if path == "/v1/changes":
            errors |= _GONE
    answers.pop("422", None)
    for status, text in sorted(errors.items()):
        answers[status] = _problem(text, has_wait=status in {"429", "503"})
    if method == "get" and path.startswith("/v1"):
        answers["200"]["headers"] = _TAG
        answers["304"] = {"description": "Nothing has changed since the answer with this ETag.", "headers": _TAG}
    if path == "/v1/subjects/{subject}" and method == "delete":
        answers["202"]["headers"] = _LOCATION
    if "201" in answers:
        answers["201"]["headers"] = {"Location": {"description": "What was made.", "schema": {"type": "string"}}}


def _problem(text: str, *, has_wait: bool) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    answer: dict[str, Any] = {"description": text, "content": content}
    return {**answer, "headers": _RETRY_AFTER} if has_wait else answer
