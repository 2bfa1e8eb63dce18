"""Notes of a person, one note, and its segments."""

from collections.abc import Sequence

from fastapi import APIRouter, Request

from api import cursors
from api.bodies import NoteBody, NotePage, SegmentBody, SegmentPage
from api.callers import Reader, SharedContext, find_person
from api.context import Context
from api.model_choice import ModelChoice, choose_model, choose_model_of_note, id_of
from api.parameters import Cursor, Limit, NoteId, Order, Since, Subject, Until, check_period
from api.problems import no_such
from api.shared_bodies import ModelName
from db import notes
from db.api_keys import ApiKey
from db.models import ModelKey
from db.notes import AppNote, NoteFilter, NotePlace, NoteStatus

router = APIRouter(tags=["notes"])


@router.get("/v1/subjects/{subject}/notes", summary="A person's notes")
def list_notes(
    request: Request,
    context: SharedContext,
    key: Reader,
    *,
    subject: Subject,
    since: Since = None,
    until: Until = None,
    status: NoteStatus | None = None,
    model: ModelChoice = None,
    order: Order = "newest",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> NotePage:
    """List the notes of a person by the time of recording.

    Notes whose time nobody said come last, and in no period. A note of another tenant is not there at all.
    """
    check_period(since, until)
    person = find_person(request, context, key, subject)
    chosen = choose_model(context, model, tenant=key.tenant, subject=person)
    question = ["notes", person, since, until, status, order, id_of(chosen)]
    found = notes.list_notes(
        context.engine,
        key.tenant,
        person,
        model_id=id_of(chosen),
        chosen=NoteFilter(since=since, until=until, status=status),
        is_oldest_first=order == "oldest",
        after=None if cursor is None else _read_place(cursor, question),
        limit=limit + 1,
    )
    page = found[:limit]
    next_cursor = cursors.encode(question, *_place(page[-1])) if len(found) > limit else None
    return NotePage(notes=[NoteBody.of(note) for note in page], next_cursor=next_cursor)


@router.get("/v1/notes/{note_id}", summary="One note")
def get_note(
    request: Request, context: SharedContext, key: Reader, note_id: NoteId, model: ModelChoice = None
) -> NoteBody:
    """Give one note, under the model that the person is read under or another."""
    chosen = choose_model_of_note(context, model, tenant=key.tenant, note_id=note_id)
    return NoteBody.of(find_note(request, context, key, note_id=note_id, model=chosen))


@router.get("/v1/notes/{note_id}/segments", summary="A note's segments")
def list_segments(
    request: Request,
    context: SharedContext,
    key: Reader,
    *,
    note_id: NoteId,
    model: ModelChoice = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> SegmentPage:
    """List the scored windows of a note in order of time; none where it is not scored."""
    chosen = choose_model_of_note(context, model, tenant=key.tenant, note_id=note_id)
    find_note(request, context, key, note_id=note_id, model=chosen)
    question = ["segments", note_id, id_of(chosen)]
    first = 0
    if cursor is not None:
        (part,) = cursors.decode(cursor, question, int)
        first = int(part or 0)
    segments = [] if chosen is None else notes.list_segments(context.engine, note_id, chosen.id)
    page = [SegmentBody.of(idx, segments[idx]) for idx in range(first, min(first + limit, len(segments)))]
    next_cursor = cursors.encode(question, first + limit) if first + limit < len(segments) else None
    name = None if chosen is None else ModelName(name=chosen.name, version=chosen.version)
    return SegmentPage(model=name, segments=page, next_cursor=next_cursor)


def find_note(request: Request, context: Context, key: ApiKey, *, note_id: int, model: ModelKey | None) -> AppNote:
    """Find a note of the key's tenant, and note it for the audit.

    Raises:
        Problem: 404 where the tenant has none of this id.
    """
    note = notes.get_note(context.engine, key.tenant, note_id, model_id=id_of(model))
    if note is None:
        raise no_such("note")
    request.state.note_id = note_id
    request.state.subject = note.subject
    return note


def _place(note: AppNote) -> tuple[str | None, int]:
    return None if note.recorded_at is None else note.recorded_at.isoformat(), note.id


def _read_place(cursor: str, question: Sequence[object]) -> NotePlace:
    moment, note_id = cursors.decode(cursor, question, (str, type(None)), int)
    assert isinstance(note_id, int)
    recorded_at = None if moment is None else cursors.read_moment(cursor, str(moment))
    return NotePlace(recorded_at=recorded_at, id=note_id)
