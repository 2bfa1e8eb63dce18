"""Mail to the operator, until it has been sent: written in the transaction of what it tells, and sent by a lease."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from db.columns import db_now, db_now_s
from db.pulse_schema import mails

# The last attempt comes about a day after the first one.
RETRY_DELAYS_S = (60.0, 300.0, 1_800.0, 7_200.0, 21_600.0, 57_600.0)
_m = mails.c


@dataclass(frozen=True, kw_only=True)
class NewMail:
    """What to tell the operator; no names of people and objects."""

    headline: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Mail(NewMail):
    """A mail that this process may send now; `token` is the same at every attempt."""

    id: int
    token: str
    created_at: datetime
    n_attempts: int


def add(connection: Connection, mail: NewMail) -> None:
    """Write a mail, in the caller's transaction."""
    values = {"token": secrets.token_hex(16), "headline": mail.headline, "body": mail.body, "created_at": db_now()}
    connection.execute(insert(mails).values(**values, n_attempts=0, next_at_s=db_now_s()))


def take(engine: Engine, *, lease_s: float) -> Mail | None:
    """Take the oldest mail that is due; nobody else takes it for `lease_s`. None where none is."""
    is_due = (_m.sent_at.is_(None), _m.n_attempts <= len(RETRY_DELAYS_S), _m.next_at_s <= db_now_s())
    oldest = select(_m.id).where(*is_due).order_by(_m.id).limit(1).scalar_subquery()
    columns = [_m[name] for name in Mail.__dataclass_fields__]
    taken = update(mails).where(_m.id == oldest, *is_due).values(next_at_s=db_now_s() + lease_s)
    with engine.begin() as connection:
        row = connection.execute(taken.returning(*columns)).one_or_none()
    return None if row is None else Mail(**row._asdict())


def end(engine: Engine, mail: Mail, *, error: str | None = None) -> bool:
    """Write what came of an attempt; says whether the mail is to be tried again later."""
    n = mail.n_attempts + 1
    values: dict[str, Any] = {"n_attempts": n, "error": error, "sent_at": db_now() if error is None else None}
    is_left = error is not None and n <= len(RETRY_DELAYS_S)
    if is_left:
        values["next_at_s"] = db_now_s() + RETRY_DELAYS_S[n - 1]
    with engine.begin() as connection:
        connection.execute(update(mails).where(_m.id == mail.id).values(values))
    return is_left


def expire(engine: Engine, *, keep: timedelta) -> int:
    """Delete mails that were written longer ago than `keep`, sent or not; gives how many."""
    with engine.begin() as connection:
        now: datetime = connection.execute(select(db_now())).scalar_one()
        return connection.execute(delete(mails).where(_m.created_at < now - keep)).rowcount
