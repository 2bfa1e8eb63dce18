"""The four combinations of queue and database that the chaos runs hurt; never touches a server it did not start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import PostgresServer, RedisServer


@dataclass(frozen=True)
class Backend:
    """Which servers a run uses; none at all is the file queue and SQLite."""

    name: str
    has_redis: bool = False
    is_persistent: bool = False
    has_postgres: bool = False


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("files-sqlite"),
        Backend("redis-aof-postgres", has_redis=True, is_persistent=True, has_postgres=True),
        Backend("redis-postgres", has_redis=True, has_postgres=True),
        Backend("redis-sqlite", has_redis=True),
    )
}


@dataclass
class Stack:
    """The running servers of one backend and the variables that point Tonalog to them."""

    backend: Backend
    redis: RedisServer | None
    postgres: PostgresServer | None
    variables: dict[str, str]


@contextmanager
def running(backend: Backend, folder: Path) -> Iterator[Stack]:
    """Start a backend's servers, and remove them with their data at the end.

    Raises:
        MissingServerError: a server is not installed.
    """
    with ExitStack() as servers:
        redis = postgres = None
        variables = {"TONALOG_DATABASE_URL": f"sqlite:///{folder / 'tonalog.db'}"}
        if backend.has_redis:
            redis = RedisServer(is_persistent=backend.is_persistent)
            servers.callback(redis.close)
            redis.start()
            variables["TONALOG_BROKER_URL"] = redis.url
        if backend.has_postgres:
            postgres = PostgresServer()
            servers.callback(postgres.close)
            postgres.start()
            variables["TONALOG_DATABASE_URL"] = postgres.url
        yield Stack(backend, redis, postgres, variables)
