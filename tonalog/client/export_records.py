"""What is asked for and answered about exports, as frozen records (see `tonalog.client.records`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from tonalog.client.records import Page, Record


class ExportRequest(Record):
    """What is to be exported, of the key's tenant; docs/exports.md describes each format."""

    format: str
    subject: str | None = None
    since: date | None = None
    until: date | None = None
    model: str | None = None


class Export(Record):
    """An export that was asked for; `status` is `waiting`, `running`, `ready` or `failed`, with `reason`."""

    id: int
    format: str
    subject: str | None
    since: date | None
    until: date | None
    model: str | None
    status: str
    reason: str | None
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime
    n_rows: int | None
    size_bytes: int | None


class ExportPage(Page[Export]):
    """A page of exports."""

    exports: Sequence[Export]

    @property
    def rows(self) -> Sequence[Export]:
        """The exports."""
        return self.exports
