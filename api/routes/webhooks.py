"""Endpoints of webhooks: made, changed, tried and looked at; another process sends (`api.webhooks.sender`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Request, Response

from api import cursors
from api.callers import Reader, SharedContext, Writer
from api.context import Context
from api.parameters import Cursor, DeliveryId, EndpointId, Limit
from api.problems import Problem, no_such
from api.webhook_bodies import (
    DeliveryBody,
    DeliveryPage,
    EndpointBody,
    EndpointChangeBody,
    EndpointList,
    NewEndpointAnswerBody,
    NewEndpointBody,
    RotationBody,
    SecretBody,
)
from api.webhooks.addresses import UnusableUrl, parse_url
from db import delivery_log, webhooks
from db.api_keys import ApiKey
from db.errors import RowNotFound
from db.reasons import DeliveryState, EventKind
from db.webhooks import Endpoint, TooManyEndpoints

router = APIRouter(tags=["webhooks"])
_ROUTE = "/v1/webhook-endpoints"
Status = Annotated[
    Literal["pending", "delivered", "failed", "cancelled"] | None, Query(description="Only deliveries that are so.")
]


@router.post(_ROUTE, status_code=201, summary="Make a webhook endpoint")
def create_endpoint(
    request: Request, response: Response, context: SharedContext, key: Writer, body: NewEndpointBody
) -> NewEndpointAnswerBody:
    """Make an endpoint and give its secret, once. It is told what happens from now on; `/v1/changes` has what was before."""
    _refuse_second_answer(request)
    _check_url(context, body.url)
    try:
        endpoint, secret = webhooks.create(
            context.engine,
            key.tenant,
            url=body.url,
            description=body.description,
            events=[EventKind(name) for name in body.events],
        )
    except TooManyEndpoints as error:
        raise Problem(409, "too-many-endpoints", detail=f"{str(error)[0].upper()}{str(error)[1:]}.") from None
    request.state.resource = str(endpoint.id)  # so that no answer with a secret is kept for an Idempotency-Key
    response.headers["Location"] = f"{_ROUTE}/{endpoint.id}"
    return NewEndpointAnswerBody.of(endpoint, secret=secret)


@router.get(_ROUTE, summary="Webhook endpoints")
def list_endpoints(context: SharedContext, key: Reader) -> EndpointList:
    """List the endpoints of the key's tenant, without their secrets."""
    found = webhooks.list_endpoints(context.engine, key.tenant)
    return EndpointList(webhook_endpoints=[EndpointBody.of(endpoint) for endpoint in found])


@router.get(_ROUTE + "/{endpoint_id}", summary="One webhook endpoint")
def get_endpoint(context: SharedContext, key: Reader, endpoint_id: EndpointId) -> EndpointBody:
    """Give one endpoint."""
    return EndpointBody.of(_find(context, key, endpoint_id))


@router.patch(_ROUTE + "/{endpoint_id}", summary="Change a webhook endpoint")
def change_endpoint(
    context: SharedContext, key: Writer, endpoint_id: EndpointId, body: EndpointChangeBody
) -> EndpointBody:
    """Change URL, events or description, or disable and enable. What waited for an endpoint is sent once it is enabled."""
    _find(context, key, endpoint_id)
    values = {name: getattr(body, name) for name in ("url", "description", "events") if getattr(body, name) is not None}
    if "url" in values:
        _check_url(context, body.url or "")
    with _known("webhook endpoint"):
        changed = webhooks.change(context.engine, key.tenant, endpoint_id, is_disabled=body.disabled, **values)
    return EndpointBody.of(changed)


@router.delete(_ROUTE + "/{endpoint_id}", status_code=204, summary="Delete a webhook endpoint")
def delete_endpoint(context: SharedContext, key: Writer, endpoint_id: EndpointId) -> None:
    """Delete an endpoint with its secret and its deliveries, those that wait included."""
    with _known("webhook endpoint"):
        webhooks.remove(context.engine, key.tenant, endpoint_id)


@router.post(_ROUTE + "/{endpoint_id}/rotate", summary="Rotate a webhook secret")
def rotate_secret(
    request: Request,
    context: SharedContext,
    key: Writer,
    endpoint_id: EndpointId,
    body: Annotated[RotationBody | None, Body()] = None,
) -> SecretBody:
    """Make a new secret and give it, once. Until `old_until` each message has a signature of the old secret too."""
    _refuse_second_answer(request)
    grace = timedelta(seconds=(body or RotationBody()).grace_s)
    with _known("webhook endpoint"):
        made = webhooks.rotate(context.engine, key.tenant, endpoint_id, grace=grace)
    request.state.resource = str(endpoint_id)
    return SecretBody(secret=made.secret, old_until=made.old_until)


@router.post(_ROUTE + "/{endpoint_id}/test", status_code=202, summary="Try a webhook endpoint")
def try_endpoint(context: SharedContext, key: Writer, endpoint_id: EndpointId) -> DeliveryBody:
    """Have a message of type `webhook.test` sent, once; its delivery says what came of it."""
    _require_enabled(_find(context, key, endpoint_id))
    with _known("webhook endpoint"):
        return DeliveryBody.of(delivery_log.add_test(context.engine, endpoint_id))


@router.get(_ROUTE + "/{endpoint_id}/deliveries", summary="Deliveries of a webhook endpoint")
def list_deliveries(
    context: SharedContext,
    key: Reader,
    *,
    endpoint_id: EndpointId,
    status: Status = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> DeliveryPage:
    """List what was sent and what waits, newest first; kept for TONALOG_WEBHOOK_DAYS."""
    _find(context, key, endpoint_id)
    question = ["deliveries", endpoint_id, status]
    before_id = None
    if cursor is not None:
        (part,) = cursors.decode(cursor, question, int)
        before_id = int(part or 0)
    state = None if status is None else DeliveryState(status.upper())
    found = delivery_log.list_deliveries(context.engine, endpoint_id, before_id=before_id, state=state, limit=limit + 1)
    page = found[:limit]
    next_cursor = cursors.encode(question, page[-1].id) if len(found) > limit else None
    return DeliveryPage(deliveries=[DeliveryBody.of(delivery) for delivery in page], next_cursor=next_cursor)


@router.post(
    _ROUTE + "/{endpoint_id}/deliveries/{delivery_id}/replay", status_code=202, summary="Send a message once more"
)
def replay_delivery(
    context: SharedContext, key: Writer, endpoint_id: EndpointId, delivery_id: DeliveryId
) -> DeliveryBody:
    """Send the message of a delivery once more, with the same `webhook-id`, as a delivery of its own."""
    _require_enabled(_find(context, key, endpoint_id))
    with _known("delivery"):
        return DeliveryBody.of(delivery_log.replay(context.engine, endpoint_id, delivery_id))


def _find(context: Context, key: ApiKey, endpoint_id: int) -> Endpoint:
    with _known("webhook endpoint"):
        return webhooks.get(context.engine, key.tenant, endpoint_id)


@contextmanager
def _known(what: str) -> Iterator[None]:
    try:
        yield
    except RowNotFound:
        raise no_such(what) from None


def _refuse_second_answer(request: Request) -> None:
    """Refuse a request that its Idempotency-Key shows to have been answered: its secret was shown then, and is not kept."""
    resource = getattr(request.state, "resource", None)
    if resource is not None:
        place = f"{_ROUTE}/{resource}"
        detail = f"This was done, and the secret is shown once: if its answer was lost, POST {place}/rotate."
        raise Problem(409, "secret-shown-before", detail=detail, headers={"Location": place})


def _require_enabled(endpoint: Endpoint) -> None:
    if endpoint.disabled_at is not None:
        detail = f"This endpoint is disabled ({endpoint.disabled_reason}): enable it by PATCH with `disabled: false`."
        raise Problem(409, "endpoint-disabled", detail=detail)


def _check_url(context: Context, url: str) -> None:
    try:
        parse_url(url, allowed=context.webhook_networks)
    except UnusableUrl as error:
        refused = {"in": "body", "name": "url", "message": str(error), "value": url[:100]}
        raise Problem(422, "invalid-parameter", detail=f"url: {error}", errors=[refused]) from None
