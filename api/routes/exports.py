"""Exports: asked for, written in the background, fetched, and deleted."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from api import cursors
from api.callers import Reader, SharedContext, find_person
from api.context import Context
from api.export_bodies import ExportBody, ExportPage, ExportRequest
from api.model_choice import require_model
from api.parameters import Cursor, ExportId, Limit, check_period
from api.problems import Problem, bad_parameter, no_such
from db import export_jobs
from db.api_keys import ApiKey
from db.errors import TooManyExports
from db.export_jobs import ExportJob, NewExport
from db.reasons import ExportState
from exports.write import Format

router = APIRouter(tags=["exports"])
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The ZIP.",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
    409: {"description": "It is not ready."},
}


@router.post("/v1/exports", status_code=202, summary="Ask for an export")
def create_export(
    request: Request, response: Response, context: SharedContext, key: Reader, wanted: ExportRequest
) -> ExportBody:
    """Ask for files of the key's tenant, or of one person. `Location` shows how far it is.

    It shows one moment of the database, after this answer. Whoever is erased later takes it away: every export of the
    tenant is deleted then.
    """
    check_period(wanted.since, wanted.until, place="body")
    if wanted.format is Format.PERSON:
        _check_person(wanted)
    if wanted.model is not None:
        require_model(context, wanted.model)
    subject = None if wanted.subject is None else find_person(request, context, key, wanted.subject)
    new = NewExport(
        tenant=key.tenant,
        key_id=key.id,
        format=wanted.format.value,
        subject=subject,
        since=wanted.since,
        until=wanted.until,
        model=wanted.model,
    )
    try:
        job = export_jobs.add(context.engine, new, keep=context.exporter.place.keep)
    except TooManyExports as error:
        raise Problem(409, "too-many-exports", detail=f"{error}.") from None
    context.exporter.wake()
    response.headers["Location"] = f"/v1/exports/{job.id}"
    return ExportBody.of(job)


@router.get("/v1/exports", summary="Exports")
def list_exports(context: SharedContext, key: Reader, limit: Limit = 100, cursor: Cursor = None) -> ExportPage:
    """List the exports that keys of this tenant asked for, newest first."""
    before_id = None
    if cursor is not None:
        (part,) = cursors.decode(cursor, ["exports"], int)
        before_id = int(part or 0)
    found = export_jobs.list_of_tenant(context.engine, key.tenant, before_id=before_id, limit=limit + 1)
    page = found[:limit]
    next_cursor = cursors.encode(["exports"], page[-1].id) if len(found) > limit else None
    return ExportPage(exports=[ExportBody.of(job) for job in page], next_cursor=next_cursor)


@router.get("/v1/exports/{export_id}", summary="One export")
def get_export(request: Request, context: SharedContext, key: Reader, export_id: ExportId) -> ExportBody:
    """Say how far an export is."""
    return ExportBody.of(_find(request, context, key, export_id=export_id))


@router.get("/v1/exports/{export_id}/content", summary="Its files", response_class=Response, responses=_ZIP)
def get_export_content(request: Request, context: SharedContext, key: Reader, export_id: ExportId) -> Response:
    """Give the files of an export as one ZIP; 409 while it is not ready."""
    job = _find(request, context, key, export_id=export_id)
    if job.state is not ExportState.READY:
        detail = f"This export is {job.state}." if job.reason is None else f"This export failed: {job.reason}"
        raise Problem(409, "not-ready", detail=detail)
    try:
        # Open from now on, so that it is whole even if it is removed meanwhile; `api.middleware` sends and closes it.
        request.state.file = context.exporter.place.file_of(job).open("rb")
    except FileNotFoundError:
        detail = "The file is not on this server: ask for a new export."
        raise Problem(503, "file-missing", detail=detail) from None
    headers = {
        "Content-Disposition": f'attachment; filename="tonalog-{job.format}-{job.id}.zip"',
        "ETag": f'"{job.id}-{job.file_token}"',
    }
    return Response(status_code=200, headers=headers, media_type="application/zip")


@router.delete("/v1/exports/{export_id}", status_code=204, summary="Delete an export")
def delete_export(request: Request, context: SharedContext, key: Reader, export_id: ExportId) -> Response:
    """Delete an export and its file."""
    job = _find(request, context, key, export_id=export_id)
    if not export_jobs.remove(context.engine, key.tenant, job.id):
        raise no_such("export")
    context.exporter.place.file_of(job).unlink(missing_ok=True)
    context.exporter.wake()
    return Response(status_code=204)


def _find(request: Request, context: Context, key: ApiKey, *, export_id: int) -> ExportJob:
    job = export_jobs.get(context.engine, key.tenant, export_id)
    if job is None or job.expires_at <= datetime.now(UTC):
        raise no_such("export")
    request.state.subject = job.subject
    return job


def _check_person(wanted: ExportRequest) -> None:
    if wanted.subject is None:
        raise bad_parameter("body", "subject", message="missing: format person needs one", value="null")
    for name in ("since", "until"):
        if getattr(wanted, name) is not None:
            message = "format person is of all time: leave it out"
            raise bad_parameter("body", name, message=message, value=str(getattr(wanted, name)))
