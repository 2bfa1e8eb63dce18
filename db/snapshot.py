"""Reads one tenant's notes, segments and days as they were at one moment, in pages, however many there are."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, func, select

from db.columns import db_now
from db.engine import read_only_options, reading
from db.errors import ErasedMeanwhile
from db.models import choose, read_models
from db.notes import AppNote, read_page
from db.people_rows import SubjectDay, SubjectTrend, as_trend
from db.people_schema import subject_days, subject_marks, subject_trends
from db.reasons import ErasureScope, RecordingState
from db.results import read_scores
from db.rows import Model
from db.schema import DIMENSIONS, erasures, recordings, segments

PAGE = 500  # recordings in one question
_FETCH = 2_000  # rows that a long answer is taken in
_r = recordings.c


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which notes: of a tenant, of one person or all, of these local days (both included) or all, under one model.

    With `since` or `until` notes whose time of recording is unknown are left out: they belong to no day. `model_id`
    None: no model is there yet, and every note is pending.
    """

    tenant: str
    subject: str | None = None
    since: date | None = None
    until: date | None = None
    model_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class StoredSegment:
    """One scored window, with whose it is."""

    recording_id: int
    subject: str | None
    recorded_at: datetime | None
    idx: int
    start_ms: int
    end_ms: int
    speech_ms: int
    scores: dict[str, float]
    arousal: float | None
    valence: float | None


class Snapshot:
    """The database as it was when this was taken; what is written meanwhile is not seen.

    Attributes:
        taken_at: the moment, by the database's clock.
        models: the models that were registered.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        # On SQLite the first question fixes what is seen.
        self._last_erasure = _last_erasure(connection)
        self.taken_at: datetime = connection.execute(select(db_now())).scalar_one()
        self.models = read_models(connection)

    def find_model(self, wanted: str | None = None) -> Model | None:
        """Find the model that is asked for as VERSION or NAME-VERSION, or the active one; None where none is active.

        Raises:
            RowNotFound: none or several fit; the message lists what there is.
        """
        if wanted is not None:
            return choose(self.models, wanted)
        return next((model for model in self.models if model.is_active), None)

    def notes(self, chosen: Selection) -> Iterator[AppNote]:
        """Read the notes in order of their id, each with scores relative to the person's own past."""
        after_id = 0
        while True:
            page = read_page(self.connection, *_fits(chosen), model_id=chosen.model_id, after_id=after_id, limit=PAGE)
            yield from page
            if len(page) < PAGE:
                return
            after_id = page[-1].id

    def segments(self, chosen: Selection) -> Iterator[StoredSegment]:
        """Read the scored windows of the notes, in order of note and window."""
        wanted = select(_r.id, _r.subject, _r.recorded_at).where(_r.state == RecordingState.LIVE, *_fits(chosen))
        after_id = 0
        while chosen.model_id is not None:
            page = self.connection.execute(wanted.where(_r.id > after_id).order_by(_r.id).limit(PAGE)).all()
            whose = {row.id: {"subject": row.subject, "recorded_at": row.recorded_at} for row in page}
            for values in self._windows(list(whose), chosen.model_id):
                of_note = whose[values["recording_id"]]
                spans = {name: values[name] for name in ("recording_id", "idx", "start_ms", "end_ms", "speech_ms")}
                said = {name: values[name] for name in DIMENSIONS}
                yield StoredSegment(**of_note, **spans, **said, scores=read_scores(values))
            if len(page) < PAGE:
                return
            after_id = page[-1].id

    def days(self, chosen: Selection) -> Iterator[SubjectDay]:
        """Read what is kept of people's days, by person and day; see `count_behind`."""
        c = subject_days.c
        fits = [] if chosen.since is None else [c.day >= chosen.since]
        fits += [] if chosen.until is None else [c.day <= chosen.until]
        wanted = select(subject_days).where(*_of_people(subject_days, chosen), *fits)
        for values in self.stream(wanted.order_by(c.subject, c.day)):
            yield SubjectDay(**values)

    def trends(self, chosen: Selection) -> Iterator[SubjectTrend]:
        """Read where people's days are against their own past, by person and measure; see `count_behind`."""
        c = subject_trends.c
        wanted = select(subject_trends).where(*_of_people(subject_trends, chosen))
        for values in self.stream(wanted.order_by(c.subject, c.measure)):
            yield as_trend(values)

    def keys(self, chosen: Selection) -> dict[int, str]:
        """Read the storage keys of the notes by id; they may hold names."""
        wanted = select(_r.id, _r.key).where(_r.state == RecordingState.LIVE, *_fits(chosen))
        return {row["id"]: row["key"] for row in self.stream(wanted)}

    def count_behind(self, chosen: Selection) -> int:
        """Count the people whose notes have changed since their days and trends were made."""
        c = subject_marks.c
        fits = [c.tenant == chosen.tenant] + ([] if chosen.subject is None else [c.subject == chosen.subject])
        changed = select(c.subject).where(*fits).distinct().subquery()
        return int(self.connection.execute(select(func.count()).select_from(changed)).scalar_one())

    def stream(self, wanted: Any) -> Iterator[dict[str, Any]]:
        """Read a long answer a few rows at a time."""
        for row in self.connection.execute(wanted, execution_options={"yield_per": _FETCH}):
            yield row._asdict()

    def require_nobody_erased(self, engine: Engine) -> None:
        """Look whether a person or recording was erased since this was taken.

        Raises:
            ErasedMeanwhile: one was, and what was read may hold it.
        """
        with reading(engine) as connection:
            if _last_erasure(connection) != self._last_erasure:
                raise ErasedMeanwhile(
                    "Somebody was erased while this was being written: nothing was kept, run it again."
                )

    def _windows(self, ids: list[int], model_id: int) -> Iterator[dict[str, Any]]:
        c = segments.c
        if ids:
            wanted = select(segments).where(c.model_id == model_id, c.recording_id.in_(ids))
            yield from self.stream(wanted.order_by(c.recording_id, c.idx))


@contextmanager
def take_snapshot(engine: Engine) -> Iterator[Snapshot]:
    """Open the database as it is now, for reading only, until the end of the block.

    On PostgreSQL this is a transaction of REPEATABLE READ, on SQLite a read transaction of the WAL. Writers go on; what
    they leave behind is cleaned up after the block.
    """
    options = dict(read_only_options())
    if engine.dialect.name != "sqlite":
        options["isolation_level"] = "REPEATABLE READ"
    with engine.connect().execution_options(**options) as connection:
        yield Snapshot(connection)


def _fits(chosen: Selection) -> list[ColumnElement[bool]]:
    fits: list[ColumnElement[bool]] = [_r.tenant == chosen.tenant]
    if chosen.subject is not None:
        fits.append(_r.subject == chosen.subject)
    if chosen.since is not None:
        fits.append(_r.local_day >= chosen.since)
    if chosen.until is not None:
        fits.append(_r.local_day <= chosen.until)
    return fits


def _of_people(kept: Table, chosen: Selection) -> list[ColumnElement[bool]]:
    fits = [kept.c.tenant == chosen.tenant, kept.c.model_id == chosen.model_id]
    return fits if chosen.subject is None else [*fits, kept.c.subject == chosen.subject]


def _last_erasure(connection: Connection) -> int:
    wanted = select(func.coalesce(func.max(erasures.c.id), 0)).where(erasures.c.scope == ErasureScope.ALL)
    return int(connection.execute(wanted).scalar_one())
