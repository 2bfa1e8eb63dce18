"""The reads that have to be fast: each query of db/QUERIES.md and what the HTTP API asks; asserts nothing."""

import re
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, text

import db
from db import changes, models, notes, people, people_rows, removals
from db.changes import Place
from db.notes import NoteFilter, NotePlace, NoteStatus

PAGE = (Path(db.__file__).parent / "QUERIES.md").read_text(encoding="utf-8")
OF_EVERYBODY = "everybody"  # in the names of those that are no look-ups
N_ROWS = 25  # of a page
_SECTION = re.compile(r"^## (?P<title>[^\n]+)\n(?P<body>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
Read = Callable[[], object]


def of_page(engine: Engine, tenant: str, subject: str) -> dict[str, Read]:
    """Give the queries of the page, for one person."""
    found: dict[str, Read] = {}
    for section in _SECTION.finditer(PAGE):
        body = section["body"]
        kind = f"SQL, {OF_EVERYBODY}" if "Over everybody" in body else "SQL"
        for n, query in enumerate(re.findall(r"^```sql\n(.+?)^```", body, re.MULTILINE | re.DOTALL)):
            asked = query.replace("'default'", f"'{tenant}'").replace("'anna'", f"'{subject}'")
            found[f"{kind}: {section['title']}{' (2)' if n else ''}"] = partial(ask, engine, asked)
    return found


def of_api(engine: Engine, tenant: str, subject: str, *, model_id: int) -> dict[str, Read]:
    """Give the reads of the API's routes, for one person."""
    of_person = partial(notes.list_notes, engine, tenant, subject, model_id=model_id, limit=N_ROWS)
    every, period = NoteFilter(), NoteFilter(since=date(2026, 10, 1), until=date(2026, 10, 14))
    first = of_person(chosen=every)
    behind = NotePlace(recorded_at=first[9].recorded_at, id=first[9].id)
    ids = [note.id for note in first]
    days = partial(people_rows.read_days, engine, tenant, subject)
    one = {"engine": engine, "tenant": tenant, "model_id": model_id}
    feed = partial(changes.read, engine, tenant, limit=N_ROWS)
    return {
        "API: is a person known": partial(people.find_known, engine, tenant, subject),
        "API: is a person's refresh due": partial(people_rows.is_due, engine, tenant, subject),
        "API: a person's notes": partial(of_person, chosen=every),
        "API: the next page of them": partial(of_person, chosen=every, after=behind),
        "API: the oldest first": partial(of_person, chosen=every, is_oldest_first=True),
        "API: notes of a fortnight": partial(of_person, chosen=period),
        "API: failed notes": partial(of_person, chosen=NoteFilter(status=NoteStatus.FAILED)),
        "API: a person's days": partial(days, limit=N_ROWS),
        "API: days of a fortnight": partial(days, since=period.since, until=period.until),
        "API: a person's trends": partial(people_rows.read_trends, engine, tenant, subject),
        "API: relative scores of notes": partial(people_rows.read_relative, engine, ids, model_id=model_id),
        "API: a person's baseline": partial(people_rows.read_baseline, engine, tenant, subject, model_id=model_id),
        "API: one note": partial(notes.get_note, note_id=ids[0], **one),
        "API: several notes": partial(notes.get_notes, note_ids=ids, **one),
        "API: a note's segments": partial(notes.list_segments, engine, ids[0], model_id),
        "API: notes of a first run": partial(notes.notes_after, after_id=ids[0], limit=N_ROWS, **one),
        "API: changes from the beginning": partial(feed, place=Place(position=0, at=None)),
        "API: changes at the end of the feed": partial(feed, place=changes.last_place(engine)),
        "API: are there changes without a place": partial(changes.number, engine),
        "API: erasures of a tenant": partial(removals.list_of_tenant, engine, tenant, limit=N_ROWS),
        "API: models": partial(models.list_models, engine),
    }


def ask(engine: Engine, query: str) -> int:
    """Run a query and take all of its rows; give how many."""
    with engine.connect() as connection:
        return len(connection.execute(text(query)).all())
