"""The feed of changes, for apps that keep a copy: what to take again and what to forget."""

from datetime import datetime

from fastapi import APIRouter

from api import cursors
from api.bodies import ChangeBody, ChangePage, NoteBody
from api.callers import Reader, SharedContext
from api.context import Context
from api.model_choice import id_of, show_as_read
from api.parameters import Cursor, Limit
from api.shared_bodies import ModelName
from db import changes, models, notes
from db.changes import Change, Page, Place
from db.reasons import ChangeKind

router = APIRouter(tags=["changes"])
_FIRST_RUN, _FEED = "run", "feed"
_MAX_NUMBERED = 100  # steps of 5,000 in one request; more are left to the next
_QUESTION = ["changes"]


@router.get("/v1/changes", summary="What changed")
def list_changes(context: SharedContext, key: Reader, limit: Limit = 100, cursor: Cursor = None) -> ChangePage:
    """Tell what there is, page by page, and then what changes.

    Without a cursor a run begins that names every note there is; it passes into the feed of changes. Whoever applies all
    of it in order, and forgets at a new run what that does not name, has what the other routes would answer.
    """
    for _ in range(_MAX_NUMBERED):
        if not changes.number(context.engine):
            break
    if cursor is None:
        return _first_run(context, key.tenant, after_id=0, place=changes.last_place(context.engine), limit=limit)
    kind, after_id, position, at = cursors.decode(cursor, _QUESTION, str, int, int, (str, type(None)))
    place = Place(position=int(position or 0), at=None if at is None else cursors.read_moment(cursor, str(at)))
    if kind == _FIRST_RUN:
        return _first_run(context, key.tenant, after_id=int(after_id or 0), place=place, limit=limit)
    return _feed(context, key.tenant, place=place, limit=limit)


def _first_run(context: Context, tenant: str, *, after_id: int, place: Place, limit: int) -> ChangePage:
    """Name the notes there are; whatever changes meanwhile is told from `place` on, where the run began."""
    changes.read(context.engine, tenant, place=place, limit=1)  # raises where the run took longer than the feed is kept
    model = models.active_key(context.engine)
    found = notes.notes_after(context.engine, tenant, after_id=after_id, limit=limit + 1, model_id=id_of(model))
    shown = show_as_read(context, tenant, found[:limit])
    told = [ChangeBody(type="note.upserted", at=None, note_id=note.id, note=NoteBody.of(note)) for note in shown]
    if len(found) > limit:
        return ChangePage(changes=told, next_cursor=_write(_FIRST_RUN, place, found[limit - 1].id), has_more=True)
    return ChangePage(changes=told, next_cursor=_write(_FEED, place), has_more=True)


def _feed(context: Context, tenant: str, *, place: Place, limit: int) -> ChangePage:
    page = changes.read(context.engine, tenant, place=place, limit=limit)
    return ChangePage(
        changes=_tell(context, tenant, page), next_cursor=_write(_FEED, page.next_place), has_more=page.has_more
    )


def _tell(context: Context, tenant: str, page: Page) -> list[ChangeBody]:
    """Write changes with notes as they are now; of several changes of one note the last is enough."""
    last = {change.recording_id: change.position for change in page.changes if change.recording_id is not None}
    known = {model.id: model for model in models.list_keys(context.engine)}
    active = models.active_key(context.engine)
    found = notes.get_notes(context.engine, tenant, list(last), model_id=id_of(active))
    present = {note.id: note for note in show_as_read(context, tenant, list(found.values()))}
    told = []
    for change in page.changes:
        if change.kind is ChangeKind.MODEL_ACTIVATED:
            model = known[change.model_id or 0]
            name = ModelName(name=model.name, version=model.version)
            told.append(ChangeBody(type="model.activated", at=change.at, model=name))
        elif change.recording_id is not None and last[change.recording_id] == change.position:
            note = present.get(change.recording_id)
            told.append(_of_note(change, None if note is None else NoteBody.of(note)))
    return told


def _of_note(change: Change, note: NoteBody | None) -> ChangeBody:
    # By what is there now and not by the row: a note that came back or went meanwhile is told so at once.
    if note is not None:
        return ChangeBody(type="note.upserted", at=change.at, note_id=change.recording_id, note=note)
    return ChangeBody.model_validate(
        {"type": "note.deleted", "at": change.at, "note_id": change.recording_id, "reason": change.reason}
    )


def _write(kind: str, place: Place, after_id: int = 0) -> str:
    at: datetime | None = place.at
    return cursors.encode(_QUESTION, kind, after_id, place.position, None if at is None else at.isoformat())
