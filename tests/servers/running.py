"""Run a server for the length of a fixture; never lets a missing one pass unnoticed."""

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from servers.base import Server
from servers.machine import MissingServerError

REQUIRE_VARIABLE = "TONALOG_REQUIRE_SERVERS"
AnyServer = TypeVar("AnyServer", bound=Server)


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
