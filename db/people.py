"""Lists people, and renames or merges them in every row at once; results stay as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Engine, String, exists, func, insert, literal, or_, select, update

from db import people_moves, upload_erasures
from db.aliases import present_name, redirect
from db.api_schema import api_audit
from db.columns import db_now
from db.engine import reading
from db.errors import NameConflict, RowNotFound
from db.fences import lock_registration
from db.reasons import ChangeCause, RecordingState
from db.request_schema import uploads
from db.rows import DEFAULT_TENANT
from db.schema import identity_changes, recordings, subject_aliases
from db.subject_keys import require_in, settle

_c = recordings.c
_LIST = "`tonalog subjects list` shows who there is"


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person of a tenant, as subjects are stored; days are local days, None where no time is known."""

    tenant: str
    subject: str
    n_notes: int
    first_day: date | None
    last_day: date | None


def list_people(engine: Engine, *, tenant: str | None = None) -> list[Person]:
    """List who speaks in live recordings, of one tenant or of all, by tenant and name."""
    columns = (_c.tenant, _c.subject, func.count().label("n_notes"))
    days = (func.min(_c.local_day).label("first_day"), func.max(_c.local_day).label("last_day"))
    chosen = [_c.subject.is_not(None), _c.state == RecordingState.LIVE]
    if tenant is not None:
        chosen.append(_c.tenant == tenant)
    statement = select(*columns, *days).where(*chosen).group_by(_c.tenant, _c.subject)
    with reading(engine) as connection:
        return [Person(**row._asdict()) for row in connection.execute(statement.order_by(_c.tenant, _c.subject))]


def find_present_name(engine: Engine, tenant: str, subject: str, *, subject_key: str | None = None) -> str:
    """Say what a person is called now who was asked for by a present or former name.

    Args:
        engine: the database.
        tenant: whose person.
        subject: the name as subjects are stored.
        subject_key: fingerprint of the key that subjects are stored under; None: they are plain text.

    Raises:
        SubjectKeyMismatch: subjects are stored under another key, so that nobody would be found.
    """
    with reading(engine) as connection:
        require_in(connection, subject_key)
        return present_name(connection, tenant, subject)


def find_known(engine: Engine, tenant: str, subject: str, *, subject_key: str | None = None) -> str | None:
    """Say what a person is called now, as `find_present_name` does; None where the tenant has no recordings of them.

    Raises:
        SubjectKeyMismatch: subjects are stored under another key, so that nobody would be found.
    """
    with reading(engine) as connection:
        require_in(connection, subject_key)
        person = present_name(connection, tenant, subject)
        return person if _is_known(connection, tenant, person) else None


def is_known(engine: Engine, tenant: str, subject: str) -> bool:
    """Say whether a tenant has recordings of somebody of this present name, or uploads that will be such."""
    with reading(engine) as connection:
        return _is_known(connection, tenant, subject)


def _is_known(connection: Connection, tenant: str, subject: str) -> bool:
    of_person = (_c.tenant == tenant, _c.subject == subject, _c.state != RecordingState.ERASED)
    of_uploads = upload_erasures.of_person(tenant, subject)
    is_there = or_(exists(select(_c.id).where(*of_person)), exists(select(uploads.c.id).where(of_uploads)))
    return bool(connection.scalar(select(is_there)))


def tenants_of(engine: Engine, subject: str) -> set[str]:
    """Say in which tenants there is somebody of this present or former name."""
    known_as = select(subject_aliases.c.tenant, subject_aliases.c.subject).where(subject_aliases.c.alias == subject)
    with reading(engine) as connection:
        people = {(row.tenant, row.subject) for row in connection.execute(known_as)}
        present = select(_c.tenant).where(_c.subject == subject, _c.state != RecordingState.ERASED).distinct()
        tenants = set(connection.scalars(present))
        return tenants | {tenant for tenant, name in people if _count(connection, tenant, name)}


def rename(
    engine: Engine,
    old: str,
    new: str,
    *,
    tenant: str = DEFAULT_TENANT,
    subject_key: str | None = None,
    is_dry_run: bool = False,
) -> int:
    """Give a person another name, in one transaction; what storage calls by the old one belongs to the new one too.

    Args:
        engine: the database.
        old: a present or former name, as subjects are stored.
        new: a name that nobody of the tenant has or had.
        tenant: whose person.
        subject_key: fingerprint of the key that subjects are stored under; None: they are plain text.
        is_dry_run: only count.

    Returns:
        How many recordings have (or would have) the new name.

    Raises:
        RowNotFound: there is nobody of the old name.
        NameConflict: the new name is somebody's already.
        SubjectKeyMismatch: subjects are stored under another key.
    """
    with engine.begin() as connection:
        lock_registration(connection)
        settle(connection, subject_key)
        person = _require(connection, tenant, old)
        if person == new:
            raise NameConflict("this person has that name already")
        if _count(connection, tenant, new):
            raise NameConflict("somebody has that name already: `tonalog subjects merge` makes one person of two")
        if present_name(connection, tenant, new) not in (new, person):
            raise NameConflict("that name was somebody else's before: choose another, or use `tonalog subjects merge`")
        if is_dry_run:
            return _count(connection, tenant, person)
        return _move(connection, tenant, person, new=new, cause=ChangeCause.RENAME)


def merge(
    engine: Engine,
    sources: Sequence[str],
    into: str,
    *,
    tenant: str = DEFAULT_TENANT,
    subject_key: str | None = None,
    is_dry_run: bool = False,
) -> int:
    """Make one person of several, in one transaction; there is no way back.

    Args:
        engine: the database.
        sources: people, by present or former names as subjects are stored.
        into: the person who is left, by a present or former name.
        tenant: whose people.
        subject_key: as for `rename`.
        is_dry_run: only count.

    Returns:
        How many recordings change (or would change) to the person who is left.

    Raises:
        RowNotFound: there is nobody of one of these names.
        NameConflict: one of the sources is the person who is left.
        SubjectKeyMismatch: subjects are stored under another key.
    """
    with engine.begin() as connection:
        lock_registration(connection)
        settle(connection, subject_key)
        left = _require(connection, tenant, into)
        people = list(dict.fromkeys(_require(connection, tenant, source) for source in sources))
        if left in people:
            raise NameConflict("nobody can be merged into the same person: leave that name out")
        if is_dry_run:
            return sum(_count(connection, tenant, person) for person in people)
        return sum(_move(connection, tenant, person, new=left, cause=ChangeCause.MERGE) for person in people)


def _require(connection: Connection, tenant: str, asked: str) -> str:
    person = present_name(connection, tenant, asked)
    if not _count(connection, tenant, person):
        raise RowNotFound(f"there is nobody of one of the given names in tenant {tenant!r}: {_LIST}")
    return person


def _count(connection: Connection, tenant: str, subject: str) -> int:
    of_person = (_c.tenant == tenant, _c.subject == subject, _c.state != RecordingState.ERASED)
    return connection.scalar(select(func.count()).where(*of_person)) or 0


def _move(connection: Connection, tenant: str, old: str, *, new: str, cause: ChangeCause) -> int:
    of_person = (_c.tenant == tenant, _c.subject == old)
    texts = [literal(text, String) for text in (cause.value, "subject", old, new)]
    audit = select(_c.id, db_now(), *texts).where(*of_person)
    names = ["recording_id", "changed_at", "cause", "field", "old_value", "new_value"]
    connection.execute(insert(identity_changes).from_select(names, audit))
    redirect(connection, tenant, old, new=new)
    is_rename = cause is ChangeCause.RENAME
    if is_rename:
        since = people_moves.before_rename(connection, tenant, old, new=new)
    else:
        people_moves.before_merge(connection, tenant, old)
    of_audit = (api_audit.c.tenant == tenant, api_audit.c.subject == old)
    connection.execute(update(api_audit).where(*of_audit).values(subject=new))
    n_moved = connection.execute(update(recordings).where(*of_person).values(subject=new)).rowcount
    if is_rename:
        people_moves.after_rename(connection, tenant, old, new=new, since=since)
    else:
        people_moves.after_merge(connection, tenant, old)
    return n_moved
