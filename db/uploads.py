"""Keeps the uploads of the HTTP API: who asked, where the bytes go, and which recording has become of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, delete, func, insert, select, update

from db.columns import db_now
from db.engine import reading
from db.errors import DatabaseError
from db.reasons import RecordingState, UploadState
from db.request_schema import uploads
from db.schema import recordings

_c = uploads.c
EXPIRE_BATCH = 10_000
# Names of uploads that nobody completed are kept until a nightly scan has found what was sent all the same.
KEEP_OPEN = timedelta(days=2)
KEEP_ENDED = timedelta(days=30)


class TooManyOpen(DatabaseError):
    """A key has as many uploads open as it may; `wait_s` until the first of them ends."""

    def __init__(self, n_open: int, wait_s: float) -> None:
        super().__init__(f"{n_open} uploads wait for their bytes")
        self.n_open = n_open
        self.wait_s = wait_s


@dataclass(frozen=True, kw_only=True)
class NewUpload:
    """An upload that a key asks for; `subject` as subjects are stored."""

    id: str
    tenant: str
    key_id: int
    subject: str
    store: str
    bucket: str
    key: str
    binding: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An upload; `is_over` says that its URL takes no bytes any more, by the database's clock."""

    id: str
    tenant: str
    store: str
    bucket: str
    key: str
    size_bytes: int | None
    sha256: str | None
    binding: str
    state: UploadState
    reason: str | None
    created_at: datetime
    expires_at: datetime
    received_at: datetime | None
    recording_id: int | None
    is_over: bool


def create(engine: Engine, new: NewUpload, *, lifetime: timedelta, max_open: int) -> Upload:
    """Write an upload down before its URL is handed out.

    Args:
        engine: the database.
        new: the upload.
        lifetime: how long bytes are awaited.
        max_open: how many uploads of this key may wait for bytes.

    Raises:
        TooManyOpen: so many do.
    """
    with engine.begin() as connection:
        now: datetime = connection.execute(select(db_now())).scalar_one()
        waiting = and_(_c.key_id == new.key_id, _c.state == UploadState.OPEN, _c.expires_at > now)
        n_open, first = connection.execute(select(func.count(), func.min(_c.expires_at)).where(waiting)).one()
        if n_open >= max_open:
            raise TooManyOpen(n_open, (first - now).total_seconds())
        values = {name: getattr(new, name) for name in NewUpload.__dataclass_fields__}
        values |= {"state": UploadState.OPEN, "created_at": now, "expires_at": now + lifetime}
        connection.execute(insert(uploads).values(values))
        return _require(connection, new.id)


def find(engine: Engine, tenant: str, upload_id: str) -> Upload | None:
    """Read an upload of a tenant; None where there is none, or its person was erased."""
    with reading(engine) as connection:
        return _find(connection, _read().where(_of(tenant, upload_id)))


def receive(
    engine: Engine, tenant: str, upload_id: str, *, store_it: Callable[[], None] = lambda: None
) -> Upload | None:
    """Note that the bytes are there; again changes nothing.

    Args:
        engine: the database.
        tenant: whose upload.
        upload_id: which.
        store_it: puts the bytes in their place, quickly. It is called inside the transaction and only where bytes are
            awaited, so that an erasure of the person comes wholly before (and nothing is put) or wholly after.

    Returns:
        The upload as it is then; None where there is none, or its person was erased.
    """
    with engine.begin() as connection:
        found = _find(connection, _read().where(_of(tenant, upload_id)).with_for_update(of=uploads))
        if found is None or found.state is not UploadState.OPEN:
            return found
        store_it()
        noted = update(uploads).where(_c.id == upload_id)
        connection.execute(noted.values(state=UploadState.RECEIVED, received_at=db_now()))
        return _require(connection, upload_id)


def list_received(engine: Engine, *, limit: int) -> list[Upload]:
    """Read the uploads whose bytes are there and that no recording has been made of, oldest first."""
    wanted = _read().where(_c.state == UploadState.RECEIVED).order_by(_c.received_at).limit(limit)
    with reading(engine) as connection:
        return [_as_upload(row._asdict()) for row in connection.execute(wanted)]


def fail(engine: Engine, upload_id: str, reason: str) -> None:
    """End an upload whose bytes are not there any more."""
    ended = update(uploads).where(_c.id == upload_id, _c.state == UploadState.RECEIVED)
    with engine.begin() as connection:
        connection.execute(ended.values(state=UploadState.FAILED, reason=reason, subject=None))


def expire(engine: Engine) -> int:
    """End what nobody completed, and delete what ended 30 days ago; gives how many rows were deleted.

    Of an upload that a scan found by itself the recording is noted.
    """
    with engine.begin() as connection:
        now: datetime = connection.execute(select(db_now())).scalar_one()
        is_open = _c.state == UploadState.OPEN
        found = update(uploads).where(is_open, _c.expires_at < now, _recording_of().is_not(None))
        values = {"state": UploadState.REGISTERED, "recording_id": _recording_of(), "subject": None}
        connection.execute(found.values(values))
        left = update(uploads).where(is_open, _c.expires_at < now - KEEP_OPEN)
        connection.execute(left.values(state=UploadState.EXPIRED, subject=None))
        is_ended = _c.state.in_(set(UploadState) - {UploadState.OPEN, UploadState.RECEIVED})
        old = select(_c.id).where(is_ended, _c.expires_at < now - KEEP_ENDED).limit(EXPIRE_BATCH)
        return connection.execute(delete(uploads).where(_c.id.in_(old))).rowcount


def _recording_of() -> Any:
    r = recordings.c
    is_here = and_(r.store == _c.store, r.bucket == _c.bucket, r.key == _c.key, r.state == RecordingState.LIVE)
    return select(r.id).where(is_here).correlate(uploads).scalar_subquery()


def _of(tenant: str, upload_id: str) -> Any:
    return and_(_c.tenant == tenant, _c.id == upload_id, _c.state != UploadState.ERASED)


def _read() -> Select[Any]:
    names = [name for name in Upload.__dataclass_fields__ if name not in {"is_over", "recording_id"}]
    columns = [_c[name] for name in names]
    return select(*columns, _c.recording_id, (_c.expires_at <= db_now()).label("is_over"))


def _find(connection: Connection, wanted: Select[Any]) -> Upload | None:
    row = connection.execute(wanted).one_or_none()
    return None if row is None else _as_upload(row._asdict())


def _require(connection: Connection, upload_id: str) -> Upload:
    return _as_upload(connection.execute(_read().where(_c.id == upload_id)).one()._asdict())


def _as_upload(values: dict[str, Any]) -> Upload:
    return Upload(**{**values, "state": UploadState(values["state"]), "is_over": bool(values["is_over"])})
