"""Who asks: the key of a request, its tenant, what it may do, and whether it asks too often."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api import idempotent
from api.context import Context, context_of
from api.problems import Problem, bad_parameter, no_such
from db import api_keys, people
from db.api_keys import ApiKey
from db.reasons import Scope
from db.tenancy import ask_for
from storage.identity import MAX_SUBJECT_CHARACTERS, clean_name

_bearer = HTTPBearer(auto_error=False, description="A key that `tonalog keys create` printed.")
SharedContext = Annotated[Context, Depends(context_of)]
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def authenticate(request: Request, context: SharedContext, credentials: _Credentials) -> ApiKey:
    """Find the key of a request, and count the request.

    Raises:
        Problem: 401 without a key that is taken now; 429 where it asks too often; 422 for a parameter that the route has not;
            409 and 422 of `api.idempotent`.
        Repeated: the request was answered before.
    """
    found = None if credentials is None else api_keys.find(context.engine, credentials.credentials)
    if found is None or not found[1]:
        challenge = 'Bearer realm="tonalog"' + ("" if credentials is None else ', error="invalid_token"')
        detail = "Send `Authorization: Bearer KEY` with a key that is not revoked and has not expired."
        raise Problem(401, "unauthorized", detail=detail, headers={"WWW-Authenticate": challenge})
    key = found[0]
    request.state.caller = key
    ask_for(key.tenant)
    wait_s = context.limiter.take(key.id)
    if wait_s is not None:
        detail = f"This key asks too often: try again in {wait_s} s."
        raise Problem(429, "too-many-requests", detail=detail, headers={"Retry-After": str(wait_s)})
    _refuse_unknown_parameters(request)
    idempotent.begin(request, context, key)
    return key


async def require_read(key: Annotated[ApiKey, Depends(authenticate)]) -> ApiKey:
    """Take keys that may read.

    Raises:
        Problem: 403 for others.
    """
    return _require(key, Scope.READ)


async def require_write(key: Annotated[ApiKey, Depends(authenticate)]) -> ApiKey:
    """Take keys that may upload and erase.

    Raises:
        Problem: 403 for others.
    """
    return _require(key, Scope.WRITE)


async def require_events(key: Annotated[ApiKey, Depends(authenticate)]) -> ApiKey:
    """Take keys that may tell of new objects.

    Raises:
        Problem: 403 for others.
    """
    return _require(key, Scope.EVENTS)


Reader = Annotated[ApiKey, Depends(require_read)]
Writer = Annotated[ApiKey, Depends(require_write)]


def find_person(request: Request, context: Context, key: ApiKey, subject: str) -> str:
    """Give how the database writes a person of the key's tenant, found as the command line does.

    Asked for may be a present or former name, or the pseudonym that answers show.

    Raises:
        Problem: 404 where the tenant has no recordings of anybody of this name.
    """
    if clean_name(subject) is not None:
        fingerprint = context.naming.fingerprint
        wanted = context.naming.find(subject)
        person = people.find_known(context.engine, key.tenant, wanted, subject_key=fingerprint)
        if person is not None:
            request.state.subject = person
            return person
    raise no_such("subject")


def _require(key: ApiKey, scope: Scope) -> ApiKey:
    if scope not in key.scopes:
        has = ", ".join(sorted(key.scopes))
        raise Problem(403, "scope-missing", detail=f"This key may {has}; {scope} is needed here.")
    return key


def _refuse_unknown_parameters(request: Request) -> None:
    # One that is misspelt would be ignored, and the answer would be to another question.
    allowed = {field.alias for field in request.scope["route"].dependant.query_params}
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        if name not in allowed:
            listed = ", ".join(sorted(allowed)) or "none"
            raise bad_parameter(
                "query", name[:MAX_SUBJECT_CHARACTERS], message=f"no such parameter; there are {listed}", value=value
            )
        if name in seen:
            raise bad_parameter("query", name, message="given twice; give it once", value=value)
        seen.add(name)
