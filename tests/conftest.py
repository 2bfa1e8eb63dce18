"""Fixtures that give tests real servers; never starts one that no test asked for."""

import functools
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.session
import pytest

# `tests` is no package: this makes `servers` and other shared test modules importable everywhere.
sys.path.insert(0, str(Path(__file__).parent))

from servers import EncryptedServers, PostgresServer, RedisServer, S3Access, S3Server, encrypted_servers
from servers.machine import die_with_parent
from servers.running import missing_is_said, run_server


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """With `-n` each file is run by one worker."""
    from scheduling import ByFile  # noqa: PLC0415 - pytest without -n needs no xdist

    return ByFile(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """End a worker of xdist with the run, hear Ctrl-C, and keep loopback traffic away from any proxy."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell that starts pytest in the background has it so
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput") and (ask_kernel := die_with_parent(signal.SIGKILL)):
        ask_kernel()  # by itself it would notice after ten seconds, and its servers would live as long
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [part for part in os.environ.get(name, "").split(",") if part]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as `long` what a module leaves out of its `IN_MAKE_TEST`: the names of the tests that `make test` runs."""
    modules = {item.module for item in items if isinstance(item, pytest.Function)}
    for module in modules:
        short = getattr(module, "IN_MAKE_TEST", ())
        if unknown := [name for name in short if not hasattr(module, name.partition("[")[0])]:
            raise pytest.UsageError(f"IN_MAKE_TEST of {module.__name__} names {unknown[0]!r}, which is no test of it")
    for item in items:
        short = getattr(item.module, "IN_MAKE_TEST", ()) if isinstance(item, pytest.Function) else ()
        if short and not {item.name, item.originalname} & set(short):
            item.add_marker(pytest.mark.long)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Close the connections that a test kept to its files."""
    yield
    if samples := sys.modules.get("db_samples"):  # a test that needs no database has not loaded it
        samples.close_kept()


@pytest.fixture(scope="session", autouse=True)
def one_reading_of_service_descriptions() -> Iterator[None]:
    """Read botocore's files once a run; each session would read them again, and a store has its own: 0.12 s of processor time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.loaders.create_loader))
        yield


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


@pytest.fixture(scope="session")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EncryptedServers]:
    """The three servers behind TLS, shared; what a test leaves in them is its own to tell apart."""
    with missing_is_said(), encrypted_servers(tmp_path_factory.mktemp("encrypted")) as servers:
        yield servers
