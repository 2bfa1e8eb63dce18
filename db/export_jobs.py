"""Keeps exports that keys of the HTTP API asked for: who may have them, how far they are, and until when."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from db.columns import db_now
from db.engine import reading
from db.errors import TooManyExports
from db.export_schema import exports
from db.reasons import ExportState

MAX_KEPT = 20  # of a tenant at once, so that nobody fills the disk
_c = exports.c


@dataclass(frozen=True, kw_only=True)
class NewExport:
    """What a key asks for; `subject` as subjects are stored, `model` as VERSION or NAME-VERSION."""

    tenant: str
    key_id: int
    format: str
    subject: str | None = None
    since: date | None = None
    until: date | None = None
    model: str | None = None


@dataclass(frozen=True, kw_only=True)
class ExportJob(NewExport):
    """An export that was asked for, and how far it is; `file_token` is of the attempt whose file counts."""

    id: int
    state: ExportState
    reason: str | None
    file_token: str | None
    n_rows: int | None
    size_bytes: int | None
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime


def add(engine: Engine, new: NewExport, *, keep: timedelta) -> ExportJob:
    """Ask for an export, which is kept for so long.

    Raises:
        TooManyExports: the tenant has `MAX_KEPT` already.
    """
    with engine.begin() as connection:
        if (connection.scalar(select(func.count()).where(_c.tenant == new.tenant)) or 0) >= MAX_KEPT:
            raise TooManyExports(f"{MAX_KEPT} exports are kept at once: delete one, or wait until one expires")
        now = connection.execute(select(db_now())).scalar_one()
        values = {**vars(new), "state": ExportState.WAITING, "requested_at": now, "expires_at": now + keep}
        row = connection.execute(insert(exports).values(values).returning(*_c)).one()
    return _as_job(row._asdict())


def get(engine: Engine, tenant: str, export_id: int) -> ExportJob | None:
    """Read an export of a tenant that has not expired; None where there is none of this id."""
    wanted = select(exports).where(_c.tenant == tenant, _c.id == export_id, _c.expires_at > db_now())
    with reading(engine) as connection:
        row = connection.execute(wanted).one_or_none()
    return None if row is None else _as_job(row._asdict())


def list_of_tenant(engine: Engine, tenant: str, *, before_id: int | None = None, limit: int) -> list[ExportJob]:
    """Read the exports of a tenant that have not expired, newest first, from the one before `before_id` on."""
    chosen = [_c.tenant == tenant, _c.expires_at > db_now()]
    if before_id is not None:
        chosen.append(_c.id < before_id)
    with reading(engine) as connection:
        rows = connection.execute(select(exports).where(*chosen).order_by(_c.id.desc()).limit(limit))
        return [_as_job(row._asdict()) for row in rows]


def claim(engine: Engine) -> ExportJob | None:
    """Take the oldest export that waits; None where none does. Whoever claims it again takes it away from this attempt."""
    oldest = select(func.min(_c.id)).where(_c.state == ExportState.WAITING).scalar_subquery()
    begun = {"state": ExportState.RUNNING, "file_token": secrets.token_hex(8)}
    with engine.begin() as connection:
        taken = update(exports).where(_c.id == oldest, _c.state == ExportState.WAITING).values(begun)
        row = connection.execute(taken.returning(*_c)).one_or_none()
    return None if row is None else _as_job(row._asdict())


def finish(engine: Engine, job: ExportJob, *, n_rows: int, size_bytes: int) -> bool:
    """Note that the file of an attempt is whole; False where it does not count any more: erased, deleted or taken away."""
    return _end(engine, job, ExportState.READY, n_rows=n_rows, size_bytes=size_bytes)


def fail(engine: Engine, job: ExportJob, *, reason: str) -> bool:
    """Note why an attempt came to nothing; False where it does not count any more."""
    return _end(engine, job, ExportState.FAILED, reason=reason)


def put_back(engine: Engine, *, but: Collection[str] = ()) -> int:
    """Let exports wait again whose process has ended, but for the attempts of these tokens; gives how many."""
    lost = update(exports).where(_c.state == ExportState.RUNNING, _c.file_token.not_in(list(but)))
    with engine.begin() as connection:
        return connection.execute(lost.values(state=ExportState.WAITING, file_token=None)).rowcount


def remove(engine: Engine, tenant: str, export_id: int) -> bool:
    """Delete an export of a tenant; False where there is none of this id."""
    with engine.begin() as connection:
        gone = delete(exports).where(_c.tenant == tenant, _c.id == export_id)
        return connection.execute(gone).rowcount == 1


def expire(engine: Engine) -> int:
    """Delete the exports whose time is over; gives how many."""
    with engine.begin() as connection:
        return connection.execute(delete(exports).where(_c.expires_at <= db_now())).rowcount


def file_tokens(engine: Engine) -> set[str]:
    """Read the tokens of all files that count, of every tenant."""
    with reading(engine) as connection:
        return set(connection.scalars(select(_c.file_token).where(_c.file_token.is_not(None))))


def forget_of_tenants(connection: Connection, tenants: Collection[str]) -> None:
    """Delete every export of these tenants inside the transaction of an erasure: any of them may hold who is erased."""
    connection.execute(delete(exports).where(_c.tenant.in_(list(tenants))))


def _end(engine: Engine, job: ExportJob, state: ExportState, **values: str | int) -> bool:
    of_attempt = (_c.id == job.id, _c.state == ExportState.RUNNING, _c.file_token == job.file_token)
    ended = update(exports).where(*of_attempt).values(state=state, finished_at=db_now(), **values)
    with engine.begin() as connection:
        return connection.execute(ended).rowcount == 1


def _as_job(values: dict[str, object]) -> ExportJob:
    return ExportJob(**{**values, "state": ExportState(str(values["state"]))})  # type: ignore[arg-type]  # a whole row
