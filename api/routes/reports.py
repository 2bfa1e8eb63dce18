"""Pages of HTML: on a person, on a note, and for whoever runs the system."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.callers import Reader, SharedContext, find_person
from api.model_choice import ModelChoice, choose_model, choose_model_of_note, id_of
from api.parameters import NoteId, Subject
from api.routes.notes import find_note
from db import notes, people_rows
from db.people_rows import RelativeResult
from db.rows import Segment
from pictures import pages
from pictures.collect_person import collect_person
from pictures.note import NotePage
from pictures.operations import collect_operations
from pictures.person import PersonPage
from trends import TrendSettings

router = APIRouter(tags=["reports"])
_PAGE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One page that needs nothing else: its style is inside, and it has no script.",
        "content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>..."}},
    }
}


@router.get("/v1/subjects/{subject}/report", summary="A person's page", response_class=HTMLResponse, responses=_PAGE)
def report_person(
    request: Request, context: SharedContext, key: Reader, subject: Subject, model: ModelChoice = None
) -> HTMLResponse:
    """Write a person's page: what is unusual lately, then days with the person's own baseline, as `tonalog report` does."""
    person = find_person(request, context, key, subject)
    settings = TrendSettings(baseline_days=context.trend_baseline_days)
    chosen = choose_model(context, model, tenant=key.tenant, subject=person)
    page = collect_person(context.engine, key.tenant, person, settings=settings, model_id=id_of(chosen))
    if page is None:
        today = datetime.now(UTC).date()
        page = PersonPage(subject=person, tenant=key.tenant, as_of=today, settings=settings)
    return _answer(pages.render_person(page))


@router.get("/v1/notes/{note_id}/report", summary="A note's page", response_class=HTMLResponse, responses=_PAGE)
def report_note(
    request: Request, context: SharedContext, key: Reader, note_id: NoteId, model: ModelChoice = None
) -> HTMLResponse:
    """Write a note's page: what is unusual of it, and its segments on the file's clock.

    It has neither waveform nor sound, since this server decodes nothing and reads no recordings; `tonalog report --note`
    has both.
    """
    chosen = choose_model_of_note(context, model, tenant=key.tenant, note_id=note_id)
    note = find_note(request, context, key, note_id=note_id, model=chosen)
    relative: dict[int, RelativeResult] = {}
    segments: tuple[Segment, ...] = ()
    if chosen is not None:
        relative = people_rows.read_relative(context.engine, [note_id], model_id=chosen.id)
        segments = tuple(notes.list_segments(context.engine, note_id, chosen.id))
    page = NotePage(
        note=note,
        tenant=key.tenant,
        segments=segments,
        relative=relative.get(note_id),
    )
    return _answer(pages.render_note(page))


@router.get("/v1/report", summary="The operator's page", response_class=HTMLResponse, responses=_PAGE)
def report_operations(context: SharedContext, key: Reader) -> HTMLResponse:
    """Write the operator's page on the recordings of the key's tenant: lanes, output, failures, coverage, drift of scores.

    It counts all results of half a year, which takes seconds where there are millions: for people, not for polling.
    """
    page = collect_operations(context.engine, at=datetime.now(UTC), tenant=key.tenant)
    return _answer(pages.render_operations(page))


def _answer(html: str) -> HTMLResponse:
    headers = {"Content-Security-Policy": pages.content_security_policy(), "Referrer-Policy": "no-referrer"}
    return HTMLResponse(html, headers=headers)
