"""Compares what was read of recordings with what is stored, corrects it, and writes down what was changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, and_, bindparam, delete, exists, insert, or_, select, update

from db.aliases import former_names
from db.api_schema import api_audit
from db.columns import db_now
from db.engine import reading
from db.people_moves import forget_kept
from db.reasons import ChangeCause, RecordingState
from db.rows import NewRecording
from db.schema import identity_changes, recordings, subject_aliases
from db.upload_erasures import forget_answers

IDENTITY = (
    "tenant",
    "tenant_source",
    "subject",
    "subject_source",
    "recorded_at",
    "recorded_at_precision",
    "recorded_at_source",
    "utc_offset_min",
    "recorded_at_zone",
    "local_day",
)
_Version = tuple[str, str, str, str]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value that was corrected, as text; `subject` as names are stored."""

    changed_at: datetime
    cause: ChangeCause
    field: str
    old_value: str | None
    new_value: str | None


def changes_of(engine: Engine, recording_id: int) -> list[Change]:
    """Read what was corrected of one recording, first change first."""
    c = identity_changes.c
    wanted = select(*(c[name] for name in Change.__dataclass_fields__)).where(c.recording_id == recording_id)
    with reading(engine) as connection:
        rows = [row._asdict() for row in connection.execute(wanted.order_by(c.id))]
    return [Change(**{**row, "cause": ChangeCause(row["cause"])}) for row in rows]


def apply(connection: Connection, batch: Sequence[NewRecording], *, cause: ChangeCause) -> int:
    """Correct registered versions inside a transaction; gives how many differ in person, tenant or time."""
    read = {(new.store, new.bucket, new.key, new.version_tag): new for new in batch}
    changes: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    n_changed = 0
    for version, row in _stored(connection, read).items():
        new = read[version]
        differing = [name for name in IDENTITY if row[name] != getattr(new, name)]
        n_changed += bool(differing)
        changes += [
            {
                "recording_id": row["id"],
                "cause": cause,
                "field": name,
                "old_value": as_text(row[name]),
                "new_value": as_text(getattr(new, name)),
            }
            for name in differing
        ]
        values = {name: getattr(new, name) for name in (*IDENTITY, "identity_tag", "uploaded_at")}
        if any(row[name] != value for name, value in values.items()):
            rows.append({"row_id": row["id"], **values})
    if rows:
        connection.execute(update(recordings).where(recordings.c.id == bindparam("row_id")), rows)
    if changes:
        connection.execute(insert(identity_changes).values(changed_at=db_now()), changes)
    return n_changed


def forget_person(connection: Connection, tenant: str, subject: str) -> None:
    """Delete all that is kept of somebody without recordings, former names, and what the audits of other recordings hold."""
    of_person = and_(recordings.c.tenant == tenant, recordings.c.subject == subject)
    if connection.scalar(select(exists().where(of_person, recordings.c.state != RecordingState.ERASED))):
        return
    names = [subject, *former_names(connection, tenant, subject)]
    forget_kept(connection, tenant, names)
    a, c = subject_aliases.c, identity_changes.c
    forget_answers(connection, tenant, subject)
    connection.execute(delete(subject_aliases).where(a.tenant == tenant, a.subject == subject))
    of_audit = and_(api_audit.c.tenant == tenant, api_audit.c.subject.in_(names))
    connection.execute(update(api_audit).where(of_audit).values(subject=None))
    of_tenant = select(recordings.c.id).where(recordings.c.tenant == tenant)
    was_there = select(c.recording_id).where(c.field == "tenant", c.old_value == tenant)
    connection.execute(
        delete(identity_changes).where(
            c.field == "subject",
            or_(c.old_value.in_(names), c.new_value.in_(names)),
            or_(c.recording_id.in_(of_tenant), c.recording_id.in_(was_there)),
        )
    )


def as_text(value: datetime | date | str | int | None) -> str | None:
    """Write a value of `IDENTITY` as the audit holds it.

    >>> as_text(date(2026, 3, 1)), as_text(-60), as_text(None)
    ('2026-03-01', '-60', None)
    """
    if value is None:
        return None
    return value.isoformat() if isinstance(value, date) else str(value)


def _stored(connection: Connection, read: dict[_Version, NewRecording]) -> dict[_Version, dict[str, Any]]:
    by_bucket: dict[tuple[str, str], list[str]] = {}
    for store, bucket, key, _ in read:
        by_bucket.setdefault((store, bucket), []).append(key)
    c = recordings.c
    columns = [c[name] for name in ("id", "key", "version_tag", *IDENTITY, "identity_tag", "uploaded_at")]
    stored: dict[_Version, dict[str, Any]] = {}
    for (store, bucket), keys in by_bucket.items():
        wanted = select(*columns).where(
            c.store == store, c.bucket == bucket, c.key.in_(keys), c.state != RecordingState.ERASED
        )
        for row in connection.execute(wanted):
            version = (store, bucket, row.key, row.version_tag)
            if version in read:
                stored[version] = row._asdict()
    return stored
