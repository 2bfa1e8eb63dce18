"""Which revisions of the schema this release knows, and which one a database is at; needs no alembic, which is slow to load."""

import re
from functools import cache
from importlib.resources import files

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

_FILE = re.compile(r"r(\d{4})_\w+\.py")
_version = Table("alembic_version", MetaData(), Column("version_num", String))  # alembic's own table


@cache
def list_revisions() -> tuple[str, ...]:
    """List the revisions of this release, the oldest first: the numbers in the names of the migrations' files.

    >>> list_revisions()[:2]
    ('0001', '0002')
    """
    names = (file.name for file in files("db").joinpath("migrations", "versions").iterdir())
    return tuple(sorted(match[1] for match in map(_FILE.fullmatch, names) if match))


def head() -> str:
    """Give the newest revision of this release."""
    return list_revisions()[-1]


def read_revision(connection: Connection) -> str | None:
    """Read the revision that a database is at; None for a database without our tables."""
    if not inspect(connection).has_table(_version.name):
        return None
    revision: str | None = connection.scalar(select(_version.c.version_num))
    return revision
