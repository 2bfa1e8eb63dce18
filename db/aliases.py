"""Former names of people who were renamed or merged: what storage calls them goes on meaning the same person."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, insert, select, update

from db.columns import is_among
from db.errors import DatabaseError
from db.rows import NewRecording
from db.schema import subject_aliases

Person = tuple[str, str]  # tenant, subject
_c = subject_aliases.c
_MAX_STEPS = 50  # `redirect` lets every name lead to the present one at once; rows made by hand may not


def present_names(connection: Connection, people: Collection[Person]) -> dict[Person, str]:
    """Say what each of these people is called now; who was never renamed keeps the name.

    Raises:
        DatabaseError: the aliases lead in a circle, which no command of ours makes.
    """
    names = {person: person[1] for person in people}
    renamed = names
    for _ in range(_MAX_STEPS):
        found = _look_up(connection, {(tenant, name) for (tenant, _), name in renamed.items()})
        renamed = {person: found[person[0], name] for person, name in renamed.items() if (person[0], name) in found}
        if not renamed:
            return names
        names |= renamed
    raise DatabaseError("the names in subject_aliases lead in a circle: delete one of those rows")


def present_name(connection: Connection, tenant: str, subject: str) -> str:
    """Say what one person is called now (see `present_names`)."""
    return present_names(connection, [(tenant, subject)])[tenant, subject]


def former_names(connection: Connection, tenant: str, subject: str) -> list[str]:
    """Read the names that mean this person too."""
    return list(connection.scalars(select(_c.alias).where(_c.tenant == tenant, _c.subject == subject)))


def under_present_names(connection: Connection, batch: Sequence[NewRecording]) -> list[NewRecording]:
    """Give recordings the present names of their people."""
    people = {(new.tenant, new.subject) for new in batch if new.subject is not None}
    names = present_names(connection, people)
    renamed = {person: name for person, name in names.items() if name != person[1]}
    if not renamed:
        return list(batch)
    return [
        replace(new, subject=renamed[new.tenant, new.subject])
        if new.subject is not None and (new.tenant, new.subject) in renamed
        else new
        for new in batch
    ]


def redirect(connection: Connection, tenant: str, old: str, *, new: str) -> None:
    """Let a name, and whatever meant it, mean another person from now on; no name ever leads to a second one."""
    of_tenant = _c.tenant == tenant
    connection.execute(delete(subject_aliases).where(of_tenant, _c.alias == new))
    connection.execute(update(subject_aliases).where(of_tenant, _c.subject == old).values(subject=new))
    connection.execute(insert(subject_aliases).values(tenant=tenant, alias=old, subject=new))


def _look_up(connection: Connection, people: set[Person]) -> dict[Person, str]:
    by_tenant: dict[str, list[str]] = {}
    for tenant, name in people:
        by_tenant.setdefault(tenant, []).append(name)
    found: dict[Person, str] = {}
    for tenant, names in by_tenant.items():
        wanted = select(_c.alias, _c.subject).where(_c.tenant == tenant, is_among(_c.alias, names, connection.dialect))
        found |= {(tenant, row.alias): row.subject for row in connection.execute(wanted)}
    return found
