"""Column types and clock expressions that mean the same on SQLite and PostgreSQL; it never asks Python for the time."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Double,
    Integer,
    ScalarSelect,
    String,
    any_,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

Id = BigInteger().with_variant(Integer, "sqlite")
# A missing document is SQL NULL, never the JSON word null.
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: `timestamptz` on PostgreSQL, `YYYY-MM-DD HH:MM:SS.ffffff` text on SQLite.

    Takes and gives aware datetimes only.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC on the way in.

        Raises:
            ValueError: the datetime has no time zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; an aware datetime is needed")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back an aware datetime in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def is_among(column: ColumnElement[str], texts: Sequence[str], dialect: Dialect) -> ColumnElement[bool]:
    """Say that a column holds one of many texts: one parameter on PostgreSQL, whose driver reads a long list slowly."""
    if dialect.name == "postgresql":
        return column == any_(literal(list(texts), ARRAY(String)))
    return column.in_(texts)


def unnest_rows(columns: Sequence[Column[Any]], rows: Sequence[Mapping[str, Any]]) -> list[ColumnElement[Any]]:
    """Give the columns of a table of these rows, one array a column; PostgreSQL alone reads it.

    Args:
        columns: which, with their types.
        rows: by name of column.
    """
    arrays = [literal([row[column.name] for row in rows], ARRAY(column.type)) for column in columns]
    names = [column.name for column in columns]
    table = func.unnest(*arrays).table_valued(*names, name="given").render_derived()
    return [table.c[name] for name in names]


class db_now(FunctionElement[datetime]):  # noqa: N801  (reads as the SQL function that it is)
    """The database's clock as a moment, taken when the statement runs."""

    type = UtcDateTime()
    inherit_cache = True


class db_now_s(FunctionElement[float]):  # noqa: N801  (reads as the SQL function that it is)
    """The database's clock in seconds since 1970, taken when the statement runs.

    Leases and due times are compared with this and never with a worker's clock, which may be hours off.
    """

    type = Double()
    inherit_cache = True


def once_s() -> ScalarSelect[float]:
    """The database's clock in seconds since 1970, read once for a whole statement.

    A condition on a column can then go by an index; PostgreSQL reads `db_now_s` anew for each row, so that it can not.
    """
    return select(db_now_s()).scalar_subquery()


@compiles(db_now, "sqlite")
def _db_now_sqlite(_element: db_now, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@compiles(db_now, "postgresql")
def _db_now_postgresql(_element: db_now, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "clock_timestamp()"


@compiles(db_now_s, "sqlite")
def _db_now_s_sqlite(_element: db_now_s, _compiler: SQLCompiler, **_kw: Any) -> str:
    # unixepoch('subsec') needs SQLite 3.42; Debian 12 has 3.40.
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(db_now_s, "postgresql")
def _db_now_s_postgresql(_element: db_now_s, _compiler: SQLCompiler, **_kw: Any) -> str:
    return "CAST(extract(epoch from clock_timestamp()) AS DOUBLE PRECISION)"
