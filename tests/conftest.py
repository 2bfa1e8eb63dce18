"""Fixtures that give tests real servers; never starts one that no test asked for."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

sys.path.insert(
    0, str(Path(__file__).parent)
)  # `tests` is no package: this makes `servers` importable everywhere

from servers import MissingServerError, PostgresServer, RedisServer, S3Access, S3Server, Server

REQUIRE_VARIABLE = "TONALOG_REQUIRE_SERVERS"
AnyServer = TypeVar("AnyServer", bound=Server)


def pytest_configure() -> None:
    """Keep loopback traffic, ours and that of child processes, away from any proxy of the machine."""
    for name in ("NO_PROXY", "no_proxy"):
        names = [part for part in os.environ.get(name, "").split(",") if part]
        os.environ[name] = ",".join(
            [*names, *(host for host in ("127.0.0.1", "localhost") if host not in names)]
        )


def run_server(make: Callable[[], AnyServer]) -> Iterator[AnyServer]:
    """Start a server, give it to the test, and remove it with its data; skip (or fail) when it is not installed."""
    try:
        server = make()
    except MissingServerError as error:
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{error} ({REQUIRE_VARIABLE}=1 forbids skipping)")
        pytest.skip(str(error))
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The session's Redis, shared: use `redis_url`, or `killable_redis` to hurt one."""
    yield from run_server(RedisServer)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's PostgreSQL, shared: use `postgres_url`, or `killable_postgres` to hurt one."""
    yield from run_server(PostgresServer)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The session's S3, shared: use `s3`, or `killable_s3` to hurt one."""
    yield from run_server(S3Server)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """URL of an empty Redis."""
    with redis_server.connect() as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """SQLAlchemy URL of an empty database of this test's own."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture
def s3(s3_server: S3Server) -> Iterator[S3Access]:
    """Endpoint, credentials and an empty bucket of this test's own."""
    with s3_server.fresh_bucket() as access:
        yield access


@pytest.fixture
def killable_redis() -> Iterator[RedisServer]:
    """A Redis of this test's own that keeps its data over a kill (append-only file)."""
    yield from run_server(lambda: RedisServer(is_persistent=True))


@pytest.fixture
def forgetful_redis() -> Iterator[RedisServer]:
    """A Redis of this test's own that forgets everything when it restarts."""
    yield from run_server(RedisServer)


@pytest.fixture
def killable_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test's own."""
    yield from run_server(PostgresServer)


@pytest.fixture
def killable_s3() -> Iterator[S3Server]:
    """An S3 server of this test's own."""
    yield from run_server(S3Server)
