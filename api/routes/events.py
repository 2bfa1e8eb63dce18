"""Notifications of the object store: each is a hint that an object may be new, and the scheduler looks itself."""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from api.callers import SharedContext, require_events
from api.context import Context
from api.problems import Problem
from db import hints
from db.api_keys import ApiKey
from db.hints import TooManyHints
from storage.errors import StorageError
from storage.events import EventError, ObjectHint, read_event
from storage.objects import is_listed

router = APIRouter(tags=["events"])
_log = logging.getLogger(__name__)
_RETRY_S = 60
EventsKey = Annotated[ApiKey, Depends(require_events)]


class HintsBody(BaseModel):
    """What was taken from a notification."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"n_hints": 1}]})

    n_hints: int = Field(description="Objects that the scheduler will look up; others lie where no scan looks.")


# Not in `/openapi.json`: object stores call it, with documents of their own shape.
@router.post("/v1/events/s3", include_in_schema=False)
async def take_event(request: Request, context: SharedContext, key: EventsKey) -> HintsBody:  # noqa: ARG001 - the scope is enough
    """Take a notification as S3, MinIO, SeaweedFS, EventBridge and Cloud Storage send them, with a key of scope `events`.

    It is only a hint: the scheduler looks the objects up under the rules of scans, and the nightly scan finds what no
    notification told of. The answer does not say whether an object exists.
    """
    return await run_in_threadpool(_keep, context, await request.body())


def _keep(context: Context, body: bytes) -> HintsBody:
    try:
        place = context.uploads.place_of_scans()
        found = read_event(body)
    except EventError as error:
        raise Problem(422, "unknown-event", detail=f"This cannot be used: {error}.") from None
    except StorageError as error:
        _log.exception("hints have no place", exc_info=False, extra={"error": type(error).__name__})
        detail = "This server's TONALOG_STORAGE_URL cannot be used; its log says more."
        raise Problem(503, "no-storage", detail=detail) from None
    ours = [(hint.bucket, hint.key) for hint in found if place is not None and _is_in(hint, *place)]
    try:
        hints.add(context.engine, ours)
    except TooManyHints:
        detail = "Too many hints wait to be looked up: is a scheduler running? The nightly scan finds these objects."
        raise Problem(503, "too-many-hints", detail=detail, headers={"Retry-After": str(_RETRY_S)}) from None
    _log.info("notification taken", extra={"n_named": len(found), "n_hints": len(ours)})
    return HintsBody(n_hints=len(ours))


def _is_in(hint: ObjectHint, bucket: str, prefix: str) -> bool:
    return hint.bucket == bucket and hint.key.startswith(prefix) and is_listed(hint.key, prefix)
