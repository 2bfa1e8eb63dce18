"""Reads every row about one person, whatever table it is in, for the person who asks what is kept (GDPR Art. 15 and 20)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, inspect, or_, select

from db.aliases import former_names
from db.api_schema import api_audit, api_keys
from db.errors import DatabaseError
from db.every_table import load_metadata
from db.reasons import RecordingState
from db.schema import attempts, identity_changes, jobs, metadata, recordings, removed_audio
from db.snapshot import Snapshot

ANOTHER = "(another person)"
_ANOTHER_TENANT = "(another tenant)"
_NOT_OURS = {"alembic_version"}
_r = recordings.c
# How work is shared out among machines, and secrets of theirs: nothing about the person.
_INTERNAL = re.compile(
    r"(.*_)?(token|secret|key_sha256|bucket|version_tag|identity_tag|worker|detail|lane|url)"
    r"|lease_.*|queue.*|next_run_at_s|first_transient_at_s|transients|lost_count|peak_rss_kib"
)


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """Where the audio of a note lies."""

    recording_id: int
    store: str
    bucket: str
    key: str
    version_tag: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One answer that a key of the HTTP API got about the person; `key_name` is what its owner calls it."""

    at: Any
    key_id: int
    key_name: str
    method: str
    route: str
    status: int


class PersonRows:
    """All that a database holds of one person at one moment.

    Attributes:
        names: the present name first, then former ones.
    """

    def __init__(self, snapshot: Snapshot, tenant: str, subject: str) -> None:
        """Look the person up.

        Raises:
            DatabaseError: the database has a table that this release does not know, which may hold something of the person.
        """
        self._snapshot = snapshot
        self._tenant = tenant
        load_metadata()
        unknown = set(inspect(snapshot.connection).get_table_names()) - set(metadata.tables) - _NOT_OURS
        if unknown:
            raise DatabaseError(
                f"the database has tables that this release does not know: {', '.join(sorted(unknown))}"
            )
        self.names = (subject, *sorted(former_names(snapshot.connection, tenant, subject)))

    def tables(self) -> list[Table]:
        """List the tables that can hold something of a person."""
        return [table for table in metadata.sorted_tables if self._fits(table) is not None]

    def read(self, table: Table) -> Iterator[dict[str, Any]]:
        """Read the person's rows of a table; other people's names in them are left out."""
        shown = self.columns(table)
        fits = self._fits(table)
        if fits is None:
            raise ValueError(f"{table.name} holds nothing of a person")
        wanted = select(*(table.c[name] for name in shown)).where(fits).order_by(*table.primary_key.columns)
        for values in self._snapshot.stream(wanted):
            yield self._without_others(values) if table is identity_changes else values

    @staticmethod
    def columns(table: Table) -> list[str]:
        """Name the columns of a table that are about a person."""
        return [column.name for column in table.columns if not _INTERNAL.fullmatch(column.name)]

    def readings(self) -> Iterator[Reading]:
        """Read which keys asked about the person, oldest first."""
        c = api_audit.c
        columns = (c.at, c.key_id, api_keys.c.name.label("key_name"), c.method, c.route, c.status)
        rows = api_audit.join(api_keys, api_keys.c.id == c.key_id)
        for values in self._snapshot.stream(
            select(*columns).select_from(rows).where(self._is_person(api_audit)).order_by(c.id)
        ):
            yield Reading(**values)

    def objects(self) -> Iterator[StoredObject]:
        """Say where the audio of the notes lies that storage holds now."""
        columns = [_r[name] for name in StoredObject.__dataclass_fields__ if name != "recording_id"]
        is_gone = select(removed_audio.c.recording_id).where(removed_audio.c.recording_id == _r.id).exists()
        wanted = select(_r.id.label("recording_id"), *columns).where(
            self._is_person(recordings), _r.state == RecordingState.LIVE, ~is_gone
        )
        for values in self._snapshot.stream(wanted.order_by(_r.id)):
            yield StoredObject(**values)

    def _fits(self, table: Table) -> ColumnElement[bool] | None:
        ids = select(_r.id).where(self._is_person(recordings))
        if "subject" in table.c and "tenant" in table.c:
            return self._is_person(table)
        if "recording_id" in table.c:
            return table.c.recording_id.in_(ids)
        if table is attempts:
            return attempts.c.job_id.in_(select(jobs.c.id).where(jobs.c.recording_id.in_(ids)))
        return None

    def _is_person(self, table: Table) -> ColumnElement[bool]:
        is_named = [table.c[name].in_(self.names) for name in ("subject", "alias") if name in table.c]
        return (table.c.tenant == self._tenant) & or_(*is_named)

    def _without_others(self, values: dict[str, Any]) -> dict[str, Any]:
        # A corrected note belonged to somebody else, who is none of this person's concern (Art. 15(4)).
        known = {"subject": (self.names, ANOTHER), "tenant": ((self._tenant,), _ANOTHER_TENANT)}.get(values["field"])
        if known is None:
            return values
        own, instead = known
        hidden = {name: instead for name in ("old_value", "new_value") if values[name] not in (None, *own)}
        return {**values, **hidden}
