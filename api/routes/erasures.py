"""Erasing a person, and how far that is; the fence and the audit are those of `tonalog erase`."""

import logging

from fastapi import APIRouter, Request, Response

from api import cursors
from api.bodies import ErasureBody, ErasurePage
from api.callers import Reader, SharedContext, Writer, find_person
from api.parameters import Cursor, ErasureId, Limit, Subject
from api.problems import Problem, no_such
from db import erasures, removals
from db.erasures import Chosen
from db.errors import RightMissing
from db.reasons import ErasureScope

router = APIRouter(tags=["erasures"])
_log = logging.getLogger(__name__)


@router.delete("/v1/subjects/{subject}", status_code=202, summary="Erase a person")
def erase_subject(
    request: Request, response: Response, context: SharedContext, key: Writer, subject: Subject
) -> ErasureBody:
    """Erase everything about a person: results, segments, identity, and every version of the objects.

    When this is answered nothing about the person can be read any more, and no attempt under way will write anything.
    Objects are removed from storage after that: `Location` says where to see it. Again, or for somebody unknown: 404.
    """
    person = find_person(request, context, key, subject)
    chosen = Chosen(subject=person, tenant=key.tenant)
    try:
        erasure_id = erasures.begin(context.engine, chosen, scope=ErasureScope.ALL, key_id=key.id)
    except RightMissing:
        _log.exception("this server's database role may not erase", exc_info=False)
        detail = "This server may not erase: its database role lacks the rights of tonalog_eraser. Nothing was changed."
        raise Problem(503, "erasing-not-allowed", detail=detail) from None
    erasure = None if erasure_id is None else removals.read_of_tenant(context.engine, key.tenant, erasure_id)
    if erasure is None:
        raise no_such("subject")
    context.eraser.wake()
    context.exporter.wake()  # exports that may hold the person are none any more, and their files have to go
    response.headers["Location"] = f"/v1/erasures/{erasure.id}"
    return ErasureBody.of(erasure)


@router.get("/v1/erasures", summary="Erasures")
def list_erasures(context: SharedContext, key: Reader, limit: Limit = 100, cursor: Cursor = None) -> ErasurePage:
    """List the erasures that keys of this tenant asked for, newest first."""
    before_id = None
    if cursor is not None:
        (part,) = cursors.decode(cursor, ["erasures"], int)
        before_id = int(part or 0)
    found = removals.list_of_tenant(context.engine, key.tenant, before_id=before_id, limit=limit + 1)
    page = found[:limit]
    next_cursor = cursors.encode(["erasures"], page[-1].id) if len(found) > limit else None
    return ErasurePage(erasures=[ErasureBody.of(erasure) for erasure in page], next_cursor=next_cursor)


@router.get("/v1/erasures/{erasure_id}", summary="One erasure")
def get_erasure(context: SharedContext, key: Reader, erasure_id: ErasureId) -> ErasureBody:
    """Say how far an erasure is, and what it took away."""
    erasure = removals.read_of_tenant(context.engine, key.tenant, erasure_id)
    if erasure is None:
        raise no_such("erasure")
    return ErasureBody.of(erasure)
