"""Alerts: a row from the beginning of a trouble to its end, told once each by webhook and mail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from db import mails, outbox
from db.columns import db_now
from db.engine import reading
from db.mails import NewMail
from db.pulse_schema import alerts
from db.reasons import EventKind, TroubleKind

_a = alerts.c


@dataclass(frozen=True, kw_only=True)
class NewAlert:
    """A trouble to alert of; `text` names no people, objects and places."""

    kind: TroubleKind
    about: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Alert(NewAlert):
    """A trouble since it began; `closed_at` is None until it is over."""

    id: int
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class AlertChange:
    """What began and what ended with one look."""

    opened: tuple[Alert, ...]
    closed: tuple[Alert, ...]


def change(
    engine: Engine,
    found: Sequence[NewAlert],
    *,
    tenant: str,
    compose: Callable[[AlertChange], NewMail | None],
) -> AlertChange:
    """Open an alert for each new trouble, close those that are over, and tell of both, in one transaction.

    Whatever number of schedulers do this at once, one of them opens or closes an alert and tells of it.

    Args:
        engine: the database.
        found: all that is wrong now, at most one of a kind about the same.
        tenant: whose webhook endpoints are told.
        compose: writes the mail of a change; gives None where no mail is sent.
    """
    with engine.begin() as connection:
        before = {(alert.kind, alert.about): alert for alert in _read_open(connection)}
        now_wrong = {(trouble.kind, trouble.about): trouble for trouble in found}
        opened = [_open(connection, trouble) for key, trouble in now_wrong.items() if key not in before]
        closed = [_close(connection, alert) for key, alert in before.items() if key not in now_wrong]
        changed = AlertChange(opened=_without_none(opened), closed=_without_none(closed))
        for kind, told in ((EventKind.ALERT_OPENED, changed.opened), (EventKind.ALERT_CLOSED, changed.closed)):
            for alert in told:
                outbox.add(connection, tenant, kind, data=_payload(alert))
        if changed.opened or changed.closed:
            mail = compose(changed)
            if mail is not None:
                mails.add(connection, mail)
    return changed


def list_open(engine: Engine) -> list[Alert]:
    """Read the alerts of what is wrong, oldest first."""
    with reading(engine) as connection:
        return _read_open(connection)


def expire(engine: Engine, *, keep: timedelta) -> int:
    """Delete alerts that ended longer ago than `keep`; gives how many."""
    with engine.begin() as connection:
        now: datetime = connection.execute(select(db_now())).scalar_one()
        return connection.execute(delete(alerts).where(_a.closed_at < now - keep)).rowcount


def _read_open(connection: Connection) -> list[Alert]:
    rows = connection.execute(select(alerts).where(_a.closed_at.is_(None)).order_by(_a.id)).all()
    return [_as_alert(row._asdict()) for row in rows]


def _open(connection: Connection, trouble: NewAlert) -> Alert | None:
    insert = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
    made = insert(alerts).values(kind=trouble.kind, about=trouble.about, text=trouble.text, opened_at=db_now())
    # Another scheduler may have opened it since our look: then it tells of it.
    made = made.on_conflict_do_nothing(index_elements=["kind", "about"], index_where=_a.closed_at.is_(None))
    row = connection.execute(made.returning(*_a)).one_or_none()
    return None if row is None else _as_alert(row._asdict())


def _close(connection: Connection, alert: Alert) -> Alert | None:
    mine = update(alerts).where(_a.id == alert.id, _a.closed_at.is_(None)).values(closed_at=db_now())
    row = connection.execute(mine.returning(*_a)).one_or_none()
    return None if row is None else _as_alert(row._asdict())


def _without_none(found: Sequence[Alert | None]) -> tuple[Alert, ...]:
    return tuple(alert for alert in found if alert is not None)


def _payload(alert: Alert) -> dict[str, Any]:
    moments = {"opened_at": alert.opened_at, "closed_at": alert.closed_at}
    told = {name: at.isoformat().replace("+00:00", "Z") for name, at in moments.items() if at is not None}
    return {"alert_id": alert.id, "kind": alert.kind.value, "about": alert.about or None, **told}


def _as_alert(values: dict[str, Any]) -> Alert:
    return Alert(**{**values, "kind": TroubleKind(values["kind"])})
