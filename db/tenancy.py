"""Tells PostgreSQL for whom the statements of this context are, so that its row-level security can hold them to that.

The policies are in deploy/postgres/roles.sql and bind the role of the HTTP API: what a statement forgets to ask for, they do
not show. Every statement names its tenant all the same. Other roles, and SQLite, have no such policies.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import Connection, text

_ANNOUNCE = text(
    "SELECT pg_catalog.set_config('tonalog.tenant', :tenant, true), "
    "pg_catalog.set_config('tonalog.every_tenant', :every, true)"
)


class _Asker:
    """Who asks; one object for all threads that work on a request, since each has a copy of its context."""

    tenant: str | None = None


_asker: ContextVar[_Asker | None] = ContextVar("tonalog_asker", default=None)
_is_for_every: ContextVar[bool] = ContextVar("tonalog_every_tenant", default=False)


@contextmanager
def asking(tenant: str | None = None) -> Iterator[None]:
    """Work for one tenant until the end of the block.

    Args:
        tenant: for whom; None: for nobody until `ask_for` names one.
    """
    asker = _Asker()
    asker.tenant = tenant
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)


def ask_for(tenant: str) -> None:
    """Name the tenant of the block of `asking` that this is in; nothing outside of one."""
    asker = _asker.get()
    if asker is not None:
        asker.tenant = tenant


@contextmanager
def every_tenant() -> Iterator[None]:
    """Work for every tenant until the end of the block: what finds a key, finishes erasures or numbers the feed."""
    token = _is_for_every.set(True)
    try:
        yield
    finally:
        _is_for_every.reset(token)


@contextmanager
def every_tenant_in(connection: Connection) -> Iterator[None]:
    """Work for every tenant until the end of the block, in a transaction that goes on for one."""
    if connection.dialect.name == "sqlite":
        yield
        return
    with every_tenant():
        _tell(connection)
    yield
    _tell(connection)


def announce(connection: Connection) -> None:
    """Tell PostgreSQL at the beginning of a transaction, for as long as it lasts; nothing where nobody has said for whom."""
    if _asker.get() is not None or _is_for_every.get():
        _tell(connection)


def _tell(connection: Connection) -> None:
    asker = _asker.get()
    tenant = "" if asker is None or asker.tenant is None else asker.tenant
    connection.execute(_ANNOUNCE, {"tenant": tenant, "every": "on" if _is_for_every.get() else "off"})
