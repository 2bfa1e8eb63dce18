"""The client that an app's backend uses: a method for each route, with lists as iterators over all pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import BinaryIO, Literal

from tonalog.client import calls
from tonalog.client.app_calls import AppCalls
from tonalog.client.person_records import Day, TrendList
from tonalog.client.records import ChangePage, Erasure, Health, Model, Note, Segment

Order = Literal["newest", "oldest"]


class Client(AppCalls):
    """Asks one API under one key; close it, or use it in a `with`."""

    def notes(
        self,
        subject: str,
        *,
        since: date | None = None,
        until: date | None = None,
        status: str | None = None,
        model: str | None = None,
        order: Order = "newest",
        limit: int = 100,
    ) -> Iterator[Note]:
        """List a person's notes.

        Args:
            subject: a present or former name, or as answers show it.
            since: first local day; notes whose time is unknown are in no period.
            until: last local day, itself included.
            status: `scored`, `no_speech`, `failed`, `cancelled` or `pending`; None: all.
            model: VERSION or NAME-VERSION; None: the active one.
            order: which come first.
            limit: rows on a page, 500 at the most.
        """
        return self.walk(
            calls.LIST_NOTES,
            subject=subject,
            since=since,
            until=until,
            status=status,
            model=model,
            order=order,
            limit=limit,
        )

    def days(
        self,
        subject: str,
        *,
        since: date | None = None,
        until: date | None = None,
        model: str | None = None,
        order: Order = "newest",
        limit: int = 100,
    ) -> Iterator[Day]:
        """List a person's days; see `notes` for the arguments."""
        return self.walk(
            calls.LIST_DAYS, subject=subject, since=since, until=until, model=model, order=order, limit=limit
        )

    def trend(self, subject: str, *, model: str | None = None, chart: bool = False) -> TrendList:
        """Say for each measure where a person's recent days are against their own baseline, since when, and why.

        Args:
            subject: a present or former name, or as answers show it.
            model: VERSION or NAME-VERSION; None: the active one.
            chart: whether to give the points of each chart.
        """
        return self.ask(calls.GET_TREND, subject=subject, model=model, chart="true" if chart else None)

    def note(self, note_id: int, *, model: str | None = None) -> Note:
        """Give one note."""
        return self.ask(calls.GET_NOTE, note_id=note_id, model=model)

    def segments(self, note_id: int, *, model: str | None = None, limit: int = 100) -> Iterator[Segment]:
        """List the scored windows of a note in order of time."""
        return self.walk(calls.LIST_SEGMENTS, note_id=note_id, model=model, limit=limit)

    def report(self, subject: str, file: BinaryIO, *, model: str | None = None) -> int:
        """Write a person's page of HTML into a file; gives the number of bytes."""
        return self.download(calls.REPORT_SUBJECT, file, subject=subject, model=model)

    def note_report(self, note_id: int, file: BinaryIO, *, model: str | None = None) -> int:
        """Write a note's page of HTML into a file; gives the number of bytes."""
        return self.download(calls.REPORT_NOTE, file, note_id=note_id, model=model)

    def operations_report(self, file: BinaryIO) -> int:
        """Write the operator's page on the tenant's recordings into a file; gives the number of bytes."""
        return self.download(calls.REPORT_OPERATIONS, file)

    def models(self) -> Sequence[Model]:
        """List the registered model versions."""
        return self.ask(calls.LIST_MODELS).models

    def changes(self, cursor: str | None = None, *, limit: int = 100) -> ChangePage:
        """Give one page of changes; without a cursor the first of a run that names every note."""
        return self.ask(calls.LIST_CHANGES, cursor=cursor, limit=limit)

    def follow_changes(self, cursor: str | None = None, *, limit: int = 500) -> Iterator[ChangePage]:
        """Give what changed since `cursor` up to now, page by page.

        Apply a page, keep its `next_cursor`, and only then take the next one: whoever is interrupted goes on there, and may
        see some changes twice. Call it again with the last cursor whenever it suits.

        Raises:
            CursorExpired: begin anew without a cursor, and forget every note that the new run does not name.
        """
        while True:
            page = self.changes(cursor, limit=limit)
            yield page
            if not page.has_more:
                return
            cursor = page.next_cursor

    def erase(self, subject: str) -> Erasure:
        """Begin to erase a person; `erasure` tells how far it is. Needs the scope `write`."""
        return self.ask(calls.ERASE_SUBJECT, subject=subject)

    def erasures(self, *, limit: int = 100) -> Iterator[Erasure]:
        """List the erasures that keys of this tenant asked for, newest first."""
        return self.walk(calls.LIST_ERASURES, limit=limit)

    def erasure(self, erasure_id: int) -> Erasure:
        """Say how far an erasure is."""
        return self.ask(calls.GET_ERASURE, erasure_id=erasure_id)

    def health(self) -> Health:
        """Say whether the server works."""
        return self.ask(calls.GET_HEALTH)

    def readiness(self) -> Health:
        """Say whether its database answers."""
        return self.ask(calls.GET_READINESS)
