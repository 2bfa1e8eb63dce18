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
_OF_POST = {
    "409": "What it asks for cannot be done as things are now, or the same request is being answered.",
    "413": "The body is larger than any that is taken.",
}
_OF_UPLOAD = {
    "404": _NOT_FOUND["404"],
    "408": "The bytes did not come in time.",
    "409": "The upload is over, or the bytes are not those that were announced.",
    "413": "There are more bytes than are taken.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A new one for each request, such as a UUID. Sent again within 24 hours, the same request does nothing "
    "twice and is answered as before.",
    "schema": {"type": "string", "pattern": '^"?[!#-\\[\\]-~ ]{1,255}"?$'},
}
_TAG = {"ETag": {"description": "Changes whenever the answer does.", "schema": {"type": "string"}}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string"}}}
_LOCATION = {"Location": {"description": "Where to see how far it is.", "schema": {"type": "string"}}}


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
    answers.pop("422", None)
    for status, text in sorted(_errors_of(path, method, operation).items()):
        answers[status] = _problem(text, has_wait=status in {"429", "503"})
    if method == "get" and path.startswith("/v1"):
        answers["200"]["headers"] = _TAG
        answers["304"] = {"description": "Nothing has changed since the answer with this ETag.", "headers": _TAG}
    if method == "post":
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    for status in {"201", "202"} & answers.keys():
        answers[status]["headers"] = _LOCATION


def _errors_of(path: str, method: str, operation: dict[str, Any]) -> dict[str, str]:
    if path == "/healthz":
        return {"500": _ALWAYS["500"]}
    if path == "/readyz":
        return {status: text for status, text in _ALWAYS.items() if status != "422"}
    errors = _ALWAYS | _WITH_KEY
    names_a_model = any(parameter["name"] == "model" for parameter in operation.get("parameters", []))
    if "{" in path or path == "/v1/exports" or names_a_model:
        errors |= _NOT_FOUND
    if path == "/v1/changes":
        errors |= _GONE
    if method == "post":
        errors |= _OF_POST
    if path.startswith("/v1/uploads") and method != "get":
        errors |= _OF_UPLOAD
    if path.startswith("/v1/exports") and path.endswith("/content"):
        errors |= _CONFLICT
    return errors


def _problem(text: str, *, has_wait: bool) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}
    answer: dict[str, Any] = {"description": text, "content": content}
    return {**answer, "headers": _RETRY_AFTER} if has_wait else answer
