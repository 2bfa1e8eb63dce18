"""Run a server for the length of a fixture; never lets a missing one pass unnoticed."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from servers.base import Server
from servers.machine import MissingServerError

REQUIRE_VARIABLE = "TONALOG_REQUIRE_SERVERS"
AnyServer = TypeVar("AnyServer", bound=Server)


@contextmanager
def missing_is_said() -> Iterator[None]:
    """Skip the test (or fail it, where all must run) when a server is not installed."""
    try:
        yield
    except MissingServerError as error:
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{error} ({REQUIRE_VARIABLE}=1 forbids skipping)")
        pytest.skip(str(error))


def run_server(make: Callable[[], AnyServer]) -> Iterator[AnyServer]:
    """Start a server, give it to the test, and remove it with its data; skip (or fail) when it is not installed."""
    with missing_is_said():
        server = make()
    try:
        server.start()
        yield server
    finally:
        server.close()
